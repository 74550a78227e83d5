//! The first lines: what happened, what was done, whether it is safe.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::times::{span, spoken, time_utc, times};
use crate::incident::{Alert, Incident, Phase, Reason, Share, Trigger, Verdict};

/// Whether people are safe, as far as was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safe {
    Yes,
    /// Nothing that was read says otherwise, and not everything that matters could be read.
    AsFarAsRead,
    No,
    /// Something that matters could not be read, or was not looked at.
    Unknown,
}

/// Three sentences or so, each of which may quote foreign text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub what_happened: String,
    pub what_was_done: String,
    pub safe: Safe,
    /// Why that is said.
    pub why_safe: String,
}

/// Such as `spark-trading v1.4.0: rolled back for CanaryErrorRateCritical`.
pub(super) fn title(incident: &Incident) -> String {
    let what = match &incident.phase {
        Phase::RolledBack => "rolled back",
        Phase::Failed { .. } => "NOT known to be rolled back",
        Phase::Opened | Phase::RollingBack { .. } | Phase::Verifying { .. } => "rolling back",
        Phase::Grace { .. } | Phase::Held(_) => "not decided",
        Phase::Cancelled { .. } | Phase::Declined { .. } => "no rollback",
        Phase::Superseded { .. } => "closed, because another revision is on canary",
        Phase::Closed { .. } => "closed by a person",
    };
    let cause = incident.cause();
    let why = match &cause.trigger {
        Trigger::Automatic => format!("for {}", cause.words),
        Trigger::Manual { actor } => format!("asked for by {actor}"),
    };
    format!("{} {}: {what}, {why}", incident.rollout, incident.revision())
}

impl Safe {
    /// The answer to the question.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Yes => "Yes.",
            Self::AsFarAsRead => "Yes, as far as could be read.",
            Self::No => "No.",
            Self::Unknown => "Not known.",
        }
    }
}

impl Summary {
    pub(super) fn of(incident: &Incident) -> Self {
        let (safe, why_safe) = safe(incident);
        Self { what_happened: happened(incident), what_was_done: done(incident), safe, why_safe }
    }
}

fn happened(incident: &Incident) -> String {
    let cause = incident.cause();
    let what = match &cause.trigger {
        Trigger::Manual { actor } => {
            format!("{actor} asked for a rollback at {}: {}", time_utc(cause.at), cause.words)
        }
        Trigger::Automatic => {
            let alert = cause.alert.as_ref().and_then(|alert| incident.alerts.find(alert));
            let since = incident.reaction().started_at;
            alert.map_or_else(|| cause.words.clone(), |attached| fired(&attached.alert, since))
        }
    };
    let share = match cause.share {
        Some(Share::ZERO) => "The canary had no traffic".to_owned(),
        Some(share) => format!("{share} of the traffic was on {}", incident.revision()),
        None => format!(
            "How much of the traffic was on {} could not be read when it was decided",
            incident.revision()
        ),
    };
    format!("{}. {share}.", what.trim_end_matches('.'))
}

fn fired(alert: &Alert, since: Option<DateTime<Utc>>) -> String {
    let annotation = |name: &str| alert.annotations.get(name).map(|text| text.trim());
    let words = annotation("description").or_else(|| annotation("summary")).unwrap_or_default();
    let since = since.map_or_else(String::new, |since| format!(" at {}", time_utc(since)));
    let limit = annotation("threshold").map_or_else(String::new, |limit| format!(" (limit {limit})"));
    let (name, severity) = (alert.name(), alert.severity().as_str());
    let words = words.trim_end_matches('.');
    if words.is_empty() {
        format!("{name} fired{since} ({severity}){limit}")
    } else {
        format!("{name} fired{since} ({severity}): {words}{limit}")
    }
}

