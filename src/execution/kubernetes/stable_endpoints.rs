//! How many endpoints of the stable version are ready, for a change that waits for the answer.
//!
//! A list of EndpointSlices is answered from the API server's cache once that is as new as etcd (KEP-2340), for
//! which it waited up to a tenth of a second here. One slice by its name is read from etcd at once. So those that
//! the last list had are asked for first: what they have ready is never more than there is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::KubernetesTarget;
use super::error::CallError;
use super::object::{ENDPOINT_SLICE, Object};
use super::pods;

/// Beyond so many one list is less work for the API server. A slice holds a hundred endpoints by default, and a
/// Service of both families has one of each.
const MOST_BY_NAME: usize = 4;

/// An answer that takes longer saves nothing: then the list is asked for.
pub(super) const BY_NAME_WITHIN: Duration = Duration::from_millis(250);

/// On each slice, by whoever makes slices for a Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The names of the slices that the last list had.
#[derive(Debug, Default)]
pub(super) struct KnownSlices(Mutex<Vec<String>>);

impl KnownSlices {
    fn keep(&self, slices: &[EndpointSlice]) {
        let names = slices.iter().filter_map(|slice| slice.metadata.name.clone()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl KubernetesTarget {
    /// All slices of the stable version's Service.
    pub(super) async fn stable_slices(&self) -> Result<Vec<EndpointSlice>, CallError> {
        let slices = self.endpoints(&self.stable_service).await?;
        self.known_slices.keep(&slices);
        Ok(slices)
    }

    /// The stable version's ready endpoints. A number below `needed` is all of them; from there on it may be
    /// fewer than there are.
    pub(super) async fn ready_endpoints(&self, needed: u16) -> Result<u16, CallError> {
        let by_name = tokio::time::timeout(BY_NAME_WITHIN, self.ready_by_name()).await;
        if let Ok(Some(ready)) = by_name
            && ready >= needed
        {
            return Ok(ready);
        }
        self.stable_slices().await.map(|slices| pods::ready_endpoints(&slices))
    }

    /// `None`: the list has to be asked, which also says what is wrong.
    async fn ready_by_name(&self) -> Option<u16> {
        let names = self.known_slices.names();
        if names.is_empty() || names.len() > MOST_BY_NAME {
            return None;
        }
        let slices: Vec<_> =
            names.iter().map(|name| Object::new(ENDPOINT_SLICE, &self.stable.namespace, name)).collect();
        let read = slices.iter().map(|slice| self.caller.get::<EndpointSlice>(slice, None));
        let slices = try_join_all(read).await.ok()?;
        slices.iter().all(|slice| self.is_of_stable(slice)).then(|| pods::ready_endpoints(&slices))
    }

    /// Whoever deletes a slice may give its name to one of another Service.
    fn is_of_stable(&self, slice: &EndpointSlice) -> bool {
        let service =
            slice.metadata.labels.as_ref().and_then(|labels: &BTreeMap<_, _>| labels.get(SERVICE_LABEL));
        service == Some(&self.stable_service)
    }
}
