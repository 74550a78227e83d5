//! Acts on the outside world: one trait per need, one adapter file per system.
//!
//! Every step is an absolute value that converges, so repeating one after a crash is harmless.

mod feature_flag;
mod traffic_off;

use async_trait::async_trait;

pub use feature_flag::FeatureFlag;
pub use traffic_off::{StepLimits, traffic_off};

use crate::incident::{Answer, Share};

/// Why a change was not acknowledged; the variants tell the caller what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Refused for good (a 4xx, a redirect): trying again at once would be refused again.
    #[error("refused: {}", .0.text)]
    Refused(Answer),
    /// Not carried out, and worth another try (not reachable, 429, 5xx).
    #[error("not carried out: {}", .0.text)]
    Retry(Answer),
    /// It may have been carried out: read before saying anything.
    #[error("outcome unknown: {}", .0.text)]
    Unknown(Answer),
}

impl ActError {
    /// What came back.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Refused(answer) | Self::Retry(answer) | Self::Unknown(answer) => answer,
        }
    }
}

/// Moves the traffic between stable and canary.
#[async_trait]
pub trait TrafficRouter: Send + Sync + std::fmt::Debug {
    /// The request that [`TrafficRouter::set_share`] sends, for evidence; free of secrets.
    fn describe_set(&self, share: Share) -> String;

    /// Sets the canary's share. Absolute and idempotent.
    ///
    /// # Errors
    /// See [`ActError`].
    async fn set_share(&self, share: Share) -> Result<Answer, ActError>;

    /// Whether the share can be read at all.
    fn can_read(&self) -> bool;

    /// Reads the canary's share.
    ///
    /// # Errors
    /// In words: why it is not known.
    async fn read_share(&self) -> Result<Share, String>;
}
