//! A vital part that dies ends the process with its name and the reason.

use std::sync::Arc;

use async_trait::async_trait;
use backstop::app::App;
use backstop::clock::SystemClock;
use backstop::demo::trading_api::TradingApi;
use backstop::store::{Batch, IncidentStore, MemoryStore, StoreError};
use tokio::sync::watch;

use crate::support::around::{Around, OnAppend};
use crate::support::{PATIENCE, Site, body, now};

/// A store that breaks: it panics in `append`, or says that it has ended.
#[derive(Debug)]
struct Breaks {
    panics: bool,
    ended: watch::Sender<bool>,
}

#[async_trait]
impl OnAppend for Breaks {
    async fn append(&self, inner: &dyn IncidentStore, batch: Batch) -> Result<u64, StoreError> {
        if self.panics {
            panic!("the journal's page is torn");
        }
        inner.append(batch).await
    }
    async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        let _gone = ended.wait_for(|ended| *ended).await.is_ok();
        "its disk was pulled".to_owned()
    }
}

async fn start(site: &Site, panics: bool) -> (App, Arc<Around<Breaks>>) {
    let store = Around::new(MemoryStore::default(), Breaks { panics, ended: watch::Sender::new(false) });
    let app = App::start_with(&site.parsed(), Arc::clone(&store) as _, Arc::new(SystemClock)).await;
    (app.expect("started"), store)
}

async fn end_of(app: App) -> String {
    let ended = tokio::time::timeout(PATIENCE, app.run_until(std::future::pending())).await;
    ended.expect("it ends").expect_err("it ends with an error").to_string()
}

#[tokio::test]
async fn a_journal_that_panics_ends_the_process_with_its_name_and_its_words() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    // The first append is the share that is read at the start, or this webhook.
    let (app, _store) = start(&site, true).await;
    let request = reqwest::Client::new().post(site.url("/api/v1/alertmanager")).bearer_auth("hook-token");
    let posted = request.body(body("CanaryErrorRateCritical", "critical", &now(), None)).send();
    let (why, answer) = tokio::join!(end_of(app), posted);
    assert_eq!(why, "the journal panicked: the journal's page is torn");
    // It may find the door closed already.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 503), "nothing was accepted");
}

#[tokio::test]
async fn a_store_that_ends_ends_the_process_with_its_reason() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (app, store) = start(&site, false).await;
    store.test.ended.send_replace(true);
    assert_eq!(end_of(app).await, "the store has ended: its disk was pulled");
}
