//! A database that somebody else locks, or that is damaged: before the start, or under the process.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;

use backstop::demo::trading_api::TradingApi;
use rusqlite::Connection;

use crate::support::{Site, binary, body, now, wait_for};

/// SQLite's page, where nothing else is said.
const PAGE: u64 = 4_096;

/// Overwrites every page but the first, which says that this is a database.
fn damage(database: &Path) {
    let file = File::options().write(true).open(database).expect("opened");
    let pages = file.metadata().expect("read").len() / PAGE;
    assert!(pages > 4, "a database of {pages} pages");
    for page in 1..pages {
        file.write_all_at(&[0xdb; 4_096], page * PAGE).expect("written");
    }
}

/// A site whose database has some incidents' worth of content, all of it in its main file.
async fn used(api: &TradingApi) -> Site {
    let site = Site::simple("1h", api);
    let app = site.start().await;
    for number in 0..20 {
        assert_eq!(site.post(body(&format!("Alert{number}"), "warning", &now(), None)).await, 200);
    }
    app.shutdown().await.expect("drained");
    let database = site.parsed().store.path;
    wait_for("the store to be closed", || async {
        (!database.with_extension("db-wal").exists()).then_some(())
    })
    .await;
    site
}

#[tokio::test]
async fn a_database_that_another_process_locks_answers_503_and_everything_comes_through_later() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut server = site.spawn().await;
    let other = Connection::open(site.parsed().store.path).expect("opened");
    other.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    for _ in 0..3 {
        assert_eq!(site.post(critical.clone()).await, 503);
    }
    assert!(site.metric("backstop_store_healthy").await < 1.0);
    other.execute_batch("COMMIT").expect("unlocked");
    wait_for("it to be taken", || async { (site.post(critical.clone()).await == 200).then_some(()) }).await;
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((site.incidents().await.len(), api.changes()), (1, vec![(25, 0)]));
    wait_for("the store to be called healthy", || async {
        (site.metric("backstop_store_healthy").await > 0.0).then_some(())
    })
    .await;
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_database_damaged_under_the_process_takes_nothing_more_and_says_what_to_do() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = used(&api).await;
    let mut server = site.spawn().await;
    damage(&site.parsed().store.path);
    let answer = site.post(body("Late", "warning", &now(), None)).await;
    assert_eq!(answer, 503, "what can't be kept is not accepted");
    assert!(site.metric("backstop_store_healthy").await < 1.0);
    let log = site.log();
    assert!(log.contains("keep the file for inspection and restore a backup"), "{log}");
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_database_damaged_before_the_start_ends_it_with_a_remedy() {
    let api = TradingApi::start(25, 10).await.expect("started");
    for no_database_at_all in [false, true] {
        let site = used(&api).await;
        let database = site.parsed().store.path;
        if no_database_at_all {
            std::fs::write(&database, "a diary, not a database. ".repeat(999)).expect("written");
        } else {
            damage(&database);
        }
        let serve = binary()
            .arg("serve")
            .arg("--config")
            .arg(&site.config)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output();
        let ended =
            tokio::time::timeout(crate::support::PATIENCE, serve).await.expect("it ends").expect("ran");
        let told = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{told}");
        assert!(told.contains("keep the file for inspection and restore a backup"), "{told}");
        assert!(told.contains("backstop.db"), "it names the file: {told}");
    }
}

#[tokio::test]
async fn a_database_that_is_deleted_under_the_process_takes_nothing_and_says_why_and_a_critical_is_acted_upon()
 {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut server = site.spawn().await;
    assert_eq!(site.post(body("Before", "warning", &now(), None)).await, 200);
    let database = site.parsed().store.path;
    std::fs::remove_file(&database).expect("deleted");
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    assert_eq!(site.post(critical.clone()).await, 503, "it would be lost at the next start");
    wait_for("the flag", || async { (api.share() == 0).then_some(()) }).await;
    assert_eq!(site.post(critical.clone()).await, 503, "a duplicate of what is not stored");
    let log = site.log();
    assert!(log.contains("is no longer the database that Backstop opened"), "{log}");
    assert!(!database.exists(), "nothing new is begun beside what is held in memory");
    server.kill().await.expect("killed");

    let mut server = site.spawn().await;
    assert_eq!(site.post(critical).await, 200);
    server.kill().await.expect("killed");
}
