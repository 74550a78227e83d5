//! The words for people of everything that has a name for machines.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Answer, Attempt, CheckName, CheckOutcome, NewNeed, NotedBefore, OWN_MANAGER, Observation, Phase, Pods,
    Share, Step, StepOutcome, StepRecord, Verdict,
};
use crate::text::shown;

/// A time as people are shown it: RFC 3339, UTC, to the second.
#[must_use]
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Step {
    /// What it does, such as `take the traffic off the canary`.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::TrafficOff | Self::Shift { share: Share::ZERO, .. } => {
                "take the traffic off the canary".to_owned()
            }
            Self::Shift { share, .. } => format!("lower the canary's share of the traffic to {share}"),
            Self::StableUp { replicas } => format!("raise the stable version to {replicas} replicas"),
            Self::CanaryDown { .. } => "scale the canary to 0 replicas".to_owned(),
            Self::CanaryUp { replicas } => format!("raise the canary to {replicas} replicas"),
            Self::SetShare { share, .. } => format!("set the canary's share of the traffic to {share}"),
            Self::StableDown { .. } => "scale the stable version to 0 replicas".to_owned(),
            Self::StopOwner => "tell the controller that owns the rollout to stop it".to_owned(),
        }
    }
}

impl Observation {
    /// What was seen, such as `25 %; stable 1 of 3 ready, canary 3 of 3 ready`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = self.share.to_string();
        if self.is_only_version() {
            words.push_str(", but the canary is the only version that is asked for");
        }
        if !self.bypasses.is_empty() {
            words.push_str(&format!(", and by rule: {}", shown(&self.bypasses.join(", "))));
        }
        if let Some(lags) = &self.not_in_effect {
            words.push_str(&format!(", {}", shown(lags)));
        }
        if let Some(known) = &self.workloads {
            words.push_str(&format!("; stable {}, canary {}", known.stable.words(), known.canary.words()));
        }
        words
    }
}

impl Observation {
    /// Who else changed the objects last, to follow a sentence; empty where nobody is known.
    #[must_use]
    pub fn changed_by_others(&self) -> String {
        let others = self.changes.iter().filter(|change| change.manager != OWN_MANAGER);
        let named: Vec<_> =
            others.map(|change| format!("{} by {}", shown(&change.object), shown(&change.manager))).collect();
        if named.is_empty() { String::new() } else { format!("; last changed: {}", named.join(", ")) }
    }
}

impl Pods {
    fn words(self) -> String {
        format!("{} of {} ready", self.ready_endpoints, self.wanted)
    }
}

impl Answer {
    /// The status and what it said, such as `status 403: {"error":"no"}`: an empty body would say
    /// nothing of why, and a body alone not whether it was a refusal. Foreign text.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.status, self.text.trim()) {
            (Some(status), "") => format!("status {status}"),
            (Some(status), text) => format!("status {status}: {text}"),
            (None, "") => "no answer".to_owned(),
            (None, text) => text.to_owned(),
        }
    }
}

impl Attempt {
    /// How it came out, to follow the step's words.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self.outcome {
            StepOutcome::DoneUnread if self.read_failed => {
                "acknowledged, but NOT confirmed: it could not be read back"
            }
            outcome => outcome.words(),
        }
    }
}

impl StepOutcome {
    fn words(self) -> &'static str {
        match self {
            Self::Done => "done, and read back as wanted",
            Self::DoneUnread => "acknowledged; there is nowhere to read it back",
            Self::NotEffective => "acknowledged, but what was read back says otherwise",
            Self::Failed => "not carried out",
            Self::Unknown => "sent, and no answer came; it may have been carried out",
            Self::NotNow => "not sent: what it depended on held no longer",
        }
    }
}

impl StepRecord {
    /// The step in a sentence, such as `take the traffic off the canary: done, and read back as wanted
    /// (1 attempt)`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let attempts = match self.attempts.len() {
            1 => "1 attempt".to_owned(),
            many => format!("{many} attempts"),
        };
        let before = match self.share_before {
            Some(Share::ZERO) => "; the canary had no traffic any more when this began",
            Some(_) | None => "",
        };
        let late = self.begun_late_by().map_or_else(String::new, |late| {
            format!(
                "; it began {} s after it was decided on: what an earlier process may have sent before it ended is not listed here, and may have taken the traffic off",
                late.num_seconds()
            )
        });
        // The last attempt says more than the step's outcome does, which is that attempt's.
        let last = self.attempts.last().filter(|last| last.outcome == self.outcome);
        let outcome = last.map_or_else(|| self.outcome.words(), Attempt::words);
        format!("{}: {outcome} ({attempts}){before}{late}", self.step.words())
    }
}

impl NewNeed {
    /// What happened, such as `attempt 1 failed`.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Failed(attempt) => format!("attempt {attempt} failed"),
            Self::Escalated(level) => format!("level {} was told", level.0),
        }
    }
}

impl NotedBefore {
    /// Such as `zoe took note, before attempt 1 failed`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} took note, before {}", shown(&self.actor), self.need.words())
    }
}

impl CheckName {
    /// What is looked at, to be followed by [`CheckOutcome::words`].
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::TrafficShare => "the canary's share of the traffic",
            Self::StablePods => "the stable version's pods",
            Self::StableVersion => "the version that answers",
            Self::AlertExpression => "the alerts' own expressions",
            Self::CanaryRequests => "the canary's own count of requests",
            Self::Metrics => "the application's metrics",
        }
    }
}

impl CheckOutcome {
    /// How it came out, to follow what is looked at.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Pass => "as it should be",
            Self::Fail => "WRONG",
            Self::Unknown => "not known",
            Self::NotConfigured => "not configured",
            Self::Gone => "nothing is left to measure",
        }
    }
}

impl Verdict {
    /// The verdict in a sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Verified => "everything that is configured was read and is as it should be",
            Self::NotVerified => "something that was read is wrong",
            Self::Inconclusive => "nothing that was read is wrong, but not all that matters could be read",
        }
    }
}

impl Phase {
    /// Where the incident stands, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Opened => "opened a moment ago".to_owned(),
            Self::Grace { .. } => "waiting for the end of the grace".to_owned(),
            Self::Held(hold) => {
                format!("held by {} until {}", shown(&hold.actor), time(hold.until))
            }
            Self::RollingBack { attempt: 1, .. } => "rolling back".to_owned(),
            Self::RollingBack { attempt, .. } => format!("rolling back, attempt {attempt}"),
            Self::Verifying { until, .. } => {
                format!("verifying until {} at the latest that the traffic is off", time(*until))
            }
            Self::RolledBack => "rolled back: the traffic was read back as off the canary".to_owned(),
            Self::Cancelled { reason } => format!("ended without a rollback: {}", reason.meaning()),
            Self::Declined { reason } => format!("nothing was done: {}", reason.meaning()),
            Self::Failed { reason, retry_at: Some(retry_at), .. } => {
                format!("NOT rolled back: {} It is tried again at {}", reason.meaning(), time(*retry_at))
            }
            Self::Failed { reason, retry_at: None, .. } => {
                format!("NOT known to be rolled back: {} It waits for a person", reason.meaning())
            }
            Self::Superseded { by } => {
                format!("closed: {} is on canary now, and nothing is done to it", shown(by.as_str()))
            }
            Self::Closed { actor, words } => format!("closed by {}: {}", shown(actor), shown(words)),
        }
    }
}
