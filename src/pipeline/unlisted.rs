//! Alerts that are known as firing and that no Alertmanager lists any more: their resolve was lost
//! (reference notes on Alertmanager, section 5). Forgotten for ever, they would count as news when
//! the next canary starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock::Moment;
use crate::incident::{Alert, Fingerprint};

/// For how long it has to be missing, at every poll. Prometheus sends each alert again every minute,
/// plus one evaluation: one that is missing for a single poll may have been on its way.
const MISSING_FOR: Duration = Duration::from_secs(120);

/// Since when each firing alert of one rollout is missing. The episode counts: one that began anew was
/// listed in between.
#[derive(Debug, Default)]
pub(super) struct Unlisted(BTreeMap<(Fingerprint, DateTime<Utc>), Moment>);

impl Unlisted {
    /// A poll that can be trusted, asked at `asked_at`, listed these. Returns the alerts that were
    /// missing for long enough.
    pub(super) fn note<'a>(
        &mut self,
        firing: impl Iterator<Item = &'a Alert>,
        listed: &BTreeSet<Fingerprint>,
        asked_at: Moment,
    ) -> Vec<Alert> {
        let before = std::mem::take(&mut self.0);
        let mut overdue = Vec::new();
        for alert in firing.filter(|alert| !listed.contains(&alert.fingerprint)) {
            let key = (alert.fingerprint.clone(), alert.starts_at);
            let since = before.get(&key).copied().unwrap_or(asked_at);
            if asked_at.since(since) >= MISSING_FOR {
                overdue.push(alert.clone());
            }
            self.0.insert(key, since);
        }
        overdue
    }

    /// A poll said nothing that can be trusted: what was missing before may have been listed since.
    pub(super) fn start_over(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use crate::incident::fixtures::firing;
    use chrono::TimeDelta;

    use super::*;
    use crate::clock::{Clock, SteppedClock};

    fn alert(name: &str, starts_at: DateTime<Utc>) -> Alert {
        firing(name, &[], starts_at)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_was_missing_at_every_trusted_poll_for_two_minutes_is_overdue() {
        let noon = "2026-11-24T12:00:00Z".parse().expect("a time");
        let clock = SteppedClock::starting_at(noon);
        let begin = clock.moment();
        let (lost, listed, again) = (alert("lost", noon), alert("listed", noon), alert("again", noon));
        let later = alert("again", noon + TimeDelta::seconds(30));
        let firing = [lost.clone(), listed, again];
        let names = BTreeSet::from([Fingerprint::new("listed")]);
        let mut unlisted = Unlisted::default();
        let poll = |unlisted: &mut Unlisted, firing: &[Alert], seconds| {
            unlisted.note(firing.iter(), &names, begin + Duration::from_secs(seconds))
        };
        assert!(poll(&mut unlisted, &firing, 0).is_empty());
        assert!(poll(&mut unlisted, &firing, 119).is_empty());
        let firing = [firing[0].clone(), firing[1].clone(), later.clone()];
        assert_eq!(poll(&mut unlisted, &firing, 120), std::slice::from_ref(&lost), "the other began anew");
        unlisted.start_over();
        assert!(poll(&mut unlisted, &firing, 240).is_empty());
        assert_eq!(poll(&mut unlisted, &firing, 360), [lost, later]);
    }
}
