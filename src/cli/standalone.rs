//! `backstop rollback --standalone`: the same path without a server, with the same decisions, adapters
//! and evidence.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::output::progress;
use super::rollback::{POLL, RollbackArgs, ended};
use crate::app::{Parts, build};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::decision::{Input, Request};
use crate::evidence::{EvidenceBlobs, EvidenceError, EvidenceWriter, Recorded};
use crate::incident::{Incident, RampId, RolloutName, Stage};
use crate::ownership::{Unmade, is_root};
use crate::pipeline::Worker;
use crate::ramp::KeptFile;
use crate::store::{IncidentStore, MemoryStore, SqliteStore};
use crate::text::shown;
use crate::web::IncidentView;

/// How long evidence that could not be written is tried again once the verdict is known: long enough
/// for a disk that stumbles, short enough for a person who waits.
const TRIED_AGAIN: Duration = Duration::from_secs(3);

/// How long it is waited for where nobody says yet that it can't be: two folders that hang, one after
/// the other, and the database that is asked before.
const UNANSWERED: Duration = Duration::from_secs(15);

/// How long people are told for once all else is done: a person waits for the command, and a server
/// that starts later sends the rest.
const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// What came of a rollback without a server.
pub(super) struct Done {
    pub(super) view: IncidentView,
    /// Why there is no evidence, or not all of it.
    pub(super) unrecorded: Option<String>,
}

/// Rolls back from here. If the store can't be had, because a server that hangs still holds it or the
/// disk is broken, memory has to do: the traffic counts first, and the evidence is written all the same.
pub(super) async fn standalone(
    args: &RollbackArgs,
    config: &Config,
    name: &RolloutName,
) -> Result<Done, String> {
    let folders = [config.store.path.parent(), Some(config.evidence.directory.as_path())];
    let fallback = config.evidence.fallback_directory.as_path();
    let unmade = Unmade::of(folders.into_iter().flatten().chain([fallback]));
    let done = roll_back(args, config, name).await;
    if is_root() {
        name_what_root_made(&unmade.made_for_root());
    }
    done
}

fn name_what_root_made(folders: &[&Path]) {
    if folders.is_empty() {
        return;
    }
    // The command is for a shell that may be elsewhere.
    let from_the_root = |folder: &&Path| std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let names = folders.iter().map(|folder| shown(&from_the_root(folder).display().to_string()));
    let names: Vec<_> = names.collect();
    let (listed, names) = (names.join(" and "), names.join(" "));
    progress(format!(
        "ATTENTION: root has made {listed}; a server that runs as another user can't use what is root's, nor start: before it starts, run `chown -R USER {names}` with the server's user for USER"
    ));
}

async fn roll_back(args: &RollbackArgs, config: &Config, name: &RolloutName) -> Result<Done, String> {
    let store: Arc<dyn IncidentStore> = match SqliteStore::open(&config.store.path) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            progress(format!("the store is not used: {}", crate::logging::chain(&error)));
            Arc::new(MemoryStore::default())
        }
    };
    let built = match build(config, Arc::clone(&store), Arc::new(SystemClock)).await {
        Ok(parts) => Ok(parts),
        Err(error) => {
            progress(format!("the store is not used: {error:#}"));
            build(config, Arc::new(MemoryStore::default()), Arc::new(SystemClock)).await
        }
    };
    let Parts { worker, journal_task, .. } = built.map_err(|error| format!("{error:#}"))?;
    let evidence = Arc::new(Watched { writer: Arc::clone(&worker.evidence), failed: Mutex::default() });
    let worker = Worker { evidence: Arc::clone(&evidence) as Arc<dyn EvidenceWriter>, ..worker };
    let stop = CancellationToken::new();
    let journal = tokio::task::JoinSet::from_iter([journal_task.run(CancellationToken::new())]);
    let rollout = worker.rollouts.get(name).cloned().ok_or("the rollout is not configured")?;
    let person = async {
        worker.read_share(&rollout).await;
        let stage = args.stage.and_then(|stage| Stage::try_from(stage).ok());
        let request = Request::RollBack { reason: args.reason.clone(), stage };
        let input = Input::Person { actor: args.actor.name(), request };
        let ruling = worker.journal.submit_one(name, input).await.map_err(|error| error.to_string())?;
        let id = ruling.incident.ok_or("no incident was opened")?;
        let deadline = SystemClock.now() + args.wait;
        let mut over_since = None;
        loop {
            let states = worker.journal.states();
            let found = states.get(name).and_then(|state| state.incident.clone());
            let incident = found.filter(|incident| incident.id == id).ok_or("the incident is gone")?;
            let view = IncidentView::from(incident.as_ref());
            let recorded = recorded(&incident);
            let is_over = ended(&view.state);
            let waited =
                if is_over { over_since.get_or_insert_with(Instant::now).elapsed() } else { Duration::ZERO };
            let all_told = incident.deliveries.is_settled();
            if is_over && recorded && (all_told || waited >= TOLD_WITHIN) {
                if !all_told {
                    progress(untold(&incident));
                }
                return Ok(Done { view, unrecorded: None });
            }
            let failure = evidence.failure();
            let patience = if failure.is_some() { TRIED_AGAIN } else { UNANSWERED };
            if (waited >= patience && !recorded) || SystemClock.now() >= deadline {
                let late = || is_over.then(|| "writing it takes too long".to_owned());
                return Ok(Done { view, unrecorded: failure.or_else(late).filter(|_| !recorded) });
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let outcome = tokio::select! {
        outcome = person => outcome,
        () = worker.clone().run(stop.clone(), Duration::ZERO) => Err("the worker ended".to_owned()),
    };
    drop(journal);
    outcome
}

/// Which channels were not told all, and what to do about it.
fn untold(incident: &Incident) -> String {
    let queues = incident.deliveries.queues.iter().filter(|(_, queue)| !queue.waiting.is_empty());
    let why = queues.map(|(name, queue)| {
        let error = queue.waiting.iter().find_map(|waiting| waiting.last_error.as_deref());
        format!("{name} ({})", shown(error.unwrap_or("no answer yet")))
    });
    let why: Vec<_> = why.collect();
    format!(
        "not all messages were delivered: {}; a server over the same store sends them, else tell people yourself",
        why.join(", ")
    )
}

/// Whether the evidence is where it should be: complete once closed, begun once failed.
fn recorded(incident: &Incident) -> bool {
    if incident.phase.is_closed() && incident.has_rolled_back() {
        incident.evidence_complete
    } else {
        !incident.has_rolled_back() || !incident.evidence.is_empty()
    }
}

/// A writer of evidence that knows why it failed last. The worker tries for ever, which a person who
/// waits can't.
#[derive(Debug)]
struct Watched {
    writer: Arc<dyn EvidenceWriter>,
    failed: Mutex<Option<String>>,
}

impl Watched {
    fn failure(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl EvidenceWriter for Watched {
    async fn record(
        &self,
        incident: Arc<Incident>,
        blobs: EvidenceBlobs,
        complete: bool,
        now: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        let written = self.writer.record(incident, blobs, complete, now).await;
        let failed = written.as_ref().err().map(EvidenceError::in_full);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        written
    }

    /// Of the ramp that the rollback ends; the command's own evidence is the rollback's.
    async fn record_ramp(
        &self,
        ramp: RampId,
        files: Arc<[KeptFile]>,
        now: DateTime<Utc>,
    ) -> Result<Recorded, EvidenceError> {
        self.writer.record_ramp(ramp, files, now).await
    }
}
