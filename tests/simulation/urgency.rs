//! A critical is acted upon in time whatever the disk does. What is ordered meanwhile is not stored
//! yet, so that nothing but the clock can say whether it came late.

use backstop::decision::Mode;
use backstop::incident::{Alert, AlertStatus, Severity};
use chrono::{DateTime, TimeDelta, Utc};

use crate::ledger::Ledger;
use crate::monitoring::{number, site};
use crate::promises::Promise;
use crate::schedule::FIRST_REVISION;
use crate::world::Inner;

/// Half a second for the commit, the longest reading of a share and the same again for what was
/// decided on it; what is left is for a pause between two of them.
const IN_TIME: TimeDelta = TimeDelta::milliseconds(4_000);

/// A reading that is older than this has said what the share was before, by then.
const SEEN_BY: TimeDelta = TimeDelta::seconds(6);

/// A critical is handed to a process. Noted where nothing but the disk can keep it waiting: the first
/// of a rollout, about traffic that is there for long enough to be known.
pub(crate) fn handed_over(inner: &mut Inner, alert: &Alert, now: DateTime<Utc>) {
    let Some(number) = number(alert) else { return };
    let is_critical = alert.status == AlertStatus::Firing && alert.severity() == Severity::Critical;
    // A resolve that overtook it makes it look like an old message.
    let listed = inner.monitoring.listed.get(&number) == Some(&alert.starts_at);
    if is_critical && listed {
        waits_for_the_disk_only(inner, site(number), alert.starts_at, now);
    }
}

/// Begins to measure, unless there is more than the disk to wait for.
pub(crate) fn waits_for_the_disk_only(
    inner: &mut Inner,
    at: usize,
    began_at: DateTime<Utc>,
    now: DateTime<Utc>,
) {
    if inner.cluster.is_some() {
        // There it waits for pods, too.
        return;
    }
    let Inner { traffic, ledger, .. } = inner;
    let traffic = &traffic[at];
    let seen = traffic.raised_at.is_some_and(|raised| raised + SEEN_BY < now && raised < began_at);
    let first = traffic.orders == 0 && ledger.deployments == FIRST_REVISION && !ledger.closed_by_person[at];
    let may_act = ledger.modes[at] == Some(Mode::Armed) && !ledger.sets_clock;
    if seen && traffic.share > 0 && first && may_act {
        ledger.handed_over[at].get_or_insert(now);
    }
}

impl Ledger {
    /// The order came that a critical was waiting for, if one was.
    pub(crate) fn acted_in_time(
        &mut self,
        at: usize,
        zeroed_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Promise {
        let Some(since) = self.handed_over[at].take() else { return Ok(()) };
        let still = zeroed_at.is_none_or(|zeroed_at| zeroed_at < since) && !self.closed_by_person[at];
        let waited = now - since;
        promise!(waited <= IN_TIME || !still, "a critical waited for {waited} until it was acted upon");
        Ok(())
    }
}
