//! One append, and what becomes of it: as a whole, or one submission after another where the store
//! refuses the whole because of one of them.

use std::sync::Arc;

use crate::incident::StoredAs;
use crate::store::{Batch, Blobs, IncidentStore, Loaded, Settle, StoreError};

/// What each submission led to, in order.
pub(super) type Decisions = Vec<(Vec<StoredAs>, Blobs)>;

/// How an append ended.
#[derive(Debug)]
pub(super) struct Committed {
    /// Where the journal ends now.
    pub(super) seq: u64,
    /// So many submissions are dealt with, from the first on.
    pub(super) settled: usize,
    /// Which of these could not be stored, ever, and are set aside.
    pub(super) set_aside: Vec<usize>,
    /// What ended it before the last.
    pub(super) stopped: Option<Stopped>,
}

/// Why an append did not get to its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The store can't be written now.
    Unavailable(StoreError),
    /// The store could be loaded for the first time; nothing was appended.
    FirstLoaded(Loaded),
    /// Somebody else wrote; this is what is stored now.
    Overtaken(StoreError, Loaded),
}

/// Loads a store that could not be read at the start, in place of an append.
pub(super) async fn first_load(store: Arc<dyn IncidentStore>) -> Committed {
    let stopped = match store.load().await {
        Ok(stored) => Stopped::FirstLoaded(stored),
        Err(error) => Stopped::Unavailable(error),
    };
    Committed { seq: 0, settled: 0, set_aside: Vec::new(), stopped: Some(stopped) }
}

/// Appends everything after `seq`.
pub(super) async fn commit(
    store: Arc<dyn IncidentStore>,
    seq: u64,
    decisions: Decisions,
    settle: Settle,
) -> Committed {
    let settled = decisions.len();
    match store.append_then(batch(seq, &decisions), settle).await {
        Ok(seq) => Committed { seq, settled, set_aside: Vec::new(), stopped: None },
        Err(StoreError::Rejected { .. }) => one_by_one(store.as_ref(), seq, &decisions).await,
        Err(error) => {
            let stopped = Some(why_stopped(store.as_ref(), error).await);
            Committed { seq, settled: 0, set_aside: Vec::new(), stopped }
        }
    }
}

fn batch(expected_seq: u64, decisions: &[(Vec<StoredAs>, Blobs)]) -> Batch {
    let events = decisions.iter().flat_map(|(events, _)| events.iter().cloned()).collect();
    let blobs = decisions.iter().flat_map(|(_, blobs)| blobs.iter().cloned()).collect();
    Batch { expected_seq, events, blobs }
}

/// Finds what is refused, so that its neighbours are stored.
async fn one_by_one(store: &dyn IncidentStore, seq: u64, decisions: &Decisions) -> Committed {
    let mut committed = Committed { seq, settled: 0, set_aside: Vec::new(), stopped: None };
    for (index, decision) in decisions.iter().enumerate().filter(|(_, (events, _))| !events.is_empty()) {
        match store.append(batch(committed.seq, std::slice::from_ref(decision))).await {
            Ok(seq) => committed.seq = seq,
            Err(error @ StoreError::Rejected { .. }) => {
                set_aside(store, &decision.0, &error).await;
                committed.set_aside.push(index);
            }
            Err(error) => {
                committed.settled = index;
                committed.stopped = Some(why_stopped(store, error).await);
                return committed;
            }
        }
    }
    committed.settled = decisions.len();
    committed
}

async fn set_aside(store: &dyn IncidentStore, events: &[StoredAs], error: &StoreError) {
    let why = crate::logging::chain(error);
    tracing::error!(
        error = why,
        events = events.len(),
        "what was decided can't be stored; it is set aside and acted upon until the next start"
    );
    if let Err(error) = store.set_aside(events.to_vec(), why).await {
        tracing::error!(
            error = crate::logging::chain(&error),
            events = serde_json::to_string(events).unwrap_or_default(),
            "what can't be stored can't be set aside either: these events are kept in this log only"
        );
    }
}

async fn why_stopped(store: &dyn IncidentStore, error: StoreError) -> Stopped {
    match &error {
        StoreError::Conflict { .. } => match store.load().await {
            Ok(loaded) => Stopped::Overtaken(error, loaded),
            Err(unread) => {
                tracing::error!(error = crate::logging::chain(&unread), "the store can't be loaded again");
                Stopped::Unavailable(error)
            }
        },
        StoreError::Unavailable { .. }
        | StoreError::Unopened { .. }
        | StoreError::Rejected { .. }
        | StoreError::Replaced { .. }
        | StoreError::InUse { .. }
        | StoreError::NewerSchema { .. }
        | StoreError::NewerEvent { .. }
        | StoreError::Corrupt { .. } => Stopped::Unavailable(error),
    }
}
