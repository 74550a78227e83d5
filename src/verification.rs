//! Reads the world again after a rollback, and says only what was seen.
//!
//! [`judge`] is pure; the reading is in the adapters beside it.

mod alerts;
mod application;
mod condition;
#[cfg(test)]
mod fixtures;
mod read;

pub use application::{Application, ApplicationError, Healthz};
pub use read::{Verifier, VerifyTimes};

use crate::incident::{Check, CheckName, CheckOutcome, Verdict};

/// The verdict that the checks allow; `None`: read on, time is left and something may still change.
///
/// Traffic that is read back on the canary ends it at once: waiting would leave it there. A metric
/// above its threshold or an unread one is given until the end of the window, because rates look
/// back for minutes.
#[must_use]
pub fn judge(checks: &[Check], window_ended: bool) -> Option<Verdict> {
    let any = |outcome| checks.iter().any(|check| check.outcome == outcome);
    let traffic_on = checks
        .iter()
        .any(|check| check.name == CheckName::TrafficShare && check.outcome == CheckOutcome::Fail);
    if traffic_on {
        return Some(Verdict::NotVerified);
    }
    if !any(CheckOutcome::Fail) && !any(CheckOutcome::Unknown) {
        // Nothing to read at all is not a success.
        return Some(if any(CheckOutcome::Pass) { Verdict::Verified } else { Verdict::Inconclusive });
    }
    match (window_ended, any(CheckOutcome::Fail)) {
        (false, _) => None,
        (true, true) => Some(Verdict::NotVerified),
        (true, false) => Some(Verdict::Inconclusive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_checks_has_its_verdict() {
        use CheckName::{AlertExpression, StableVersion, TrafficShare};
        use CheckOutcome::{Fail, NotConfigured, Pass, Unknown};
        use Verdict::{Inconclusive, NotVerified, Verified};
        type Case<'a> = (&'a [(CheckName, CheckOutcome)], bool, Option<Verdict>);
        let cases: [Case<'_>; 11] = [
            (&[(TrafficShare, Pass), (AlertExpression, Pass)], false, Some(Verified)),
            (&[(TrafficShare, Pass), (StableVersion, NotConfigured)], false, Some(Verified)),
            (&[(TrafficShare, Fail), (AlertExpression, Unknown)], false, Some(NotVerified)),
            (&[(TrafficShare, Pass), (AlertExpression, Fail)], false, None),
            (&[(TrafficShare, Pass), (AlertExpression, Fail)], true, Some(NotVerified)),
            (&[(TrafficShare, Pass), (AlertExpression, Unknown)], false, None),
            (&[(TrafficShare, Pass), (AlertExpression, Unknown)], true, Some(Inconclusive)),
            (&[(TrafficShare, Unknown), (StableVersion, Fail)], true, Some(NotVerified)),
            (&[(TrafficShare, Unknown), (StableVersion, Pass)], true, Some(Inconclusive)),
            (&[(TrafficShare, NotConfigured), (StableVersion, NotConfigured)], false, Some(Inconclusive)),
            (&[], false, Some(Inconclusive)),
        ];
        for (checks, ended, verdict) in cases {
            let read: Vec<_> = checks
                .iter()
                .map(|(name, outcome)| Check { name: *name, outcome: *outcome, detail: String::new() })
                .collect();
            assert_eq!(judge(&read, ended), verdict, "{checks:?} {ended}");
        }
    }
}
