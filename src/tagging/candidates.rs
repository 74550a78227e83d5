//! What a revision says of its tag and its commit.

/// The shortest abbreviation of a SHA that git itself writes.
const MIN_HEX: usize = 7;

/// A SHA-256, for repositories that have those.
const MAX_HEX: usize = 64;

/// What a revision names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The tag's name.
    pub(super) tag: String,
    /// What may be commits, each once.
    pub(super) hex: Vec<String>,
}

/// `None`: it could be an option of git's. A version is its own tag; a bare SHA would be a tag that looks like a
/// commit, which git warns of, so it gets a word before it.
pub(super) fn named(revision: &str) -> Option<Named> {
    if !revision.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    // `g` stands before the SHA in what `git describe` writes.
    let words = revision.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.flat_map(|word| [Some(word), word.strip_prefix('g')]).flatten();
    let mut hex: Vec<String> = words.filter(|word| is_hex(word)).map(str::to_ascii_lowercase).collect();
    hex.dedup();
    let tag = if is_hex(revision) { format!("canary-{revision}") } else { revision.to_owned() };
    Some(Named { tag, hex })
}

fn is_hex(word: &str) -> bool {
    (MIN_HEX..=MAX_HEX).contains(&word.len()) && word.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_names_its_tag_and_whatever_may_be_a_commit() {
        for (revision, tag, hex) in [
            ("v1.4.0", "v1.4.0", &[][..]),
            ("v1.4.0-12-g1a2b3c4", "v1.4.0-12-g1a2b3c4", &["1a2b3c4"]),
            ("sha-1A2B3C4D", "sha-1A2B3C4D", &["1a2b3c4d"]),
            ("1a2b3c4d5e", "canary-1a2b3c4d5e", &["1a2b3c4d5e"]),
            ("20261124-1a2b3c4", "20261124-1a2b3c4", &["20261124", "1a2b3c4"]),
            ("abcdef", "abcdef", &[]),
        ] {
            let hex = hex.iter().map(|&one| one.to_owned()).collect();
            assert_eq!(named(revision), Some(Named { tag: tag.to_owned(), hex }), "{revision}");
        }
        assert_eq!(named("--delete"), None);
        assert_eq!(named(""), None);
    }
}
