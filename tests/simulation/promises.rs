//! What must hold at an answer and at the end, whatever happened.

use backstop::decision::Mode;
use backstop::incident::{Alert, AlertStatus, IncidentId, Severity};
use chrono::{DateTime, Utc};

use crate::ledger::{Ledger, Told};
use crate::monitoring::{name, number, site};
use crate::people::CHANNELS;
use crate::process::{MAX_ATTEMPTS, SITES};
use crate::world::Inner;

/// Events that one life of a process may store in a schedule of minutes: what happens is a few dozen
/// things, and each poll that stores something where nothing is new would be a hundred more.
const MOST_EVENTS: usize = 900;

/// Says which promise is broken, unless it holds.
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
    let Some(number) = number(message) else { return Ok(()) };
    let name = message.name();
    promise!(
        inner.ledger.seen.contains(&(number, message.starts_at)),
        "{name} was answered 200 and is not on disk"
    );
    let holds = inner.monitoring.holds.get(&number) == Some(&message.starts_at);
    let traffic = &inner.traffic[site(number)];
    let fresh = traffic.raised_at.is_some_and(|raised_at| message.starts_at > raised_at);
    let armed = inner.ledger.modes[site(number)] == Some(Mode::Armed);
    if armed && message.severity() == Severity::Critical && holds && fresh && traffic.share > 0 {
        inner.ledger.owed.push((number, now, inner.ledger.deployments));
    }
    Ok(())
}

/// Incidents that are open although everything works, but those that only a person can end.
fn left_open(ledger: &Ledger) -> Option<(&IncidentId, &Told)> {
    ledger.incidents.iter().find(|(_, told)| !told.closed && !told.waits)
}

/// A rollout whose canary has traffic while an alert of its own fires, and that may act.
fn threatened(inner: &Inner) -> Option<usize> {
    let ledger = &inner.ledger;
    (0..2).filter(|_| ledger.has_alertmanager).find(|at| {
        let fires = inner.monitoring.listed.keys().any(|alert| site(*alert) == *at);
        let waits = |told: &Told| !told.closed && told.waits && told.rollout == SITES[*at];
        let closed_by_person = ledger.closed_by_person[*at];
        ledger.modes[*at] == Some(Mode::Armed)
            && inner.traffic[*at].share > 0
            && fires
            && !closed_by_person
            && !ledger.incidents.values().any(waits)
    })
}

/// An alert that is recorded as firing and listed no more: its resolve was lost, which has to be noticed
/// where somebody can be asked.
fn forgotten(inner: &Inner) -> Option<&u8> {
    let listed = |alert: &&u8| inner.monitoring.listed.contains_key(*alert);
    inner.ledger.firing.iter().find(|alert| inner.ledger.has_alertmanager && !listed(alert))
}

/// Whether nothing is left to be done.
pub(crate) fn is_settled(inner: &Inner, now: DateTime<Utc>) -> bool {
    inner.ledger.store_is_sound(now)
        && left_open(&inner.ledger).is_none()
        && threatened(inner).is_none()
        && forgotten(inner).is_none()
        && without_evidence(&inner.ledger, &inner.evidence).is_none()
        && inner.ramps.unwritten().is_none()
        && inner.people.iter().all(|people| people.unsent().is_none())
}

fn without_evidence(ledger: &Ledger, evidence: &[(IncidentId, bool)]) -> Option<IncidentId> {
    let rolled_back = ledger.incidents.iter().filter(|(_, told)| told.attempt > 0 && !told.waits);
    let lacking = rolled_back.map(|(id, _)| id).find(|id| !evidence.contains(&((*id).clone(), true)));
    lacking.cloned()
}

/// Everything was mended long ago.
pub(crate) fn hold_at_the_end(inner: &Inner) -> Promise {
    let ledger = &inner.ledger;
    let open = left_open(ledger);
    promise!(open.is_none(), "nothing ends {open:?}");
    let firing: Vec<_> = inner.monitoring.listed.keys().collect();
    let threatened = threatened(inner);
    promise!(threatened.is_none(), "canary {threatened:?} has traffic although {firing:?} fire");
    let forgotten = forgotten(inner);
    promise!(forgotten.is_none(), "{forgotten:?} is recorded as firing, and listed nowhere");
    for (begun, repeated) in ledger.begun.iter().zip(ledger.repeated) {
        // From the third of a day on: the clock is never set by as much as that.
        promise!(repeated + 2 >= *begun, "{begun} rollbacks, and {repeated} were called one too many");
    }
    ledger.words_came_out()?;
    inner.unseen_came_out()?;
    let most = MOST_EVENTS * (1 + ledger.crashes as usize);
    promise!(ledger.events <= most, "{} events for one schedule", ledger.events);
    let lacking = without_evidence(ledger, &inner.evidence);
    promise!(lacking.is_none(), "the evidence of {lacking:?} is not complete");
    for (name, people) in CHANNELS.iter().zip(&inner.people) {
        let unsent = people.unsent();
        promise!(unsent.is_none(), "{name} works, and {unsent:?} is not sent");
    }
    inner.ramps_are_written()?;
    inner.cluster_is_rolled_back()?;
    let flags = inner.traffic.iter().zip(ledger.recorded_orders).filter(|_| inner.cluster.is_none());
    for (traffic, recorded) in flags {
        let orders = traffic.orders;
        if ledger.crashes == 0 && inner.ramps.have_run() {
            // Beside what a ramp had sent a moment before, the lane sends the same order twice for one attempt.
            promise!(
                (recorded..=2 * recorded).contains(&orders),
                "{orders} orders arrived, {recorded} are recorded"
            );
        } else if ledger.crashes == 0 {
            promise!(orders == recorded, "{orders} orders arrived, {recorded} are recorded");
        } else if !ledger.had_store_trouble {
            let lost = ledger.crashes * MAX_ATTEMPTS;
            promise!(orders <= recorded + lost, "{orders} orders, {recorded} recorded");
        }
    }
    for (number, at, deployments) in &ledger.owed {
        let (name, traffic) = (name(*number), &inner.traffic[site(*number)]);
        // A person who closes an incident has taken it over, and one is called for what waits. What an
        // alert was about is gone once another revision is on canary.
        let waits = ledger.incidents.values().any(|told| told.waits && told.rollout == SITES[site(*number)]);
        let answered = waits
            || ledger.closed_by_person[site(*number)]
            || ledger.deployments != *deployments
            || traffic.zeroed_at.is_some_and(|zeroed_at| zeroed_at >= *at);
        promise!(answered, "{name} was accepted at {at} with traffic on the canary, and nobody took it off");
    }
    Ok(())
}
