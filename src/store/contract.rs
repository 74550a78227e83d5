//! What every store has to keep to, run against each.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Batch, IncidentFilter, IncidentStore, Loaded, MemoryStore, StoreError};
use crate::incident::fixtures::opened_by_warning;
use crate::incident::{BlobRef, Event, GraceCause, IncidentId, Reason, RolloutName, SnapshotPoint, StoredAs};

pub(super) fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00.123456789Z".parse().expect("a time")
}

pub(super) fn rollout() -> RolloutName {
    RolloutName::new("spark-trading")
}

pub(super) fn id(number: u16) -> IncidentId {
    IncidentId::compose(&rollout(), start(), number)
}

pub(super) fn stored(incident: Option<u16>, at: DateTime<Utc>, event: Event) -> StoredAs {
    StoredAs { at, rollout: rollout(), incident: incident.map(id), event }
}

pub(super) fn opened(number: u16, at: DateTime<Utc>) -> StoredAs {
    let opened = opened_by_warning(&format!("cause {number}"));
    stored(Some(number), at, Event::IncidentOpened(opened))
}

/// An incident from its opening to its end.
pub(super) fn story(number: u16, at: DateTime<Utc>) -> Vec<StoredAs> {
    let grace = Event::GraceStarted { cause: GraceCause::Warning, ends_at: at + TimeDelta::minutes(5) };
    vec![
        opened(number, at),
        stored(Some(number), at, grace),
        stored(
            Some(number),
            at + TimeDelta::minutes(1),
            Event::Cancelled { reason: Reason::ResolvedConfirmed },
        ),
    ]
}

pub(super) async fn append(store: &dyn IncidentStore, events: Vec<StoredAs>) -> Result<u64, StoreError> {
    let expected_seq = store.load().await?.seq;
    store.append(Batch { expected_seq, events, blobs: Vec::new() }).await
}

/// The fold of these events, made without any store.
pub(super) fn folded(events: &[StoredAs]) -> Loaded {
    let mut loaded = Loaded { seq: events.len() as u64, ..Loaded::default() };
    events.iter().for_each(|stored| super::fold::apply(&mut loaded.rollouts, stored));
    loaded
}

pub(super) async fn keeps_the_contract(store: &dyn IncidentStore) {
    let mut events = story(1, start());
    events.push(stored(None, start(), Event::WatchdogLost { silent_seconds: 200 }));
    events.extend([
        opened(2, start()),
        stored(
            Some(2),
            start(),
            Event::RollbackStarted {
                reason: Reason::Manual,
                attempt: 1,
                due_at: None,
                cause: None,
                plan: None,
            },
        ),
    ]);
    assert_eq!(append(store, events.clone()).await.expect("appended"), 6);
    let loaded = store.load().await.expect("loaded");
    assert_eq!((loaded.seq, &loaded.rollouts), (6, &folded(&events).rollouts));

    let stale = Batch { expected_seq: 5, events: vec![opened(3, start())], blobs: Vec::new() };
    let conflict = store.append(stale).await.expect_err("a stale writer");
    assert!(matches!(conflict, StoreError::Conflict { expected: 5, found: 6 }), "{conflict}");
    assert_eq!(store.load().await.expect("loaded").seq, 6, "nothing of it was kept");

    for refused in [
        opened(1, start()),
        stored(Some(9), start(), Event::RolledBack),
        stored(Some(9), start(), Event::Acknowledged { actor: String::new() }),
    ] {
        let error = append(store, vec![opened(8, start()), refused]).await.expect_err("a broken batch");
        assert!(matches!(error, StoreError::Rejected { .. }), "{error}");
        assert_eq!(store.load().await.expect("loaded").seq, 6, "nothing of it was kept");
    }
    store.set_aside(vec![opened(1, start())], "it is opened twice".to_owned()).await.expect("set aside");
    assert_eq!(store.load().await.expect("loaded").seq, 6, "no fold sees it");

    let one = store.incident(&id(1)).await.expect("read").expect("incident 1");
    assert_eq!((one.phase.name(), one.opened.cause.as_str()), ("cancelled", "cause 1"));
    assert!(store.incident(&id(9)).await.expect("read").is_none());

    let all = IncidentFilter { limit: 10, ..IncidentFilter::default() };
    let list = |filter: IncidentFilter| async move {
        let found = store.incidents(&filter).await.expect("listed");
        found.into_iter().map(|incident| incident.id).collect::<Vec<_>>()
    };
    assert_eq!(list(all.clone()).await, [id(2), id(1)], "the newest first");
    assert_eq!(list(IncidentFilter { limit: 1, ..all.clone() }).await, [id(2)]);
    assert_eq!(list(IncidentFilter { state: Some("cancelled".into()), ..all.clone() }).await, [id(1)]);
    assert_eq!(list(IncidentFilter { rollout: Some(RolloutName::new("other")), ..all }).await, []);

    let blob = BlobRef { sha256: "ab".repeat(32), bytes: 3 };
    let bytes: Arc<[u8]> = Arc::from(&b"raw"[..]);
    let unnamed = BlobRef { sha256: "cd".repeat(32), bytes: 3 };
    let taken = Event::SnapshotTaken { when: SnapshotPoint::Before, body: Some(blob.clone()), error: None };
    let blobs = vec![(blob.clone(), Arc::clone(&bytes)), (unnamed.clone(), bytes)];
    let events = vec![stored(Some(2), start(), taken)];
    store.append(Batch { expected_seq: 6, events, blobs }).await.expect("appended");
    assert_eq!(store.blob(&unnamed.sha256).await.expect("read"), None, "no event refers to it");
    assert_eq!(store.blob(&blob.sha256).await.expect("read").as_deref(), Some(&b"raw"[..]));
    assert_eq!(store.blob("none").await.expect("read"), None);

    store.alive(start()).await.expect("alive");
    let loaded = store.load().await.expect("loaded");
    assert_eq!((loaded.last_alive, loaded.caught_up_until), (Some(start()), None));
    assert_eq!(loaded.known_until(), Some(start()), "as the version before had it");
    let earlier = start() - TimeDelta::hours(1);
    store.caught_up(earlier).await.expect("recorded");
    store.alive(start() + TimeDelta::hours(1)).await.expect("alive");
    let loaded = store.load().await.expect("loaded");
    assert_eq!(loaded.known_until(), Some(earlier), "being alive is not having looked back");

    let settled = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let settle = || {
        let settled = Arc::clone(&settled);
        Box::new(move || settled.store(true, std::sync::atomic::Ordering::SeqCst))
    };
    let next =
        |expected_seq, number| Batch { expected_seq, events: vec![opened(number, start())], blobs: vec![] };
    store.append_then(next(7, 1), settle()).await.expect_err("opened twice");
    store.append_then(next(3, 20), settle()).await.expect_err("stale");
    assert!(!settled.load(std::sync::atomic::Ordering::SeqCst), "only what is durable is settled");
    assert_eq!(store.append_then(next(7, 20), settle()).await.expect("appended"), 8);
    assert!(settled.load(std::sync::atomic::Ordering::SeqCst));
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract_and_refuses_when_told_to() {
    let store = MemoryStore::default();
    keeps_the_contract(&store).await;
    store.set_unavailable(true);
    let refused = store.append(Batch { expected_seq: 8, ..Batch::default() }).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })));
}
