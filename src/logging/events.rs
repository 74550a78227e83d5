//! The line that each stored event becomes: a sentence for whoever reads, fields for whoever searches.

use tracing::field::display;

use chrono::{DateTime, Utc};

use crate::incident::{AlertStatus, Event, GraceCause, MessageOutcome, Reason, StoredAs};
use crate::text::shown;

/// Logs a stored event. Notices that page are errors, so that they stand out without any channel.
pub fn stored(stored: &StoredAs) {
    let rollout = display(&stored.rollout);
    let incident = stored.incident.as_ref().map(display);
    let event = stored.event.name();
    let reason = reason(&stored.event).map(Reason::as_str);
    let sentence = sentence(&stored.event, stored.at);
    match &stored.event {
        Event::NoticeRaised { kind, .. } if kind.pages() => {
            tracing::error!(rollout, incident, event, notice = kind.as_str(), "{sentence}");
        }
        Event::NoticeRaised { kind, .. } => {
            tracing::info!(rollout, incident, event, notice = kind.as_str(), "{sentence}");
        }
        Event::WatchdogLost { .. } | Event::Failed { .. } => {
            tracing::error!(rollout, incident, event, reason, "{sentence}");
        }
        // What informs of a channel's trouble is a notice; each try is only there to be found.
        Event::MessageEnded {
            outcome: MessageOutcome::Failed { .. } | MessageOutcome::Unknown { .. },
            ..
        } => {
            tracing::warn!(rollout, incident, event, "{sentence}");
        }
        Event::MessageEnded { outcome: MessageOutcome::GivenUp { .. }, .. } => {
            tracing::error!(rollout, incident, event, "{sentence}");
        }
        Event::MessageBegun { .. } => tracing::debug!(rollout, incident, event, "{sentence}"),
        Event::ClockStepped { .. } => tracing::warn!(rollout, incident, event, "{sentence}"),
        // A place of its own: a storm of alerts must not use up the room of what is decided.
        Event::AlertSeen { alert, .. } => {
            let fingerprint = display(&alert.fingerprint);
            tracing::info!(rollout, event, alert = alert.name(), fingerprint, "{sentence}");
        }
        _ => tracing::info!(rollout, incident, event, reason, "{sentence}"),
    }
}

