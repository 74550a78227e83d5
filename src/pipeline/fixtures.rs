//! What the tests of this room share: a rollout over a flag that they steer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::Rollout;
use crate::decision::world::armed_policy;
use crate::execution::{ActError, ReadError, StepLimits, TrafficRouter};
use crate::incident::{Answer, RolloutName, Share};
use crate::outbound::Outbound;
use crate::verification::{Application, Verifier};

pub(super) fn name() -> RolloutName {
    RolloutName::new("spark-trading")
}

/// A flag that nobody sets.
#[derive(Debug)]
pub(super) struct Flag {
    /// `None`: there is no place to read it.
    share: Option<Share>,
    /// While it hangs, no reading is answered.
    pub(super) hangs: watch::Sender<bool>,
    pub(super) reads: AtomicUsize,
}

impl Flag {
    pub(super) fn new(share: Option<Share>) -> Arc<Self> {
        Arc::new(Self { share, hangs: watch::channel(false).0, reads: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl TrafficRouter for Flag {
    fn describe_set(&self, _: Share) -> String {
        String::new()
    }

    async fn set_share(&self, _: Share) -> Result<Answer, ActError> {
        unreachable!("nobody works here")
    }

    fn can_read(&self) -> bool {
        self.share.is_some()
    }

    async fn read_share(&self) -> Result<Share, ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        drop(self.hangs.subscribe().wait_for(|hangs| !hangs).await);
        self.share.ok_or(ReadError::NotConfigured)
    }
}

pub(super) fn rollout(flag: Arc<Flag>) -> Rollout {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let outbound = Outbound::new(Duration::from_secs(1), None).expect("a client");
    let router: Arc<dyn TrafficRouter> = flag;
    let application = Application::new(outbound, None, None);
    Rollout {
        name: name(),
        policy: armed_policy(),
        router: Arc::clone(&router),
        verifier: Verifier { router, application, prometheus: None },
        step_limits: StepLimits::default(),
        verify_interval: Duration::from_secs(1),
    }
}
