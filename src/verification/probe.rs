//! What looks at one thing after a rollback, and what it is told.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use crate::execution::ReadError;
use crate::incident::{Alert, Check, CheckName, CheckOutcome, Observation, Pods};

/// Looks at one thing of the world after a rollback. It is asked again every round, remembers nothing
/// of the last one, and so does the same after a restart.
#[async_trait]
pub trait Probe: Send + Sync + std::fmt::Debug {
    /// Under which name its check is recorded.
    fn name(&self) -> CheckName;

    /// Whether the canary may still have the traffic where this is wrong. Then the rollback has failed,
    /// and nobody waits for the end of the window. What isn't essential can make a verdict bad, but never
    /// makes a rollback be done again: that could only strike the next canary.
    fn is_essential(&self) -> bool {
        false
    }

    /// Looks now. What can't be read is [`CheckOutcome::Unknown`], and never a pass.
    async fn read(&self, round: &Round<'_>) -> Seen;
}

/// What came of one look, which may be that nothing could be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub outcome: CheckOutcome,
    /// In words and numbers; foreign text in it is bounded.
    pub detail: String,
}

impl Seen {
    /// As it should be.
    #[must_use]
    pub fn pass(detail: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Pass, detail: detail.into() }
    }

    /// Read, and wrong.
    #[must_use]
    pub fn fail(detail: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Fail, detail: detail.into() }
    }

    /// Could not be read, or says too little.
    #[must_use]
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Unknown, detail: detail.into() }
    }

    /// Left out, and named: there is nothing to ask.
    #[must_use]
    pub fn left_out(detail: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::NotConfigured, detail: detail.into() }
    }
}

/// What a round makes of what a probe saw: the check as it is recorded, and how much rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    /// See [`Probe::is_essential`].
    pub is_essential: bool,
}

/// The rollback that is verified, as whoever carries it out knows it.
#[async_trait]
pub trait Subject: Send + Sync + std::fmt::Debug {
    /// The incident's alerts as they are now. `None`: nobody waits for a verdict any more, because what
    /// was rolled back was undone, superseded or closed.
    fn alerts(&self) -> Option<Vec<Alert>>;

    /// Observes what the rollback acted upon.
    ///
    /// # Errors
    /// See [`ReadError`].
    async fn observe(&self) -> Result<Observation, ReadError>;
}

/// Why it is no wonder that nothing is measured of the canary any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CanaryEnd {
    /// Its target says that it has no pods.
    NoPods,
    /// Its own counter says that no request reaches it.
    NoRequests,
}

impl CanaryEnd {
    /// What the canary has no more.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NoPods => "has no pods any more",
            Self::NoRequests => "gets no requests any more",
        }
    }
}

/// One look at everything: what several probes need is read once in it.
#[derive(Debug)]
pub struct Round<'a> {
    subject: &'a dyn Subject,
    observed: OnceCell<Result<Observation, ReadError>>,
    /// What the canary's own counter says, which two probes ask for.
    pub(super) canary_requests: OnceCell<Seen>,
    /// The incident's alerts as the round began.
    pub alerts: &'a [Alert],
    /// For how long the traffic has been off the canary, by the clock that nobody sets.
    pub off_for: Duration,
}

impl<'a> Round<'a> {
    /// A round that has read nothing yet.
    #[must_use]
    pub fn new(subject: &'a dyn Subject, alerts: &'a [Alert], off_for: Duration) -> Self {
        Self { subject, observed: OnceCell::new(), canary_requests: OnceCell::new(), alerts, off_for }
    }

    /// What was rolled back, as it is in this round: observed once, however many probes ask.
    pub async fn observed(&self) -> &Result<Observation, ReadError> {
        self.observed.get_or_init(|| self.subject.observe()).await
    }

    /// Whether the target says that the canary has no pods, wanted or serving. Where it says nothing of pods
    /// they may be there.
    pub async fn canary_is_gone(&self) -> bool {
        let gone = Pods { wanted: 0, available: 0, ready_endpoints: 0 };
        let observed = self.observed().await.as_ref().ok();
        observed.and_then(|observed| observed.workloads).is_some_and(|workloads| workloads.canary == gone)
    }
}
