//! An incident is about one revision. Once another one is on canary, nothing may be done for it: the
//! new canary has done nothing wrong.

use super::draft::Draft;
use crate::incident::{Event, NoticeFact};

/// Closes the open incident if its revision is no longer on canary.
pub(super) fn supersede(draft: &mut Draft<'_>) {
    let by = draft.context.revision.clone();
    let Some(open) = draft.state.open_incident().filter(|open| !open.revision().may_be(&by)) else { return };
    let (id, was) = (open.id.clone(), open.phase.sentence());
    let instead_of = open.revision().clone();
    draft.incident_event(&id, Event::Superseded { by: by.clone() });
    draft.notice(&id, NoticeFact::IncidentSuperseded { by, instead_of, was });
    // What else the input leads to is about the new revision.
    draft.about = None;
}
