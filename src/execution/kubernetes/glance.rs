//! Three reads instead of an observation's five and more, for a critical alert whose rollback is decided by the
//! last poll: each of the others would only take processor time from them.
//!
//! Only who is ready is read from etcd. The other two may be as old as the API server's cache: a change of a
//! router's object that is another by now is refused, and of a canary that is another by now the last poll did
//! not know either.

use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use tokio::time::Instant;

use super::error::CallError;
use super::{KubernetesTarget, revision};
use crate::execution::{Glance, ReadError};

impl KubernetesTarget {
    /// What the change of traffic then depends on is kept for it.
    pub(super) async fn at_a_glance(&self) -> Result<Glance, ReadError> {
        let asked_at = Instant::now();
        let (object, canary, ready) = tokio::join!(
            self.caller.get_cached::<Value>(self.router.object()),
            self.caller.get_cached::<Deployment>(&self.canary),
            self.ready_endpoints(1),
        );
        let object = object.map_err(CallError::of_an_observation)?;
        let canary = canary.map_err(CallError::of_an_observation)?;
        let ready = ready.map_err(CallError::of_an_observation)?;
        self.seen_router_object(&object);
        self.events.seen(&self.canary, canary.metadata.uid.as_deref());
        let route = self.router.route(&object).map_err(ReadError::NotUnderstood)?;
        self.just_read.keep(asked_at, object, ready);
        Ok(Glance { share: route.share, revision: revision::revision(&canary, &self.revision) })
    }
}
