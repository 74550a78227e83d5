//! Plays the gateways: each form of a route is taken over a moment after it was written.

use std::time::Duration;

use futures_util::TryStreamExt;
use kube::Api;
use kube::api::{DynamicObject, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

use crate::rollouts::{Rollout, accept};
use crate::workloads::Workloads;

/// Takes routes over until it is dropped.
pub(crate) struct Gateway(JoinHandle<()>);

impl Drop for Gateway {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Gateway {
    /// Takes over the routes of these rollouts.
    #[expect(clippy::disallowed_methods, reason = "a test whose gateway died waits in vain, and fails")]
    pub(crate) fn of<'a>(rollouts: impl IntoIterator<Item = &'a Rollout>) -> Self {
        let all: Vec<_> = rollouts.into_iter().map(|rollout| rollout.workloads.clone()).collect();
        Self(tokio::spawn(async move {
            let Some(client) = all.first().map(|workloads| workloads.client.clone()) else { return };
            let api = Api::all_with(client, &Rollout::kind());
            loop {
                // A watch breaks off at times. A new one begins with all that is there.
                let _broken_off = take_over(&api, &all).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }))
    }
}

async fn take_over(api: &Api<DynamicObject>, all: &[Workloads]) -> kube::Result<()> {
    let mut events = std::pin::pin!(api.watch(&WatchParams::default(), "0").await?);
    while let Some(event) = events.try_next().await? {
        let (WatchEvent::Added(route) | WatchEvent::Modified(route)) = event else { continue };
        let namespace = route.metadata.namespace.as_deref();
        let Some(workloads) = all.iter().find(|one| Some(one.namespace.as_str()) == namespace) else {
            continue;
        };
        let seen = &route.data["status"]["parents"][0]["conditions"][0]["observedGeneration"];
        if seen.as_i64() != route.metadata.generation {
            // Somebody may have written it meanwhile: then it is told of again.
            let routes =
                Api::namespaced_with(workloads.client.clone(), &workloads.namespace, &Rollout::kind());
            let _taken_over = accept(&routes, &route).await;
        }
    }
    Ok(())
}
