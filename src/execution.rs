//! Acts on the outside world: one trait per need, one adapter file per system.
//!
//! Every step is an absolute value that converges, so repeating one after a crash is harmless.

mod feature_flag;
mod kubernetes;
mod lane;
mod step;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use feature_flag::{FeatureFlag, ReadRequest, SetRequest, read_share};
#[cfg(feature = "demo")]
pub(crate) use kubernetes::client_words;
pub use kubernetes::{
    Cluster, Clusters, Inspection, KubernetesTarget, Need, Right, inspect, longest_try, rights,
};
pub use lane::{Lane, Permit, Reach};
pub use step::{StepLimits, run_step};

use crate::incident::{Answer, Observation, Revision, Share, Step};
use crate::outbound::OutboundError;

/// Why a change was not acknowledged; each variant says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Refused for good (a 4xx, a redirect): trying again at once would be refused again.
    #[error("refused: {}", .0.words())]
    Refused(Answer),
    /// Not carried out, and worth another try (not reachable, 429, 5xx).
    #[error("not carried out: {}", .answer.words())]
    Retry {
        answer: Answer,
        /// By its `Retry-After` header.
        after: Option<Duration>,
    },
    /// It may have been carried out: read before saying anything.
    #[error("outcome unknown: {}", .0.words())]
    Unknown(Answer),
    /// Not sent: what the step depends on holds no longer. Observe, and decide again.
    #[error("not now: {}", .0.words())]
    NotNow(Answer),
}

impl ActError {
    /// The answer, or the error in words where none came.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Refused(answer)
            | Self::Retry { answer, .. }
            | Self::Unknown(answer)
            | Self::NotNow(answer) => answer,
        }
    }

    /// `None`: it asks for no pause, so the caller's own counts.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, .. } => *after,
            Self::Refused(_) | Self::Unknown(_) | Self::NotNow(_) => None,
        }
    }
}

/// Why the share is not known; each variant says what the caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Asking again will not help before a person configures a place.
    #[error("no read_url is configured")]
    NotConfigured,
    /// No whole answer: worth another try.
    #[error("{0}")]
    NoAnswer(OutboundError),
    /// The API answered that it will not or can't say.
    #[error("status {status}: {text}")]
    Refused {
        /// HTTP status, not 2xx.
        status: u16,
        /// The answer's beginning, free of secrets.
        text: String,
    },
    /// An answer that says no share: another API, or a wrong `read_pointer` or `scale`.
    #[error("{0}")]
    NotUnderstood(String),
}

/// What a rollout's rollback acts upon: whatever moves its traffic, and its workloads where they are known.
///
/// A new one is one adapter here and one kind in the configuration. Who has one can change the rollout, so
/// it is given to its [`Lane`] and to nobody else; others get an [`Observer`].
#[async_trait]
pub trait Target: Send + Sync + std::fmt::Debug {
    /// What [`Target::apply`] sends for this step, for evidence; free of secrets.
    fn describe(&self, step: Step) -> String;

    /// Carries the step out, or finds it carried out. It checks the step's own conditions itself, as
    /// late as it can: what was observed before may have changed.
    ///
    /// # Errors
    /// See [`ActError`].
    async fn apply(&self, step: Step) -> Result<Answer, ActError>;

    /// Whether there is a place to observe it.
    fn can_observe(&self) -> bool;

    /// Reads how things stand from the system itself, never from what was last sent to it.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn observe(&self) -> Result<Observation, ReadError>;

    /// Reads no more than what a change of traffic depends on, where that is less than an observation; `None`:
    /// it isn't.
    async fn glance(&self) -> Option<Result<Glance, ReadError>> {
        None
    }
}

/// What is seen at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    pub share: Share,
    /// The version on canary, where the target says one.
    pub revision: Option<Revision>,
}

/// A target for those who look and don't act: verification, the watcher, decisions.
#[derive(Debug, Clone)]
pub struct Observer(Arc<dyn Target>);

impl Observer {
    /// Of this target.
    #[must_use]
    pub fn new(target: Arc<dyn Target>) -> Self {
        Self(target)
    }

    /// See [`Target::can_observe`].
    #[must_use]
    pub fn can_observe(&self) -> bool {
        self.0.can_observe()
    }

    /// See [`Target::observe`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn observe(&self) -> Result<Observation, ReadError> {
        self.0.observe().await
    }

    /// See [`Target::glance`]; one that fails is none.
    pub async fn glance(&self) -> Option<Glance> {
        self.0.glance().await?.ok()
    }
}
