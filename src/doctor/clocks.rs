//! Whether another system's clock shows the time that ours does.

use chrono::{DateTime, TimeDelta, Utc};

use crate::finding::{Area, Check, Finding};
use crate::pipeline::CLOCKS_DIFFER;

/// An answer's date has whole seconds: on average it is as much older than it says.
const HALF_A_SECOND: TimeDelta = TimeDelta::milliseconds(500);

/// What to say of a clock that showed `theirs` between two moments of ours.
#[must_use]
pub(super) fn judged(
    system: &str,
    theirs: DateTime<Utc>,
    asked_at: DateTime<Utc>,
    answered_at: DateTime<Utc>,
) -> Finding {
    let check = Check::new(Area::Clocks, system, "clocks");
    let ahead = theirs + HALF_A_SECOND - (asked_at + (answered_at - asked_at) / 2);
    let seconds = ahead.abs().num_milliseconds() as f64 / 1_000.0;
    if ahead.abs() <= CLOCKS_DIFFER {
        return check.fine("Its clock and this machine's show the same time.");
    }
    let side = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    check.warning(
        format!("Its clock is {seconds:.0} s {side} this machine's: starts and ends of alerts are judged by the wrong time, and graces end early or late."),
        "Let both machines keep time by NTP (chronyc tracking, timedatectl).",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;

    #[test]
    fn whole_seconds_and_the_time_of_an_answer_are_no_difference_and_more_than_five_seconds_are() {
        let at = |millisecond| DateTime::from_timestamp_millis(millisecond).expect("a time");
        for (theirs, asked, answered, severity, words) in [
            (10_000, 10_000, 10_010, Severity::Fine, "same time"),
            (10_000, 10_990, 10_999, Severity::Fine, "same time"),
            // Five seconds of asking leave the middle in doubt, and no more.
            (13_000, 10_000, 15_000, Severity::Fine, "same time"),
            (16_000, 10_000, 10_010, Severity::Warning, "6 s ahead of this"),
            (4_000, 10_000, 10_010, Severity::Warning, "6 s behind this"),
        ] {
            let found = judged("Prometheus", at(theirs), at(asked), at(answered));
            assert_eq!(found.severity, severity, "{theirs} {asked} {found:?}");
            assert!(found.message.contains(words), "{found:?}");
        }
    }
}
