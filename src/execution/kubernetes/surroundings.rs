//! Who else acts on the objects of a rollout: what a rollback has to reckon with, and what changes rarely.
//!
//! Read beside an observation and never before it: once it is known, an observation takes what was known last
//! and has it read anew behind its back. A rollback must not wait for an answer that is the same every day.

mod autoscaler;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::caller::Caller;
use super::error::CallError;
use super::object::{HORIZONTAL_POD_AUTOSCALER, Object};
use crate::config::KubernetesConfig;
use crate::incident::Autoscaler;

/// What is known is read anew after this long.
const READ_EVERY: Duration = Duration::from_secs(60);

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
    /// See [`crate::incident::Observation::warnings`].
    pub(super) warnings: Vec<String>,
}

/// Reads it, and keeps what was found.
#[derive(Debug)]
pub(super) struct Surroundings {
    reader: Arc<Reader>,
    known: watch::Sender<Option<(Instant, Findings)>>,
    under_way: Mutex<JoinSet<()>>,
}

impl Surroundings {
    pub(super) fn new(caller: Caller, config: &KubernetesConfig) -> Self {
        let reader = Reader {
            caller,
            stable: Object::new(super::DEPLOYMENT, &config.namespace, &config.stable.deployment),
            replicas: config.replicas,
            said: Mutex::default(),
        };
        Self { reader: Arc::new(reader), known: watch::Sender::default(), under_way: Mutex::default() }
    }

    /// What is known now.
    pub(super) async fn known(&self) -> Findings {
        let known = self.known.borrow().clone();
        let age = known.as_ref().map(|(read_at, _)| read_at.elapsed());
        if age.is_none_or(|age| age >= READ_EVERY) {
            self.read();
        }
        if let Some((read_at, findings)) = known
            && read_at.elapsed() < KNOWN_FOR
        {
            return findings;
        }
        let mut news = self.known.subscribe();
        let news = news.wait_for(|known| known.as_ref().is_some_and(|(at, _)| at.elapsed() < KNOWN_FOR));
        match tokio::time::timeout(FIRST_WITHIN, news).await {
            Ok(Ok(known)) => known.as_ref().map(|(_, findings)| findings.clone()).unwrap_or_default(),
            Ok(Err(_)) | Err(_) => Findings::default(),
        }
    }

    /// Begins to read, unless that is under way. In a task of its own: who waits for it may give up, and
    /// what comes then is still worth having.
    fn read(&self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while under_way.try_join_next().is_some() {}
        if !under_way.is_empty() {
            return;
        }
        let (reader, known) = (Arc::clone(&self.reader), self.known.clone());
        under_way.spawn(async move {
            let before = known.borrow().as_ref().map(|(_, findings)| findings.clone()).unwrap_or_default();
            let findings = reader.read(before).await;
            known.send_replace(Some((Instant::now(), findings)));
        });
    }
}

#[derive(Debug)]
struct Reader {
    caller: Caller,
    stable: Object,
    replicas: u16,
    /// What the log says already.
    said: Mutex<Vec<String>>,
}

impl Reader {
    /// What can't be read is taken to be as it was.
    async fn read(&self, before: Findings) -> Findings {
        let autoscalers = self.caller.list(HORIZONTAL_POD_AUTOSCALER, &self.stable.namespace).await;
        let autoscaler = match autoscalers {
            Ok(all) => autoscaler::of(&all, &self.stable.name),
            Err(error) => self.unread(&error).then_some(before.autoscaler).flatten(),
        };
        let warning =
            autoscaler.as_ref().and_then(|one| autoscaler::warning(one, &self.stable, self.replicas));
        if let Some(warning) = &warning {
            self.say(warning);
        }
        Findings { autoscaler, warnings: warning.into_iter().collect() }
    }

    /// Whether there may be some all the same. Without the right to list them, and without their kind in the
    /// cluster, nobody can act on their account.
    fn unread(&self, error: &CallError) -> bool {
        match error.status() {
            Some(404) => false,
            Some(403) => {
                self.say(&format!("{}. Until then it is taken that there are none.", error.words()));
                false
            }
            _ => {
                tracing::debug!(
                    error = error.words(),
                    "what else acts on the rollout's objects can't be read"
                );
                true
            }
        }
    }

    /// Into the log, once for as long as we run.
    fn say(&self, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.iter().any(|known| known == text) {
            tracing::warn!(namespace = self.stable.namespace, "{text}");
            said.push(text.to_owned());
        }
    }
}
