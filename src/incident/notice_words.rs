//! Notices in sentences: for the log, the evidence, the API and the terminal. Channels have words of
//! their own that say the same.

use chrono::{DateTime, Utc};

use super::{Notice, NoticeFact, Repeated, Trigger};
use crate::text::shown;

/// A time for a message that is read within the hour.
fn clock_time(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%H:%M:%S UTC")
}

impl Notice {
    /// What happened, in a sentence; foreign text in it is harmless already.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.fact {
            Some(fact) => fact.sentence(self.at),
            None => shown(&self.text),
        }
    }
}

impl NoticeFact {
    /// What happened at `at`, in a sentence; foreign text in it is harmless already.
    #[must_use]
    pub fn sentence(&self, at: DateTime<Utc>) -> String {
        match self {
            Self::GraceOpened { alert, ends_at, is_over, shadow } => {
                let (name, ends) = (shown(&alert.name), clock_time(*ends_at));
                if *shadow {
                    format!(
                        "{name} fires: in shadow mode, where nothing is rolled back, a grace runs until {ends}"
                    )
                } else if *is_over {
                    format!(
                        "{name} fires, and its grace was over at {ends}: unless it is gone, the rollback begins now"
                    )
                } else {
                    format!("{name} fires: unless it resolves, the rollback begins at {ends}")
                }
            }
            Self::GraceHeld { actor, reason, until } if reason.is_of_a_person() => {
                format!("{} holds the grace until {}", shown(actor), clock_time(*until))
            }
            Self::GraceHeld { reason, until, .. } => format!(
                "on hold until {}, then the alerts are asked for again: {}",
                clock_time(*until),
                reason.meaning()
            ),
            Self::GraceResumed { actor, ends_at } => match ends_at {
                Some(ends_at) if *ends_at > at => format!(
                    "{} ended the hold: unless the alerts are gone, the rollback begins at {}",
                    shown(actor),
                    clock_time(*ends_at)
                ),
                _ => format!(
                    "{} ended the hold: unless the alerts are gone, the rollback begins now",
                    shown(actor)
                ),
            },
            Self::GraceCancelled { reason } => format!("no rollback: {}", reason.meaning()),
            Self::WouldRollBack { cause, .. } => {
                format!(
                    "in shadow mode, so nothing was done: it would be rolled back for {}",
                    shown(&cause.words)
                )
            }
            Self::RollbackStarted { revision, cause, .. } => {
                let (revision, words) = (shown(revision.as_str()), shown(&cause.words));
                match &cause.trigger {
                    Trigger::Automatic => {
                        format!("rolling back {revision}: {words}. {}", cause.reason.meaning())
                    }
                    Trigger::Manual { actor } => {
                        format!("rolling back {revision}: {} asked for it: {words}", shown(actor))
                    }
                }
            }
            Self::RepeatedRollback(Repeated::Other { revision, minutes_ago }) => {
                let revision = shown(revision.as_str());
                format!("{revision} was rolled back {minutes_ago} minutes ago: something else is wrong")
            }
            Self::RepeatedRollback(Repeated::Today(count)) => {
                format!("rollback {count} within a day: something else is wrong")
            }
            Self::RollbackEnded { verdict } => format!("rolled back: {}", verdict.sentence()),
            Self::RollbackNotVerified { wrong } => {
                format!("the traffic is off the canary, but look at it: {}", shown(&wrong.join("; ")))
            }
            Self::RollbackFailed { attempt, detail, retry_at, .. } => {
                let next = match retry_at {
                    Some(_) => "it is tried again",
                    None => "it is NOT tried again: roll back or close it yourself",
                };
                format!("attempt {attempt} did not roll back: {}; {next}", shown(detail))
            }
            Self::RollbackWaits { waiting } => format!("the rollback waits. {}", waiting.sentence()),
            Self::RollbackOverdue { since, stands } => {
                let seconds = (at - *since).num_seconds();
                format!(
                    "the rollback has not ended after {seconds} s: look at the canary's traffic yourself. {stands}"
                )
            }
            Self::Acknowledged { actor } => format!("{} has taken note", shown(actor)),
            Self::IncidentSuperseded { by, instead_of, was } => {
                let (new, old) = (shown(by.as_str()), shown(instead_of.as_str()));
                format!(
                    "{new} is on canary now instead of {old}: the incident is closed, and nothing is done to {new}. It was {was}"
                )
            }
            Self::IncidentClosed { actor, words } => {
                format!("{} closed the incident: {}", shown(actor), shown(words))
            }
            Self::AlertsEnded => "every alert of the rollback has ended".to_owned(),
            Self::EvidenceProblem { problems } => shown(problems),
            Self::Escalated { level, since, acknowledged_by } => {
                let minutes = (at - *since).num_minutes();
                let who = match acknowledged_by {
                    Some(actor) => format!("{} took note and has not ended it", shown(actor)),
                    None => "nobody has taken note".to_owned(),
                };
                format!("escalated to level {} after {minutes} minutes: {who}", level.0)
            }
            Self::ChannelFailed { channel, error, is_tried, .. } => {
                let next = if *is_tried { "it is still tried" } else { "it is not tried again" };
                format!("{channel} can't be told: {}; {next}", shown(error))
            }
            Self::PublicUpdateLate { channel, due_at } => {
                format!("{channel} has no public update yet, and it is due by {}", clock_time(*due_at))
            }
            Self::WatchdogLost { silent_seconds } => format!(
                "no Watchdog for {silent_seconds} s: missing data is not trusted; check Prometheus and Alertmanager"
            ),
            Self::WatchdogBack => {
                "the Watchdog is heard again, or no canary runs any more that needs it".to_owned()
            }
            Self::Ramp(fact) => fact.sentence(at),
        }
    }
}
