//! Reads the world again after a rollback, and says only what was seen.
//!
//! What is looked at is a list of [`Probe`]s, one file each; [`judge`] is pure and makes a verdict of
//! what they found. A new probe is one file here, one name among the checks and one line where the
//! rollouts are built.

mod alert_expression;
mod application;
mod canary_requests;
mod condition;
mod expressions;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod http_tests;
mod probe;
mod stable_pods;
mod stable_version;
mod traffic_share;
mod verifier;

pub use alert_expression::AlertExpression;
pub use application::{Application, ApplicationError};
pub use canary_requests::{CanaryRequests, RequestCounter, RequestTimes};
pub use probe::{Finding, Probe, Round, Seen, Subject};
pub use stable_pods::StablePods;
pub use stable_version::{Healthz, StableVersion};
pub use traffic_share::TrafficShare;
pub use verifier::{Verifier, VerifyTimes};

use crate::incident::{CheckOutcome, Verdict};

/// The verdict that the findings allow; `None`: read on, time is left and something may still change.
///
/// What is essential and wrong ends it at once: waiting would leave the traffic on the canary. All else
/// that is wrong or unread is given until the end of the window, because rates look back for minutes.
#[must_use]
pub fn judge(findings: &[Finding], window_ended: bool) -> Option<Verdict> {
    let any = |outcome| findings.iter().any(|finding| finding.check.outcome == outcome);
    if findings.iter().any(|finding| finding.is_essential && finding.check.outcome == CheckOutcome::Fail) {
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
    use crate::incident::{Check, CheckName};

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
            let found = |(name, outcome): &(CheckName, CheckOutcome)| Finding {
                check: Check { name: *name, outcome: *outcome, detail: String::new() },
                is_essential: *name == TrafficShare,
            };
            let found: Vec<_> = checks.iter().map(found).collect();
            assert_eq!(judge(&found, ended), verdict, "{checks:?} {ended}");
        }
    }
}
