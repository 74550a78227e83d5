//! Everything that ever was in the cluster, in the order in which it was: what no sample could miss.
//!
//! All kinds are stored in one etcd, which numbers its changes through. So the events of several watches,
//! sorted by their `resourceVersion`, are the cluster's true history, and between two neighbours nothing
//! else was ever so. `judge` replays it.

mod judge;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use tokio::task::JoinHandle;

use crate::controlplane::{shared, wait_for};

pub(crate) use judge::{Judged, State};

/// What a rollback changes, and what a proxy goes by.
const KINDS: [(&str, &str, &str); 4] = [
    ("apps", "v1", "Deployment"),
    ("discovery.k8s.io", "v1", "EndpointSlice"),
    ("networking.k8s.io", "v1", "Ingress"),
    ("gateway.networking.k8s.io", "v1", "HTTPRoute"),
];

/// An object as it was from this version on.
#[derive(Clone)]
struct Change {
    version: u64,
    kind: &'static str,
    object: DynamicObject,
    is_gone: bool,
}

#[derive(Default)]
struct Recorded {
    changes: Vec<Change>,
    /// By kind, namespace and name.
    latest: BTreeMap<(&'static str, String, String), u64>,
}

impl Recorded {
    fn add(&mut self, kind: &'static str, object: DynamicObject, is_gone: bool) {
        let version = version(object.metadata.resource_version.as_deref());
        self.latest.insert(key(kind, &object), version);
        self.changes.push(Change { version, kind, object, is_gone });
    }
}

/// What happens in the whole cluster from its beginning on, until it is dropped.
pub(crate) struct History {
    client: Client,
    recorded: Arc<Mutex<Recorded>>,
    /// From this version on every change is there.
    begins_at: u64,
    watches: Vec<JoinHandle<()>>,
}

impl Drop for History {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

impl History {
    /// Begins now. What is to be judged has to be there already.
    #[expect(
        clippy::disallowed_methods,
        reason = "whether they have ended is asked before anything is judged"
    )]
    pub(crate) async fn begin() -> Self {
        let client = shared().await.client().await;
        let recorded = Arc::<Mutex<Recorded>>::default();
        let (mut begins_at, mut watches) = (0, Vec::new());
        for (_, _, kind) in KINDS {
            let api = api(&client, kind);
            let listed = api.list(&ListParams::default()).await.expect("a list");
            let from = listed.metadata.resource_version.expect("a version");
            begins_at = begins_at.max(version(Some(&from)));
            listed.items.into_iter().for_each(|object| locked(&recorded).add(kind, object, false));
            watches.push(tokio::spawn(watch(api, kind, from, Arc::clone(&recorded))));
        }
        Self { client, recorded, begins_at, watches }
    }

    /// What was so in these namespaces until now, judged.
    pub(crate) async fn judged(&self, namespaces: &[&str]) -> BTreeMap<String, Judged> {
        self.is_complete().await;
        let mut changes = locked(&self.recorded).changes.clone();
        changes.sort_by_key(|change| change.version);
        let judge = |namespace: &&str| {
            let of_it = changes
                .iter()
                .filter(|change| change.object.metadata.namespace.as_deref() == Some(namespace));
            ((*namespace).to_owned(), judge::judge(of_it, self.begins_at))
        };
        namespaces.iter().map(judge).collect()
    }

    /// Waits until each watch has told of what is so by now: they run one behind the other.
    async fn is_complete(&self) {
        assert!(self.watches.iter().all(|watch| !watch.is_finished()), "a watch has ended: there is a gap");
        for (_, _, kind) in KINDS {
            let listed = api(&self.client, kind).list(&ListParams::default()).await.expect("a list");
            wait_for("the watches to catch up", || async {
                let recorded = locked(&self.recorded);
                let is_known = |object: &DynamicObject| {
                    let known = recorded.latest.get(&key(kind, object));
                    known.is_some_and(|known| *known >= version(object.metadata.resource_version.as_deref()))
                };
                listed.items.iter().all(is_known).then_some(())
            })
            .await;
        }
    }
}

fn locked(recorded: &Mutex<Recorded>) -> MutexGuard<'_, Recorded> {
    recorded.lock().unwrap_or_else(PoisonError::into_inner)
}

fn api(client: &Client, kind: &'static str) -> Api<DynamicObject> {
    let (group, version, kind) = KINDS.into_iter().find(|known| known.2 == kind).expect("one of them");
    Api::all_with(client.clone(), &ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)))
}

fn version(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).expect("a version")
}

fn key(kind: &'static str, object: &DynamicObject) -> (&'static str, String, String) {
    let metadata = &object.metadata;
    (kind, metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// Records what a watch tells. One that breaks off goes on where it was, so that nothing is missed.
async fn watch(api: Api<DynamicObject>, kind: &'static str, from: String, recorded: Arc<Mutex<Recorded>>) {
    let mut from = from;
    loop {
        // It may break off: an API server that is busy does so.
        let _broken_off = tell(&api, kind, &mut from, &recorded).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn tell(
    api: &Api<DynamicObject>,
    kind: &'static str,
    from: &mut String,
    recorded: &Mutex<Recorded>,
) -> kube::Result<()> {
    let mut events = std::pin::pin!(api.watch(&WatchParams::default(), from).await?);
    while let Some(event) = events.try_next().await? {
        let (object, is_gone) = match event {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            WatchEvent::Bookmark(bookmark) => {
                from.clone_from(&bookmark.metadata.resource_version);
                continue;
            }
            WatchEvent::Error(status) => panic!("there is a gap in the history of {kind}: {status:?}"),
        };
        from.clone_from(object.metadata.resource_version.as_ref().expect("a version"));
        let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.add(kind, object, is_gone);
    }
    Ok(())
}
