//! What SQLite adds to the contract: durability, refusals, recovery, retention.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use tempfile::TempDir;

use super::*;
use crate::store::contract::{append, folded, id, keeps_the_contract, opened, start, story};

pub(super) fn fresh() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data/backstop.db");
    (directory, path)
}

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    let (_directory, path) = fresh();
    keeps_the_contract(&SqliteStore::open(&path).expect("opened")).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_when_the_file_is_copied_in_the_middle_of_work() {
    let (directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    // What a power cut would leave: the files as they are, no orderly close.
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).expect("copied");
    std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).expect("copied");
    let again = SqliteStore::open(&copy).expect("opened");
    let loaded = again.load().await.expect("loaded");
    assert_eq!((loaded.seq, loaded.rollouts), (3, folded(&story(1, start())).rollouts));
}

#[tokio::test]
async fn a_second_process_is_refused_with_a_message_that_says_so() {
    let (_directory, path) = fresh();
    let _first = SqliteStore::open(&path).expect("opened");
    let error = SqliteStore::open(&path).expect_err("in use").to_string();
    assert!(error.contains("another Backstop process"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_and_a_file_that_is_no_database_are_refused() {
    let (_directory, path) = fresh();
    drop(SqliteStore::open(&path).expect("opened"));
    let connection = Connection::open(&path).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("set");
    drop(connection);
    // The first store's thread lets go of its lock a moment after it is dropped.
    let error = loop {
        match SqliteStore::open(&path).expect_err("refused") {
            StoreError::InUse { .. } => std::thread::yield_now(),
            other => break other.to_string(),
        }
    };
    assert!(error.contains("schema 99"), "{error}");

    let (_directory, path) = fresh();
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    std::fs::write(&path, "this is a diary, not a database, and long enough to be looked at".repeat(99))
        .expect("written");
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn an_event_of_a_newer_version_is_refused_and_both_versions_are_named() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    store.load().await.expect("loaded");
    let query = "UPDATE events SET stored = replace(stored, '\"type\":\"incident_opened\"', '\"type\":\"ramp_started\"')";
    let later = store.writer.run("test", move |connection| {
        let failed = |error| schema::failed("test", error);
        connection.execute("UPDATE meta SET value = '9.9.9' WHERE key = 'written_by'", []).map_err(failed)?;
        connection.execute("DROP TRIGGER events_are_never_changed", []).map_err(failed)?;
        connection.execute(query, []).map_err(failed)
    });
    assert!(later.await.expect("written") > 0);
    let error = store.load().await.expect_err("refused");
    assert!(matches!(error, StoreError::NewerEvent { .. }), "{error}");
    let (this, text) = (env!("CARGO_PKG_VERSION"), error.to_string());
    assert!(text.contains("9.9.9") && text.contains(this) && text.contains("event "), "{text}");
    assert!(!text.contains("corrupt"), "{text}");
}

#[tokio::test]
async fn a_full_disk_keeps_nothing_of_the_batch_and_recovers_without_restart() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    let limit = |pages: u32| {
        store.writer.run("test", move |connection| {
            connection.pragma_update(None, "max_page_count", pages).map_err(|e| schema::failed("test", e))
        })
    };
    limit(1).await.expect("limited");
    let many = || (0..2_000).map(|number| opened(number + 10, start())).collect::<Vec<_>>();
    let error = append(&store, many()).await.expect_err("full");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(store.load().await.expect("loaded").seq, 3, "nothing of it was kept");
    assert_eq!(append(&store, many()).await.expect("opened anew without the limit"), 2_003);
}

#[tokio::test]
async fn events_are_never_changed_and_a_broken_one_is_named() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    let change = |sql: &'static str| {
        store.writer.run("test", move |connection| {
            connection.execute_batch(sql).map_err(|e| schema::failed("test", e))
        })
    };
    let error = change("UPDATE events SET at = 'x'").await.expect_err("append-only");
    assert!(crate::logging::chain(&error).contains("append-only"), "{error}");
    change("INSERT INTO events VALUES (4, 'x', 'r', NULL, 't', '{}')").await.expect("inserted");
    let error = store.load().await.expect_err("broken").to_string();
    assert!(error.contains("event 4"), "{error}");
}

