//! How urgent an alert is, by its `severity` label and by the words that an organisation uses for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How urgent an alert is. In ascending order: sorting and `max` rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Missing, a word that nobody knows, or one that is to be ignored: recorded, never acted upon.
    Unknown,
    Warning,
    Critical,
}

impl Severity {
    /// The text used in JSON, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The protocol's own two words, whatever their case and the blanks around them: a rule that was
    /// written with `Critical` must not be silently nothing.
    #[must_use]
    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Critical, Self::Warning].into_iter().find(|known| folded(word) == known.as_str())
    }
}

fn folded(word: &str) -> String {
    word.trim().to_lowercase()
}

/// An organisation's own words for a severity (`page`, `P1`), beside the protocol's two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeverityMap(Arc<BTreeMap<String, Severity>>);

impl SeverityMap {
    /// These words; case and blanks around them don't count.
    pub fn new(words: impl IntoIterator<Item = (String, Severity)>) -> Self {
        Self(Arc::new(words.into_iter().map(|(word, severity)| (folded(&word), severity)).collect()))
    }

    /// What a word means here. `None`: the protocol's words, or nobody's.
    #[must_use]
    pub fn of_word(&self, word: &str) -> Option<Severity> {
        self.0.get(&folded(word)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_whatever_their_case_and_blanks_and_the_own_ones_come_first() {
        let map = SeverityMap::new([
            ("Page ".to_owned(), Severity::Critical),
            ("warning".to_owned(), Severity::Unknown),
        ]);
        for (word, own, protocol) in [
            ("page", Some(Severity::Critical), None),
            (" PAGE", Some(Severity::Critical), None),
            ("Warning", Some(Severity::Unknown), Some(Severity::Warning)),
            ("CRITICAL ", None, Some(Severity::Critical)),
            ("critical!", None, None),
            ("", None, None),
        ] {
            assert_eq!((map.of_word(word), Severity::of_word(word)), (own, protocol), "{word:?}");
        }
    }
}
