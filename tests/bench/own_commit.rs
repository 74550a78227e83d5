//! One durable commit of the store: what the same alert's events cost when nobody has to be answered
//! and nobody to act (design, section 10: "one durable commit of the store").

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop::clock::{Clock, SystemClock};
use backstop::incident::{RolloutState, SeverityMap};
use backstop::pipeline::blob_ref;
use backstop::store::{Batch, IncidentStore, SqliteStore};
use backstop::webhook::parse;

use crate::profile::decided;
use crate::site::single;
use crate::webhook::WARM_UP;

/// A database like the server's, written by nobody else.
#[derive(Debug)]
pub(crate) struct OwnCommit {
    store: SqliteStore,
    seq: u64,
    state: RolloutState,
}

impl OwnCommit {
    pub(crate) async fn new(folder: &Path) -> Self {
        let store = SqliteStore::open(&folder.join("own.db")).expect("opened");
        let mut own = Self { store, seq: 0, state: RolloutState::default() };
        for number in 0..WARM_UP {
            own.commit("warning", number).await;
        }
        own
    }

    /// Commits the events of a new alert and says how long it took. A critical finds no incident, as
    /// the server's do; a warning joins the grace of those before it.
    pub(crate) async fn commit(&mut self, severity: &str, number: usize) -> Duration {
        let body = single("r0", severity, number);
        let alert = parse(&body, SystemClock.now(), &SeverityMap::default())
            .expect("a body")
            .alerts
            .into_iter()
            .next()
            .expect("one");
        let blob = blob_ref(&body);
        let before =
            if severity == "critical" { RolloutState::default() } else { std::mem::take(&mut self.state) };
        let decided = decided(before, alert, &blob, number);
        self.state = decided.state;
        let batch =
            Batch { expected_seq: self.seq, events: decided.events, blobs: vec![(blob, Arc::from(body))] };
        let began = Instant::now();
        self.seq = self.store.append(batch).await.expect("appended");
        began.elapsed()
    }
}
