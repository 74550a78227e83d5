//! What must hold at an answer and at the end, whatever happened.

use backstop::incident::{Alert, AlertStatus, IncidentId, Severity};
use chrono::{DateTime, Utc};

use crate::ledger::Ledger;
use crate::monitoring::number;
use crate::process::MAX_ATTEMPTS;
use crate::world::Inner;

/// Tells which promise is broken, unless it holds.
macro_rules! promise {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// The promise that is broken, in words.
pub(crate) type Promise = Result<(), String>;

/// A webhook was answered 200.
pub(crate) fn hold_at_an_answer(inner: &mut Inner, message: &Alert, now: DateTime<Utc>) -> Promise {
    if message.status == AlertStatus::Resolved {
        return Ok(());
    }
    let name = message.name().to_owned();
    promise!(
        inner.ledger.seen.contains(&(name.clone(), message.starts_at)),
        "{name} was answered 200 and is not on disk"
    );
    let holds =
        number(&name).is_some_and(|number| inner.monitoring.holds.get(&number) == Some(&message.starts_at));
    let fresh = inner.traffic.raised_at.is_some_and(|raised_at| message.starts_at > raised_at);
    if message.severity() == Severity::Critical && holds && fresh && inner.traffic.share > 0 {
        inner.ledger.owed.push((name, now));
    }
    Ok(())
}

/// Whether nothing is left to be done.
pub(crate) fn is_settled(inner: &Inner) -> bool {
    let open = inner.ledger.incidents.values().any(|told| !told.closed);
    let threatened =
        inner.traffic.share > 0 && !inner.monitoring.listed.is_empty() && inner.ledger.has_alertmanager;
    !open && !threatened && without_evidence(&inner.ledger, &inner.evidence).is_none()
}

fn without_evidence(ledger: &Ledger, evidence: &[(IncidentId, bool)]) -> Option<IncidentId> {
    let rolled_back = ledger.incidents.iter().filter(|(_, told)| told.attempt > 0);
    let lacking = rolled_back.map(|(id, _)| id).find(|id| !evidence.contains(&((*id).clone(), true)));
    lacking.cloned()
}

/// Everything was mended long ago.
pub(crate) fn hold_at_the_end(inner: &Inner) -> Promise {
    let ledger = &inner.ledger;
    let open = ledger.incidents.iter().find(|(_, told)| !told.closed);
    promise!(open.is_none(), "nothing ends {open:?}");
    let firing: Vec<_> = inner.monitoring.listed.keys().collect();
    promise!(
        inner.traffic.share == 0 || firing.is_empty() || !ledger.has_alertmanager,
        "the canary has {} % although {firing:?} fire",
        inner.traffic.share
    );
    let lacking = without_evidence(ledger, &inner.evidence);
    promise!(lacking.is_none(), "the evidence of {lacking:?} is not complete");
    let (orders, recorded) = (inner.traffic.orders, ledger.recorded_orders);
    if ledger.crashes == 0 {
        promise!(orders == recorded, "{orders} orders arrived, {recorded} are recorded");
    } else if !ledger.had_store_trouble {
        promise!(orders <= recorded + ledger.crashes * MAX_ATTEMPTS, "{orders} orders, {recorded} recorded");
    }
    for (name, at) in &ledger.owed {
        let answered = inner.traffic.zeroed_at.is_some_and(|zeroed_at| zeroed_at >= *at);
        promise!(answered, "{name} was accepted at {at} with traffic on the canary, and nobody took it off");
    }
    Ok(())
}