#[tokio::test]
async fn a_saved_fold_gives_the_same_state_as_folding_everything() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    let mut events = Vec::new();
    for number in 1..=5 {
        let more = story(number, start() + TimeDelta::minutes(i64::from(number)));
        append(&store, more.clone()).await.expect("appended");
        events.extend(more);
        let now = store.load().await.expect("loaded");
        assert_eq!((now.seq, &now.rollouts), (events.len() as u64, &folded(&events).rollouts));
        assert_eq!(now.checkpoint_seq + 3, now.seq, "up to the last one that was saved");
        let states = now.rollouts.into_iter().map(|(name, state)| (name, Arc::new(state))).collect();
        store.checkpoint(now.seq, states).await.expect("saved");
    }
    let nonsense = "UPDATE checkpoints SET state = '{\"from\": \"another version\"}'";
    store
        .writer
        .run("test", move |connection| {
            connection.execute_batch(nonsense).map_err(|e| schema::failed("test", e))
        })
        .await
        .expect("changed");
    assert_eq!(store.load().await.expect("loaded").rollouts, folded(&events).rollouts);
}

#[tokio::test]
async fn retention_forgets_old_closed_incidents_and_nothing_else() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    let recent = start() + TimeDelta::days(100);
    append(&store, story(1, start())).await.expect("appended");
    append(&store, story(2, recent)).await.expect("appended");
    append(&store, vec![opened(3, start())]).await.expect("appended");
    let before = start() + TimeDelta::days(50);
    assert_eq!(store.prune(before).await.expect("pruned"), 0, "without a saved fold all is needed");
    let loaded = store.load().await.expect("loaded");
    let states =
        loaded.rollouts.iter().map(|(name, state)| (name.clone(), Arc::new(state.clone()))).collect();
    store.checkpoint(loaded.seq, states).await.expect("saved");
    assert_eq!(store.prune(before).await.expect("pruned"), 1);
    for (number, kept) in [(1, false), (2, true), (3, true)] {
        assert_eq!(store.incident(&id(number)).await.expect("read").is_some(), kept, "incident {number}");
    }
    let after = store.load().await.expect("loaded");
    assert_eq!((after.seq, after.rollouts), (loaded.seq, loaded.rollouts));
}

#[tokio::test]
async fn a_store_that_turns_read_only_refuses_and_recovers_without_restart() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    let read_only = store.writer.run("test", |connection| {
        connection.execute_batch("PRAGMA query_only = ON").map_err(|e| schema::failed("test", e))
    });
    read_only.await.expect("set");
    let error = append(&store, story(1, start())).await.expect_err("read-only");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(append(&store, story(1, start())).await.expect("opened anew"), 3);
}

#[tokio::test]
async fn a_panic_on_the_stores_thread_is_reported_as_its_end() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    let answer = store.writer.run("be broken", |_| -> Result<(), _> { panic!("no such page") }).await;
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    assert_eq!(store.ended().await, "its thread panicked: no such page");
}

#[tokio::test]
async fn evidence_is_read_while_a_listing_takes_its_time() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    let (begin, began) = tokio::sync::oneshot::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let reader = store.reader.clone();
    let long = move |_: &mut Connection| {
        begin.send(()).expect("awaited");
        ended.recv().expect("ended");
        Ok(())
    };
    let reads = async {
        began.await.expect("begun");
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), store.blob("none")).await;
        assert_eq!(read.expect("it does not wait").expect("read"), None);
        end.send(()).expect("it still lists");
    };
    let (listed, ()) = tokio::join!(reader.run("list for long", long), reads);
    listed.expect("listed");
}
