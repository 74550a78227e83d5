//! Label matchers in the notation of PromQL and of Alertmanager.
//!
//! Prometheus 3 and Alertmanager 0.27 accept any UTF-8 text as a label's name if it is quoted. Servers
//! before them accept only the old names, unquoted: so only what needs quotes gets them.

use std::collections::BTreeMap;

use crate::decision::is_legacy_label_name;

/// `name="value"`, as both systems read it.
pub(crate) fn equal(name: &str, value: &str) -> String {
    let name = if is_legacy_label_name(name) { name.to_owned() } else { quoted(name) };
    format!("{name}={}", quoted(value))
}

/// The matchers of all these pairs, separated by commas.
pub(crate) fn all_equal(pairs: &BTreeMap<String, String>) -> String {
    pairs.iter().map(|(name, value)| equal(name, value)).collect::<Vec<_>>().join(",")
}

/// `name=~"one|other"`: any of these values, each matched literally.
pub(crate) fn one_of(name: &str, values: &[&str]) -> String {
    let literal = |value: &&str| {
        let escaped = |letter: char| {
            let special = r"\.+*?()|[]{}^$".contains(letter);
            special.then_some('\\').into_iter().chain([letter])
        };
        value.chars().flat_map(escaped).collect::<String>()
    };
    let values: Vec<_> = values.iter().map(literal).collect();
    format!("{name}=~{}", quoted(&values.join("|")))
}

/// A text in double quotes, as Go would read it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_quotes_what_would_end_it_and_names_only_where_they_need_it() {
        for (name, value, expected) in [
            ("rollout", r#"a"b\c"#, r#"rollout="a\"b\\c""#),
            ("deploy.rollout", "x", r#""deploy.rollout"="x""#),
            ("1st", "x", r#""1st"="x""#),
            ("", "x", r#"""="x""#),
            ("größe", "a\nb", r#""größe"="a\nb""#),
        ] {
            assert_eq!(equal(name, value), expected);
        }
    }

    #[test]
    fn what_a_regular_expression_would_read_otherwise_is_escaped() {
        assert_eq!(one_of("alertname", &["A.b", "C|d"]), r#"alertname=~"A\\.b|C\\|d""#);
    }
}
