//! Label sets and the closed lists of their values.

use prometheus_client::encoding::EncodeLabelSet;

use crate::incident::{RolloutName, Verdict};

/// What became of a webhook request: a label's value, and `status` in the answer's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Something new is on disk, or the Watchdog was heard.
    Stored,
    Duplicate,
    /// No alert belonged to a rollout.
    Irrelevant,
    /// No alert that could be read belonged to a rollout, and one or more could not be read.
    Unreadable,
    /// Not version 4 JSON, broken off, or compressed in a way that can't be unpacked.
    BadRequest,
    Unauthorized,
    TooLarge,
    Unavailable,
}

impl WebhookOutcome {
    /// Every outcome, so that each is exported at zero from the start.
    pub const ALL: [Self; 8] = [
        Self::Stored,
        Self::Duplicate,
        Self::Irrelevant,
        Self::Unreadable,
        Self::BadRequest,
        Self::Unauthorized,
        Self::TooLarge,
        Self::Unavailable,
    ];

    /// The text used in metrics and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Irrelevant => "irrelevant",
            Self::Unreadable => "unreadable",
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What became of one alert in a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertOutcome {
    /// It belongs to a rollout and is decided about.
    Accepted,
    Irrelevant,
    /// Its status or its labels can't be read.
    Unreadable,
    /// It can be read, and is more than is accepted of one body.
    OverLimit,
}

impl AlertOutcome {
    /// Every outcome, so that each is exported at zero from the start.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Irrelevant, Self::Unreadable, Self::OverLimit];

    /// The text used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Irrelevant => "irrelevant",
            Self::Unreadable => "unreadable",
            Self::OverLimit => "over_limit",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRollout {
    pub(super) rollout: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RolloutReason {
    pub(super) rollout: String,
    pub(super) reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RolloutState {
    pub(super) rollout: String,
    pub(super) state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RolloutVerdict {
    pub(super) rollout: String,
    pub(super) verdict: String,
}

pub(super) fn of_verdict(rollout: &RolloutName, verdict: Verdict) -> RolloutVerdict {
    RolloutVerdict { rollout: rollout.to_string(), verdict: verdict.as_str().to_owned() }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Source {
    pub(super) source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Kind {
    pub(super) kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Cause {
    pub(super) cause: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SecretState {
    pub(super) state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfLoop {
    pub(super) r#loop: String,
}

/// From an alert's start to one thing that followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReactionStage {
    pub(super) rollout: String,
    pub(super) severity: String,
    pub(super) stage: String,
}

/// An exemplar.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfIncident {
    pub(super) incident: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfChannel {
    pub(super) channel: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ChannelOutcome {
    pub(super) channel: String,
    pub(super) outcome: String,
}
