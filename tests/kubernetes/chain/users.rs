//! Users of a rollout: both versions with their metrics, and requests that go where the cluster leads them.

use std::net::SocketAddr;
use std::time::Duration;

use backstop::demo::trading_api::{Regression, TradingApi};
use backstop::incident::Observation;
use tokio::task::JoinSet;

use crate::rollouts::{Rollout, target};

/// Of all users together.
const REQUESTS_PER_SECOND: u32 = 800;

/// Ends when it is dropped.
pub(crate) struct Users {
    pub(crate) stable: SocketAddr,
    pub(crate) canary: SocketAddr,
    misbehaves: tokio::sync::watch::Sender<Regression>,
    _going: JoinSet<()>,
}

impl Users {
    /// Of a rollout that is observed by this kubeconfig.
    pub(crate) async fn of(rollout: &Rollout, kubeconfig: &std::path::Path) -> Self {
        let stable = TradingApi::start(0, 0).await.expect("started");
        let canary = TradingApi::start(100, 0).await.expect("started");
        let (misbehaves, mut how) = tokio::sync::watch::channel(Regression::default());
        let (of_stable, of_canary) = (stable.address(), canary.address());
        let target = target(kubeconfig, &rollout.workloads.namespace, rollout.router);
        let mut going = JoinSet::new();
        going.spawn(async move {
            let mut canary = Some(canary);
            loop {
                if how.has_changed().unwrap_or(false)
                    && let Some(canary) = &canary
                {
                    canary.inject(*how.borrow_and_update());
                }
                if let Ok(observed) = backstop::execution::Target::observe(&target).await {
                    go(&observed, &stable, &mut canary);
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Self { stable: of_stable, canary: of_canary, misbehaves, _going: going }
    }

    /// The canary misbehaves from now on.
    pub(crate) fn inject(&self, regression: Regression) {
        self.misbehaves.send_replace(regression);
    }
}

/// Requests follow the weights; a canary without pods shows no metrics either.
fn go(observed: &Observation, stable: &TradingApi, canary: &mut Option<TradingApi>) {
    let to_canary = REQUESTS_PER_SECOND * u32::from(observed.share.0) / 100;
    stable.set_requests_per_second(REQUESTS_PER_SECOND - to_canary);
    if observed.workloads.is_some_and(|pods| pods.canary.wanted == 0) {
        *canary = None;
    }
    if let Some(canary) = canary {
        canary.set_requests_per_second(to_canary);
    }
}