fn done(incident: &Incident) -> String {
    let reaction = incident.reaction();
    let attempts = incident.notes.iter().filter(|note| note.event == "rollback_started").count();
    match (&incident.phase, reaction.rollback_started_at) {
        (Phase::RolledBack, _) => {
            let acknowledged = reaction.traffic_off_at.map_or_else(
                || "at a time that is not recorded".to_owned(),
                |at| format!("at {}", time_utc(at)),
            );
            let after = span(reaction.started_at, reaction.traffic_off_at);
            let after = after
                .map_or_else(String::new, |seconds| format!(", {} after the alert began", spoken(seconds)));
            let read =
                reaction.read_off_at.map(|at| format!("; it was read back as off at {}", time_utc(at)));
            format!("The canary's traffic was set to 0 % {acknowledged}{after}{}.", read.unwrap_or_default())
        }
        (_, Some(_)) => {
            let last = incident.steps.last().map(crate::incident::StepRecord::sentence);
            let last = last.unwrap_or_else(|| "no step has ended".to_owned());
            let times = times(attempts);
            let ended = match &incident.phase {
                Phase::Closed { actor, words } => format!(" {actor} closed it: {words}"),
                Phase::Superseded { by } => {
                    format!(" Then {by} came on canary, and nothing more was done.")
                }
                _ => String::new(),
            };
            format!("A rollback was begun {times}. The last step: {last}.{ended}")
        }
        (Phase::Cancelled { reason } | Phase::Declined { reason }, None) => {
            format!("Nothing was changed. {}", reason.meaning())
        }
        (Phase::Superseded { by }, None) => {
            format!("Nothing was changed: {by} came on canary, and it was about {}.", incident.revision())
        }
        (Phase::Closed { actor, words }, None) => {
            format!("Nothing was changed: {actor} closed it: {words}")
        }
        (_, None) => format!("Nothing was changed yet: {}.", incident.phase.sentence()),
    }
}

fn safe(incident: &Incident) -> (Safe, String) {
    let said = |safe, why: &str| (safe, why.to_owned());
    match &incident.phase {
        Phase::RolledBack => safe_after_rollback(incident),
        Phase::Failed { .. } => said(
            Safe::No,
            "The traffic was not read back as off the canary, which may still have it: look at it now.",
        ),
        Phase::Opened | Phase::RollingBack { .. } | Phase::Verifying { .. } => {
            said(Safe::Unknown, "The rollback has not ended.")
        }
        Phase::Grace { .. } | Phase::Held(_) => {
            said(Safe::Unknown, "Nothing is decided yet, and the canary keeps its traffic.")
        }
        Phase::Cancelled { reason: Reason::NoCanary } | Phase::Declined { reason: Reason::NoCanary } => {
            said(Safe::Yes, "The canary was read to have no traffic.")
        }
        Phase::Cancelled { reason: Reason::ResolvedConfirmed } => {
            said(Safe::Yes, "The alerts were asked for, and were gone.")
        }
        Phase::Cancelled { .. } => said(
            Safe::AsFarAsRead,
            "The alerts resolved by message, and nobody confirmed that they were gone.",
        ),
        Phase::Declined { .. } => said(Safe::Unknown, "Nothing was done, and the canary keeps its traffic."),
        Phase::Superseded { .. } => said(
            Safe::Unknown,
            "Another revision was on canary by then; nothing was done to it, and nothing was looked at.",
        ),
        Phase::Closed { .. } => said(
            Safe::Unknown,
            "A person closed it; what they saw stands in their words, and Backstop looked at nothing after that.",
        ),
    }
}

fn safe_after_rollback(incident: &Incident) -> (Safe, String) {
    let verdict = incident.verification.as_ref().map(|ended| ended.verdict);
    let off = "The traffic was read back as off the canary";
    match verdict {
        Some(Verdict::Verified) => {
            (Safe::Yes, format!("{off}, and everything that is configured was read and was as it should be."))
        }
        Some(Verdict::NotVerified) => {
            (Safe::Unknown, format!("{off}, but something else that was read was wrong: see Verification."))
        }
        Some(Verdict::Inconclusive) | None => {
            (Safe::AsFarAsRead, format!("{off}; not everything else that matters could be read."))
        }
    }
}
