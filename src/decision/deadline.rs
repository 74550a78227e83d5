//! When the grace of an alert ends.

use chrono::{DateTime, Utc};

use super::alerts::began_at;
use super::draft::Draft;
use crate::incident::{Alert, GraceCause, Phase, Reason, Severity};

/// When the grace that an alert opens ends.
///
/// A warning's runs from its `startsAt`, but never from the future: a sender's clock that is ahead
/// must not lengthen it. One that is older than the canary gets the same time from the canary's
/// start. What may be a stale message is asked about at once.
pub(super) fn deadline(draft: &Draft<'_>, alert: &Alert, suspicion: Option<GraceCause>) -> DateTime<Utc> {
    let now = draft.now();
    let run_started_at = draft.state.run.as_ref().and_then(|run| run.started_at);
    match (suspicion, alert.severity()) {
        (Some(GraceCause::OlderThanResolve), Severity::Critical) => now,
        (Some(GraceCause::OlderThanCanary), _) => run_started_at.unwrap_or(now) + draft.context.policy.grace,
        _ => {
            let ends_at = began_at(draft, alert).min(now) + draft.context.policy.grace;
            earlier_deadline(draft, alert).map_or(ends_at, |earlier| earlier.min(ends_at))
        }
    }
}

/// The deadline of a grace that was cancelled and reopens for the same trouble.
///
/// With few requests an alert goes and comes back while its trouble lasts: were each gap a new grace, a
/// bad canary would never be rolled back. It is the same trouble if the same alert fires again on the
/// same canary within a grace's time after a warning's grace was cancelled; one for what may have been
/// about the canary before says nothing of this one.
fn earlier_deadline(draft: &Draft<'_>, alert: &Alert) -> Option<DateTime<Utc>> {
    let last = draft.state.incident.as_ref()?;
    let recovered = matches!(
        last.phase,
        Phase::Cancelled { reason: Reason::ResolvedConfirmed | Reason::ResolvedUnconfirmed }
    );
    let cancelled_at = draft.state.answered_until?;
    let of_this_canary = last.revision() == draft.context.revision
        && draft
            .state
            .run
            .as_ref()
            .and_then(|run| run.started_at)
            .is_none_or(|started| started < cancelled_at);
    let soon = began_at(draft, alert) <= cancelled_at + draft.context.policy.grace;
    let by_a_warning = last.opened.reason == Reason::WarningAlert;
    let is_same = recovered && by_a_warning && of_this_canary && soon && last.carries(&alert.fingerprint);
    is_same.then_some(last.grace_ends_at?)
}