fn reason(event: &Event) -> Option<Reason> {
    match event {
        Event::IncidentOpened(opened) => Some(opened.reason),
        Event::AlertAttached(alert) => Some(alert.reason),
        Event::Confirmed { reason, .. }
        | Event::Held { reason, .. }
        | Event::Resumed { reason, .. }
        | Event::Cancelled { reason }
        | Event::Declined { reason, .. }
        | Event::RollbackStarted { reason, .. }
        | Event::Failed { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn sentence(event: &Event, at: DateTime<Utc>) -> String {
    match event {
        Event::AlertSeen { alert, .. } => {
            let what = match alert.status {
                AlertStatus::Firing => "fires",
                AlertStatus::Resolved => "has resolved",
            };
            format!("the alert {} {what}", shown(alert.name()))
        }
        Event::TriageStarted { alert } => {
            format!("the alert {} waits until the canary's share is read", shown(alert.alert.name()))
        }
        Event::TriageEnded => "the alerts that waited for the canary's share are decided".to_owned(),
        Event::ShareRead { share: Some(share), .. } => format!("the canary has {share} of the traffic"),
        Event::ShareRead { share: None, .. } => "the canary's share of the traffic can't be read".to_owned(),
        Event::WatchdogLost { silent_seconds } => format!(
            "no Watchdog for {silent_seconds} s: missing data is not trusted; check Prometheus and Alertmanager"
        ),
        Event::WatchdogBack => {
            "the Watchdog is heard again, or no canary runs any more that needs it".to_owned()
        }
        Event::Ramp { happened, .. } => happened.sentence(),
        Event::ClockStepped { by_milliseconds } => {
            format!("the clock was set by {by_milliseconds} ms; deadlines moved with it")
        }
        Event::IncidentOpened(opened) => format!("an incident opened: {}", shown(&opened.cause)),
        Event::GraceStarted { cause, ends_at } => {
            let why = match cause {
                GraceCause::Warning => "a warning may recover",
                GraceCause::OlderThanCanary => "the alert is older than the canary",
                GraceCause::OlderThanResolve => "the alert is older than its own resolve",
            };
            format!("a grace runs until {ends_at}, because {why}")
        }
        Event::GraceMoved { ends_at } => format!("the grace now ends at {ends_at}"),
        Event::AlertAttached(alert) => format!("the alert {} joins the incident", shown(alert.alert.name())),
        Event::AlertResolved { fingerprint, .. } => {
            format!("the incident's alert {fingerprint} has resolved")
        }
        Event::Confirmed { answers, .. } => {
            format!("Alertmanager and Prometheus were asked: {}", shown(&answers.join("; ")))
        }
        Event::Held { actor, until, .. } => format!("{} holds the incident until {until}", shown(actor)),
        Event::Resumed { actor, .. } => format!("the hold has ended, by {}", shown(actor)),
        Event::Acknowledged { actor } => format!("{} has taken note", shown(actor)),
        Event::Superseded { by } => {
            format!("the incident ended: another revision is on canary now, {}", shown(by.as_str()))
        }
        Event::Closed { actor, words } => {
            format!("{} closed the incident: {}", shown(actor), shown(words))
        }
        Event::CauseAdded(cause) => {
            format!(
                "the rollback that runs has one more cause: {} ({})",
                shown(&cause.words),
                shown(&cause.trigger.to_string())
            )
        }
        Event::Cancelled { reason } => format!("the incident ended without a rollback: {}", reason.meaning()),
        Event::Declined { reason, .. } => format!("no rollback is made: {}", reason.meaning()),
        Event::RollbackStarted { cause: Some(cause), attempt: 1, .. } => {
            format!("the rollback begins: {} ({})", shown(&cause.words), shown(&cause.trigger.to_string()))
        }
        Event::RollbackStarted { attempt: 1, .. } => "the rollback begins".to_owned(),
        Event::RollbackStarted { attempt, .. } => {
            format!("the rollback is tried again, for the {attempt}. time")
        }
        Event::StepStarted { step, .. } => format!("begins to {}", step.words()),
        Event::RollbackWaiting { reason, .. } => format!("the rollback waits: {}", reason.sentence()),
        Event::StepEnded(step) => step.sentence(),
        Event::VerificationStarted { until } => {
            format!("what the rollback came to is read back, until {until} at the longest")
        }
        Event::VerificationEnded(verification) => {
            format!("the verification has ended: {}", verification.verdict.sentence())
        }
        Event::RolledBack => "the canary is rolled back".to_owned(),
        Event::Failed { detail, retry_at: Some(retry_at), .. } => {
            format!("the rollback is not achieved, and tried again at {retry_at}: {}", shown(detail))
        }
        Event::Failed { detail, retry_at: None, .. } => {
            format!("the rollback is not achieved, and waits for a person: {}", shown(detail))
        }
        Event::SnapshotTaken { when, error: None, .. } => {
            format!("the metrics {} the rollback are kept", when.as_str())
        }
        Event::SnapshotTaken { when, error: Some(error), .. } => {
            format!("the metrics {} the rollback can't be read: {}", when.as_str(), shown(error))
        }
        Event::EvidenceWritten { complete: true, .. } => "the evidence is written and complete".to_owned(),
        Event::EvidenceWritten { .. } => "the first evidence is written".to_owned(),
        Event::EscalationPlanned { next, due_at } => {
            format!("level {} is told at {due_at}, unless it has ended by then", next.0)
        }
        Event::NoticeRaised { fact: Some(fact), .. } => fact.sentence(at),
        Event::NoticeRaised { text, .. } => shown(text),
        Event::MessageBegun { channel, call, .. } => format!("{channel}: {} is sent", shown(call)),
        Event::MessageEnded { channel, call, outcome, .. } => match outcome {
            MessageOutcome::Sent { .. } => format!("{channel}: {} has arrived", shown(call)),
            MessageOutcome::Failed { error, retry_at } => {
                format!(
                    "{channel}: {} did not arrive, and is tried again at {retry_at}: {}",
                    shown(call),
                    shown(error)
                )
            }
            MessageOutcome::Unknown { error, retry_at } => {
                format!(
                    "{channel}: {} may have arrived, and is tried again at {retry_at}, looked for first where the channel can be searched: {}",
                    shown(call),
                    shown(error)
                )
            }
            MessageOutcome::GivenUp { error } => {
                format!("{channel}: {} is not sent: {}", shown(call), shown(error))
            }
        },
        Event::MessagesSuperseded { channel, notices } => {
            format!(
                "{channel}: {} late messages are left out, because a later one says how it stands",
                notices.len()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_words_can_not_end_the_line() {
        let told = sentence(
            &Event::Acknowledged { actor: "ada\nthe boss \u{1b}[2J".to_owned() },
            DateTime::UNIX_EPOCH,
        );
        assert_eq!(told, "ada\\nthe boss \\u{1b}[2J has taken note");
    }
}
