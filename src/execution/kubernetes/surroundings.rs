//! Who else acts on the objects of a rollout: what a rollback has to reckon with, and what changes rarely.
//!
//! Read beside an observation and never before it: once it is known, an observation takes what was known last
//! and has it read anew behind its back. A rollback must not wait for an answer that is the same every day.

mod autoscaler;
mod owner;
mod reader;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(super) use self::autoscaler::scales;
pub(super) use self::owner::Claim;
use self::reader::Reader;
use super::caller::Caller;
use super::object::Object;
use crate::config::KubernetesConfig;
use crate::incident::{Autoscaler, Stance};

/// What is known is read anew after this long.
const READ_EVERY: Duration = Duration::from_secs(60);

/// The same while it matters: an owner that has to stop, or an answer that didn't come.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What is known longer than this says too little: it is waited for as at first.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// How long an observation waits where nothing is known yet. Then it goes on without: to know less is better
/// than to be late.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// Who else acts, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Of the stable version.
    pub(super) autoscaler: Option<Autoscaler>,
    /// Of anything that a rollback would change.
    pub(super) owner: Option<Claim>,
    /// See [`crate::incident::Observation::warnings`].
    pub(super) warnings: Vec<String>,
    /// Something could not be read, and may be otherwise.
    is_partial: bool,
}

impl Findings {
    fn read_every(&self) -> Duration {
        let is_told = |claim: &Claim| claim.owner.stance != Stance::LeftAlone;
        let matters = self.is_partial || self.owner.as_ref().is_some_and(is_told);
        if matters { WATCH_EVERY } else { READ_EVERY }
    }
}

#[derive(Debug, Clone, Default)]
struct Known {
    /// `None`: not yet, or what was read holds no longer.
    read_at: Option<Instant>,
    findings: Findings,
}

impl Known {
    fn is_of_use(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < KNOWN_FOR)
    }

    fn is_due(&self) -> bool {
        self.read_at.is_none_or(|at| at.elapsed() >= self.findings.read_every())
    }
}

/// Who carries the rollout out instead of us, asked now: for a look before there is anything to roll back.
pub(super) async fn owner_now(caller: &Caller, router: &Object, config: &KubernetesConfig) -> Option<Claim> {
    Reader::new(caller.clone(), router, config).read(Findings::default()).await.owner
}

/// Reads it, and keeps what was found.
#[derive(Debug)]
pub(super) struct Surroundings {
    reader: Arc<Reader>,
    known: watch::Sender<Known>,
    under_way: Mutex<JoinSet<()>>,
}

impl Surroundings {
    pub(super) fn new(caller: Caller, router: &Object, config: &KubernetesConfig) -> Self {
        Self {
            reader: Arc::new(Reader::new(caller, router, config)),
            known: watch::Sender::default(),
            under_way: Mutex::default(),
        }
    }

    /// What is known now.
    pub(super) async fn known(&self) -> Findings {
        let known = self.known.borrow().clone();
        if known.is_due() {
            self.read();
        }
        if known.is_of_use() {
            return known.findings;
        }
        let mut news = self.known.subscribe();
        match tokio::time::timeout(FIRST_WITHIN, news.wait_for(Known::is_of_use)).await {
            Ok(Ok(known)) => known.findings.clone(),
            Ok(Err(_)) | Err(_) => known.findings,
        }
    }

    /// What was known last, without a wait: for words.
    pub(super) fn last_known(&self) -> Findings {
        self.known.borrow().findings.clone()
    }

    /// What was read holds no longer; the next to ask waits for what does.
    pub(super) fn changed(&self) {
        // What is being read may be from before the change.
        *self.lock() = JoinSet::new();
        self.known.send_modify(|known| known.read_at = None);
    }

    /// Begins to read, unless that is under way. In a task of its own: who waits for it may give up, and
    /// what comes then is still worth having.
    fn read(&self) {
        let mut under_way = self.lock();
        while under_way.try_join_next().is_some() {}
        if !under_way.is_empty() {
            return;
        }
        let (reader, known) = (Arc::clone(&self.reader), self.known.clone());
        under_way.spawn(async move {
            let before = known.borrow().findings.clone();
            let findings = reader.read(before).await;
            known.send_replace(Known { read_at: Some(Instant::now()), findings });
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
