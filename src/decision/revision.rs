//! An incident is about one revision. Once another one is on canary, nothing may be done for it: the
//! new canary has done nothing wrong.

use super::draft::Draft;
use crate::incident::{Event, NoticeKind};
use crate::text::shown;

/// Closes the open incident if its revision is no longer on canary.
pub(super) fn supersede(draft: &mut Draft<'_>) {
    let by = draft.context.policy.revision.clone();
    let Some(open) = draft.state.open_incident().filter(|open| *open.revision() != by) else { return };
    let (id, was) = (open.id.clone(), open.phase.sentence());
    let old = shown(open.revision().as_str());
    let new = shown(by.as_str());
    draft.incident_event(&id, Event::Superseded { by });
    let text = format!(
        "{new} is on canary now instead of {old}: the incident is closed, and nothing is done to {new}. It was {was}"
    );
    draft.notice(&id, NoticeKind::IncidentSuperseded, text);
    // What else the input leads to is about the new revision.
    draft.about = None;
}
