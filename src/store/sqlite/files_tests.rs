//! Whose the files are, and whether they are still the ones that were opened.

use std::os::unix::fs::PermissionsExt;

use super::tests::fresh;
use super::*;
use crate::store::contract::{append, opened, start, story};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

#[tokio::test]
async fn every_file_is_the_owners_alone_also_one_that_was_open_to_others() {
    let (_directory, path) = fresh();
    let files = ["", "-wal", "-shm", ".lock"].map(|ending| files::beside(&path, ending));
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    store.set_aside(vec![opened(1, start())], "why".to_owned()).await.expect("set aside");
    let aside = files::beside(&path, ".rejected.jsonl");
    assert_eq!(mode(&aside), 0o600);
    let line: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&aside).expect("read")).expect("a line of JSON");
    assert_eq!(
        (&line["why"], &line["events"][0]["event"]["type"]),
        (&"why".into(), &"incident_opened".into())
    );

    drop(store);
    for file in files.iter().filter(|file| file.exists()) {
        set_mode(file, 0o666);
    }
    let again = loop {
        match SqliteStore::open(&path) {
            // The first store's threads let go of its lock a moment after it is dropped.
            Err(StoreError::InUse { .. }) => std::thread::yield_now(),
            opened => break opened.expect("opened"),
        }
    };
    append(&again, story(2, start())).await.expect("appended");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_database_that_was_moved_away_or_replaced_takes_nothing_until_it_is_back() {
    let (_directory, path) = fresh();
    let store = SqliteStore::open(&path).expect("opened");
    append(&store, story(1, start())).await.expect("appended");
    let away = files::beside(&path, ".away");
    std::fs::rename(&path, &away).expect("moved");
    for put_another_there in [false, true] {
        if put_another_there {
            std::fs::write(&path, "").expect("written");
        }
        for _ in 0..2 {
            let batch = Batch { expected_seq: 3, events: story(2, start()), blobs: Vec::new() };
            let error = store.append(batch).await.expect_err("it would be lost");
            assert!(matches!(error, StoreError::Replaced { .. }), "{error}");
        }
    }
    std::fs::rename(&away, &path).expect("moved back");
    let loaded = store.load().await.expect("loaded");
    assert_eq!(loaded.seq, 3, "nothing of it was kept");
    assert_eq!(append(&store, story(2, start())).await.expect("it goes on"), 6);
}

#[tokio::test]
async fn a_database_by_another_name_is_still_in_use() {
    let (directory, path) = fresh();
    let _first = SqliteStore::open(&path).expect("opened");
    let symbolic = directory.path().join("symbolic.db");
    std::os::unix::fs::symlink(&path, &symbolic).expect("linked");
    let folder = directory.path().join("folder");
    std::os::unix::fs::symlink(path.parent().expect("a folder"), &folder).expect("linked");
    let hard = directory.path().join("hard.db");
    std::fs::hard_link(&path, &hard).expect("linked");
    for name in [symbolic, folder.join("backstop.db"), hard] {
        let error = SqliteStore::open(&name).expect_err("in use");
        assert!(matches!(error, StoreError::InUse { .. }), "{}: {error}", name.display());
    }
}
