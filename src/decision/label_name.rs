//! Names of labels, as servers of different ages accept them.

/// Whether a server from before UTF-8 names accepts it (Prometheus before 3.0, Alertmanager before
/// 0.27): `[a-zA-Z_][a-zA-Z0-9_]*`. Such a server refuses a whole query for any other name in it.
#[must_use]
pub fn is_legacy_label_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_take_only_plain_names() {
        for (name, legacy) in [
            ("rollout", true),
            ("_a1", true),
            ("deploy.rollout", false),
            ("1st", false),
            ("a-b", false),
            ("größe", false),
            ("", false),
        ] {
            assert_eq!(is_legacy_label_name(name), legacy, "{name:?}");
        }
    }
}
