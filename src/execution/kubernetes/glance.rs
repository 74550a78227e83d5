//! Three reads instead of an observation's five and more, for a critical alert whose rollback is decided by the
//! last poll: each of the others would only take processor time from them.
//!
//! Only who is ready is read from etcd. The other two come from the API server's memory, which is no older than
//! what was read before, and as a rule milliseconds behind: a change of a router's object that is another by now
//! is refused, and before the canary's pods go down it is read from etcd.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::apps::v1::Deployment;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::error::CallError;
use super::object::Object;
use super::{KubernetesTarget, revision};
use crate::execution::{Glance, ReadError};

/// The version of an object that was read last, unless it was changed by us since.
#[derive(Debug, Default)]
pub(super) struct LastVersion(Mutex<Option<String>>);

impl LastVersion {
    pub(super) fn keep(&self, version: Option<&str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = version.map(str::to_owned);
    }

    /// From here on only etcd knows what was read or done.
    pub(super) fn forget(&self) {
        self.keep(None);
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl KubernetesTarget {
    /// What the change of traffic then depends on is kept for it.
    pub(super) async fn at_a_glance(&self) -> Result<Glance, ReadError> {
        let asked_at = Instant::now();
        // What takes longest first.
        let (ready, object, canary) = tokio::join!(
            self.ready_endpoints(1),
            self.no_older::<Value>(self.router.object(), &self.router_version),
            self.no_older::<Deployment>(&self.canary, &self.canary_version),
        );
        let object = object.map_err(CallError::of_an_observation)?;
        let canary = canary.map_err(CallError::of_an_observation)?;
        let ready = ready.map_err(CallError::of_an_observation)?;
        self.events.seen(self.router.object(), object["metadata"]["uid"].as_str());
        self.events.seen(&self.canary, canary.metadata.uid.as_deref());
        let route = self.router.route(&object).map_err(ReadError::NotUnderstood)?;
        self.just_read.keep(asked_at, object, ready);
        Ok(Glance { share: route.share, revision: revision::revision(&canary, &self.revision) })
    }

    async fn no_older<T: DeserializeOwned>(
        &self,
        object: &Object,
        than: &LastVersion,
    ) -> Result<T, CallError> {
        match than.get() {
            Some(version) => self.caller.get_since(object, &version).await,
            None => self.caller.get(object, None).await,
        }
    }
}
