//! The key under which all that is told of a page comes together.

use sha2::{Digest, Sha256};

use crate::notification::clip::beginning;
use crate::notification::{Place, Subject};
use crate::text::shown;

/// The longest that PagerDuty takes. It speaks of characters; counted in bytes it holds either way.
const MAX_BYTES: usize = 255;

/// `backstop/<environment>/<rollout>/<revision>`, and `/watchdog` behind it for what is about the rollout
/// itself. No time and no alert is in it: whatever happens again is the same page.
pub(super) fn dedup_key(subject: &Subject, place: &Place) -> String {
    let environment = place.environment.as_deref().unwrap_or("-");
    let (rollout, revision) = (subject.rollout(), subject.revision());
    let watchdog = if subject.incident().is_some() { "" } else { "/watchdog" };
    bounded(&format!("backstop/{environment}/{rollout}/{revision}{watchdog}"))
}

/// As people may see it. What is too long keeps its beginning, for them, and has its hash, by which it
/// differs.
pub(super) fn bounded(key: &str) -> String {
    let shown = shown(key);
    if shown.len() <= MAX_BYTES {
        return shown;
    }
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}/{hash}", beginning(&shown, MAX_BYTES - 1 - hash.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{NoticeKind, Revision, RolloutName};
    use crate::notification::fixtures;

    fn of(revision: &str) -> String {
        let (name, revision) = (RolloutName::new("spark-trading"), Revision::new(revision));
        let subject = Subject::Rollout { name, revision, ramp: None };
        dedup_key(&subject, &fixtures::place())
    }

    #[test]
    fn a_key_says_where_and_of_which_revision_and_never_when() {
        let incident = fixtures::message(NoticeKind::RollbackStarted).subject;
        assert_eq!(dedup_key(&incident, &fixtures::place()), "backstop/prod-eu/spark-trading/v1.4.0");
        assert_eq!(of("v1.4.0"), "backstop/prod-eu/spark-trading/v1.4.0/watchdog");
        let nowhere = crate::notification::Place { environment: None, ..fixtures::place() };
        assert_eq!(dedup_key(&incident, &nowhere), "backstop/-/spark-trading/v1.4.0");
    }

    #[test]
    fn a_key_that_is_too_long_is_cut_between_characters_and_still_differs() {
        let (one, other) = (of(&"ğ".repeat(200)), of(&format!("{}x", "ğ".repeat(200))));
        assert!(one.len() <= MAX_BYTES && other.len() <= MAX_BYTES, "{} {}", one.len(), other.len());
        assert_ne!(one, other);
        assert_eq!(one, of(&"ğ".repeat(200)), "the same each time");
        assert!(one.starts_with("backstop/prod-eu/spark-trading/ğğ"), "{one}");
        let longest_uncut = of(&"v".repeat(MAX_BYTES - of("").len()));
        assert!(longest_uncut.ends_with("v/watchdog") && longest_uncut.len() == MAX_BYTES);
    }
}
