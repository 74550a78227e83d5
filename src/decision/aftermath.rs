//! What follows after an incident has closed: its alerts end, and whoever was woken for them may know.

use super::draft::Draft;
use crate::incident::{AlertStatus, Incident, IncidentId, NoticeFact};

/// Raises the end of the alerts of every rollback whose alerts have all resolved. Before that nothing
/// says that the trouble is over: a page that is resolved with its alert still firing comes again.
pub(super) fn alerts_ended(draft: &mut Draft<'_>) {
    let known = draft.state.unfinished.values().chain(&draft.state.incident);
    let over = known.filter(|incident| incident.awaits_end_of_alerts() && is_over(draft, incident));
    let over: Vec<IncidentId> = over.map(|incident| incident.id.clone()).collect();
    let about = draft.about.clone();
    for id in over {
        draft.notice(&id, NoticeFact::AlertsEnded);
    }
    draft.about = about;
}

/// What is no longer known of an alert is its end: only alerts that fire are remembered for ever.
fn is_over(draft: &Draft<'_>, incident: &Incident) -> bool {
    incident.alerts.iter().all(|attached| {
        let known = draft.state.alerts.get(&attached.alert.fingerprint);
        known.is_none_or(|known| known.alert.status == AlertStatus::Resolved)
    })
}
