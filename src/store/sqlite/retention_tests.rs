//! What goes, what stays, and that nobody waits for it.

use chrono::TimeDelta;

use super::tests::fresh;
use super::*;
use crate::incident::fixtures::firing;
use crate::incident::{AttachedAlert, BlobRef, Event, Reason, StoredAs};
use crate::store::contract::{append, id, rollout, start, story};

fn attached(number: usize, body: &BlobRef) -> Event {
    let alert = firing(&format!("{number:016x}"), &[], start());
    let body = Some(body.clone());
    Event::AlertAttached(AttachedAlert { alert, received_at: start(), reason: Reason::JoinedGrace, body })
}

fn stored(incident: Option<u16>, at: DateTime<Utc>, event: Event) -> StoredAs {
    StoredAs { at, rollout: rollout(), incident: incident.map(id), event }
}

fn blob(name: u8) -> (BlobRef, Arc<[u8]>) {
    (BlobRef { sha256: format!("{name:064x}"), bytes: 3 }, Arc::from(&b"raw"[..]))
}

/// A story with this body somewhere in it.
fn story_with(number: u16, at: DateTime<Utc>, body: &BlobRef) -> Vec<StoredAs> {
    let mut events = story(number, at);
    events.insert(2, stored(Some(number), at, attached(0, body)));
    events
}

async fn append_with(store: &SqliteStore, events: Vec<StoredAs>, blobs: Vec<(BlobRef, Arc<[u8]>)>) {
    let expected_seq = store.load().await.expect("loaded").seq;
    store.append(Batch { expected_seq, events, blobs }).await.expect("appended");
}

async fn checkpoint(store: &SqliteStore) {
    let loaded = store.load().await.expect("loaded");
    let states = loaded.rollouts.into_iter().map(|(name, state)| (name, Arc::new(state))).collect();
    store.checkpoint(loaded.seq, states).await.expect("saved");
}

/// How many rows there are of each kind: events, incidents, blobs, references.
async fn rows(store: &SqliteStore) -> [u64; 4] {
    let count = |connection: &mut Connection| {
        let of = |table: &str| {
            connection.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0))
        };
        let counted = ["events", "incidents", "blobs", "blob_references"].map(of);
        let mut counts = [0; 4];
        for (count, counted) in counts.iter_mut().zip(counted) {
            *count = counted.map_err(|error| schema::failed("test", error))?;
        }
        Ok(counts)
    };
    store.writer.run("test", count).await.expect("counted")
}

#[tokio::test]
async fn bytes_go_with_the_last_that_refers_to_them() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    let recent = start() + TimeDelta::days(100);
    let (old, shared, waiting) = (blob(1), blob(2), blob(3));
    append_with(&store, story_with(1, start(), &old.0), vec![old.clone()]).await;
    append_with(&store, story_with(2, start(), &shared.0), vec![shared.clone()]).await;
    append_with(&store, story_with(3, recent, &shared.0), vec![shared.clone()]).await;
    let Event::AlertAttached(alert) = attached(9, &waiting.0) else { panic!("attached") };
    let triage = vec![
        stored(None, start(), Event::TriageStarted { alert }),
        stored(None, start(), Event::TriageEnded),
    ];
    append_with(&store, triage, vec![waiting.clone()]).await;
    checkpoint(&store).await;
    assert_eq!(rows(&store).await, [14, 3, 3, 4]);

    assert_eq!(store.prune(start() + TimeDelta::days(50)).await.expect("pruned"), 2);
    assert_eq!(rows(&store).await, [4, 1, 1, 1]);
    assert!(store.blob(&shared.0.sha256).await.expect("read").is_some());
    assert_eq!(store.prune(recent + TimeDelta::days(1)).await.expect("pruned"), 1);
    assert_eq!(rows(&store).await, [0; 4]);
}

#[tokio::test]
async fn an_append_waits_for_a_part_of_the_pruning_only() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    let body = blob(1);
    let mut events = story(1, start());
    events.splice(1..1, (0..1_000).map(|number| stored(Some(1), start(), attached(number, &body.0))));
    append_with(&store, events, vec![body]).await;
    for number in 2..=9 {
        append(&store, story(number, start())).await.expect("appended");
    }
    checkpoint(&store).await;
    let before = rows(&store).await[0];
    let after = start() + TimeDelta::days(1);
    let mut place = Some(retention::Place::default());
    let (mut rounds, mut pruned) = (0, 0);
    while let Some(from) = place {
        let forget = move |connection: &mut Connection| retention::forget_some(connection, after, from);
        let forgotten = store.writer.run("test", forget).await.expect("pruned");
        let left = rows(&store).await[0];
        assert!(before - left <= 100 * (rounds + 1), "{left} of {before} are left after round {rounds}");
        let listed = store.incident(&id(1)).await.expect("read");
        assert!(listed.is_none(), "half an incident is none");
        (rounds, pruned, place) = (rounds + 1, pruned + forgotten.incidents, forgotten.next);
    }
    assert_eq!((pruned, rows(&store).await), (9, [0; 4]));
    assert!(rounds >= 11, "{rounds} rounds");
}

#[tokio::test]
async fn a_database_of_the_first_schema_gets_its_references_and_loses_what_nobody_refers_to() {
    let (_directory, path) = fresh();
    let (old, opening) = (blob(1), blob(2));
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    let connection = Connection::open(&path).expect("opened");
    schema::first(&connection).expect("created");
    let mut events = story_with(1, start(), &old.0);
    let Event::AlertAttached(alert) = attached(9, &opening.0) else { panic!("attached") };
    let Event::IncidentOpened(opened) = &mut events[0].event else { panic!("opened") };
    opened.alert = Some(alert.clone());
    events.push(stored(None, start(), Event::TriageStarted { alert }));
    for (seq, event) in (1_u64..).zip(&events) {
        let json = serde_json::to_string(event).expect("serialised");
        let incident = event.incident.as_ref().map(IncidentId::as_str);
        let row = rusqlite::params![
            seq,
            rows::text(event.at),
            event.rollout.as_str(),
            incident,
            event.event.name(),
            json
        ];
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", row).expect("inserted");
    }
    for (blob, bytes) in [&old, &opening, &blob(3)] {
        let row = rusqlite::params![blob.sha256, bytes.as_ref()];
        connection.execute("INSERT INTO blobs VALUES (?, ?)", row).expect("inserted");
    }
    connection
        .execute("INSERT INTO events VALUES (9, 'x', 'r', NULL, 'triage_started', 'no JSON')", [])
        .expect("inserted");
    drop(connection);

    let store = SqliteStore::open(&path).expect("brought forward");
    assert_eq!(rows(&store).await, [6, 0, 2, 3], "one for each of two in the incident, one for the triage");
    assert!(store.blob(&opening.0.sha256).await.expect("read").is_some());
    let found = store.incident(&id(1)).await.expect("read").expect("the incident");
    assert_eq!(found.alerts.len(), 2);
}
