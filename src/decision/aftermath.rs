//! What follows after an incident has closed: its alerts end, and whoever was woken for them may know.

use chrono::{DateTime, Utc};

use super::draft::Draft;
use crate::incident::{Alert, AlertStatus, Event, Fingerprint, Incident, IncidentId, NoticeFact, Severity};

/// Raises the end of the alerts of every rollback whose alerts have all resolved. Before that nothing
/// says that the trouble is over: a page that is resolved with its alert still firing comes again. Nor is
/// it said while another incident of the same revision is open: then the trouble is that one's.
pub(super) fn alerts_ended(draft: &mut Draft<'_>) {
    let open = draft.state.open_incident().map(Incident::revision);
    let over = ids(draft, |incident| {
        incident.awaits_end_of_alerts() && open != Some(incident.revision()) && is_over(draft, incident)
    });
    aside(draft, over, |draft, id| draft.notice(id, NoticeFact::AlertsEnded));
}

/// Records the end of an alert with the closed incidents that wait for it: their report would say for
/// ever that it fires.
pub(super) fn resolved(draft: &mut Draft<'_>, fingerprint: &Fingerprint, ends_at: DateTime<Utc>) {
    let waiting = ids(draft, |incident| {
        let attached = incident.alerts.find(fingerprint);
        incident.awaits_end_of_alerts() && attached.is_some_and(|attached| attached.alert.ends_at.is_none())
    });
    aside(draft, waiting, |draft, id| {
        draft.incident_event(id, Event::AlertResolved { fingerprint: fingerprint.clone(), ends_at });
    });
}

fn ids(draft: &Draft<'_>, wanted: impl Fn(&Incident) -> bool) -> Vec<IncidentId> {
    let known = draft.state.known_incidents().filter(|incident| wanted(incident));
    known.map(|incident| incident.id.clone()).collect()
}

/// Records something of other incidents than the one that the input is about.
fn aside(draft: &mut Draft<'_>, ids: Vec<IncidentId>, record: impl Fn(&mut Draft<'_>, &IncidentId)) {
    let about = draft.about.clone();
    ids.iter().for_each(|id| record(draft, id));
    draft.about = about;
}

/// Whether no alert fires that a rollback is made for: its own, or, where it has none because a person
/// asked for it, any of the rollout's. What is no longer known of an alert is its end: only alerts that
/// fire are remembered for ever.
fn is_over(draft: &Draft<'_>, incident: &Incident) -> bool {
    let fires = |alert: &Alert| alert.status == AlertStatus::Firing && alert.severity() != Severity::Unknown;
    if incident.alerts.is_empty() {
        return !draft.state.alerts.values().any(|known| fires(&known.alert));
    }
    incident.alerts.iter().all(|attached| {
        let known = draft.state.alerts.get(&attached.alert.fingerprint);
        known.is_none_or(|known| known.alert.status == AlertStatus::Resolved)
    })
}

#[cfg(test)]
mod tests {
    use crate::decision::Confirmation;
    use crate::decision::world::World;
    use crate::incident::{Incident, Reason};

    /// 03:00, rolled back for an alert that still fires; five minutes later the same revision has traffic
    /// again.
    fn ramped_again() -> World {
        let mut world = World::with_canary();
        world.critical("Errors");
        world.finish();
        world.wait(300);
        world.share(25);
        world
    }

    fn earlier(world: &World) -> &Incident {
        world.state.unfinished.values().next().expect("an earlier incident")
    }

    fn ends(world: &World) -> usize {
        world.notices().iter().filter(|kind| **kind == "alerts_ended").count()
    }

    #[test]
    fn the_end_of_a_rollbacks_alerts_is_raised_once_when_the_last_has_resolved() {
        let mut world = World::with_canary();
        world.critical("Errors");
        world.critical("Latency");
        world.finish();
        world.wait(60);
        world.resolve("Errors");
        assert_eq!(ends(&world), 0, "one still fires");
        world.resolve("Latency");
        world.resolve("Latency");
        assert_eq!(ends(&world), 1);
    }

    #[test]
    fn a_closed_incident_knows_when_each_of_its_alerts_ended() {
        let mut world = World::with_canary();
        world.critical("Errors");
        world.critical("Latency");
        world.finish();
        world.wait(60);
        world.resolve("Errors");
        let fire = |world: &World| {
            let alerts = world.incident().alerts.iter().map(|attached| &attached.alert);
            alerts
                .filter(|alert| alert.ends_at.is_none())
                .map(|alert| alert.name().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(fire(&world), ["Latency"]);
        world.resolve("Latency");
        assert_eq!(fire(&world), [""; 0]);
    }

    #[test]
    fn a_later_incident_that_led_to_nothing_keeps_no_earlier_one_from_its_end() {
        let mut world = ramped_again();
        world.warning("Latency");
        world.wait(60);
        world.resolve("Errors");
        assert_eq!(ends(&world), 0, "while the later one is open the trouble is its");
        world.resolve("Latency");
        world.confirm(Confirmation::Gone);
        assert_eq!(world.phase(), "cancelled");
        assert!(!earlier(&world).is_followed);
        world.send(&crate::decision::Input::Tick);
        assert_eq!(ends(&world), 1);
    }

    #[test]
    fn an_incident_is_followed_once_a_later_one_rolls_its_revision_back() {
        let mut world = ramped_again();
        assert_eq!(world.critical("Latency"), Some(Reason::CriticalAlert));
        assert!(earlier(&world).is_followed && !world.incident().is_followed);
        world.finish();
        world.wait(60);
        world.resolve("Latency");
        world.resolve("Errors");
        assert_eq!(ends(&world), 2, "each says its own end, and the later one ends the page");
    }
}
