//! Logs: one line an event, readable alone, with fields to filter by. Secrets have no way in: their
//! type can't be printed.

use std::error::Error;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::incident::{Event, StoredAs};

/// Starts logging to stderr: JSON for machines, plain text on a terminal. `RUST_LOG` filters.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (in tests) keeps the first logger.
    let _already_started = if std::io::stderr().is_terminal() {
        logger.with_target(false).try_init()
    } else {
        logger.json().flatten_event(true).try_init()
    };
}

/// An error with all its causes in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Logs a stored event. Notices that page are errors, so that they stand out without any channel.
pub fn stored(stored: &StoredAs) {
    let rollout = &stored.rollout;
    let incident = stored.incident.as_ref().map(tracing::field::display);
    let event = stored.event.name();
    match &stored.event {
        Event::NoticeRaised { kind, text } if kind.pages() => {
            tracing::error!(%rollout, incident, notice = kind.as_str(), "{text}");
        }
        Event::NoticeRaised { kind, text } => {
            tracing::info!(%rollout, incident, notice = kind.as_str(), "{text}")
        }
        Event::WatchdogLost { silent_seconds } => {
            tracing::error!(%rollout, silent_seconds, "no Watchdog: missing data is not trusted; check Prometheus and Alertmanager");
        }
        Event::ClockStepped { by_milliseconds } => {
            tracing::warn!(%rollout, incident, by_milliseconds, "the clock was set; deadlines moved with it");
        }
        Event::Failed { reason, detail, retry_at } => {
            let retry_at = retry_at.as_ref().map(tracing::field::display);
            tracing::error!(%rollout, incident, event, %reason, detail, retry_at, "rollback not achieved");
        }
        Event::Cancelled { reason }
        | Event::Declined { reason, .. }
        | Event::RollbackStarted { reason, .. } => {
            tracing::info!(%rollout, incident, event, %reason, "{event}");
        }
        Event::Confirmed { reason, answers } => {
            tracing::info!(%rollout, incident, event, %reason, answers = answers.join("; "), "{event}");
        }
        Event::AlertSeen { alert, .. } => {
            tracing::info!(%rollout, event, alert = alert.name(), status = ?alert.status, fingerprint = %alert.fingerprint, "{event}");
        }
        Event::StepEnded(step) => {
            let outcome = step.outcome;
            tracing::info!(%rollout, incident, event, step = step.step.as_str(), ?outcome, attempts = step.attempts.len(), "{event}");
        }
        Event::VerificationEnded(verification) => {
            tracing::info!(%rollout, incident, event, verdict = verification.verdict.as_str(), "{event}");
        }
        _ => tracing::info!(%rollout, incident, event, "{event}"),
    }
}
