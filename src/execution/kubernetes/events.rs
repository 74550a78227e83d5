//! Kubernetes Events, so that `kubectl describe` says what a rollback did: on the object that moves the
//! traffic and on the canary's Deployment.
//!
//! Best effort: they are sent beside the step, few at a time, once each, and nobody learns of it if one is
//! lost. The evidence is what counts.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::SecondsFormat;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::caller::{Caller, FIELD_MANAGER};
use super::object::{DEPLOYMENT, EVENT, Object};
use crate::clock::Clock;
use crate::incident::Step;
use crate::text::kept_within;

/// Under way at once. A step sends four; an API server that hangs gets no more than this.
const MAX_UNDER_WAY: usize = 16;

/// The API allows 1024 bytes.
const MAX_NOTE_CHARS: usize = 250;

/// What a step has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Started,
    Done,
    Failed(String),
}

/// Sends Events about one rollout's objects.
#[derive(Debug)]
pub(super) struct Events {
    caller: Caller,
    clock: Arc<dyn Clock>,
    about: [Object; 2],
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// As last read: an Event without one is listed, but `kubectl describe` doesn't find it.
    uids: [Option<String>; 2],
    /// Said last. A step that is tried again and again says each thing once.
    said: Option<(Step, Stage)>,
    has_started: bool,
    /// About a change that is on its way.
    held: Vec<(Object, Value)>,
    under_way: JoinSet<()>,
}

impl Events {
    pub(super) fn new(caller: Caller, clock: Arc<dyn Clock>, router: &Object, canary: &str) -> Self {
        let canary = Object::new(DEPLOYMENT, &router.namespace, canary);
        Self { caller, clock, about: [router.clone(), canary], state: Mutex::default() }
    }

    /// Remembers which object it is that has this name.
    pub(super) fn seen(&self, object: &Object, uid: Option<&str>) {
        let Some(place) = self.about.iter().position(|known| known == object) else { return };
        self.lock().uids[place] = uid.map(str::to_owned);
    }

    /// A step is tried, which may find nothing to change.
    pub(super) fn begun(&self) {
        self.answered();
        self.lock().has_started = false;
    }

    /// The change has its answer, or none will come: what was to be said of its start is sent now. Beside
    /// the change it would have to be written by the same API server, and that takes milliseconds from it.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        for (about, event) in std::mem::take(&mut state.held) {
            self.send(&mut state, about, event);
        }
    }

    /// A change is about to be sent.
    pub(super) fn started(&self, step: Step) {
        self.lock().has_started = true;
        self.say(step, Stage::Started, format!("Backstop is about to {}", step.words()));
    }

    /// What was started is done; of a step that changed nothing there is nothing to say.
    pub(super) fn done(&self, step: Step, words: &str) {
        if std::mem::take(&mut self.lock().has_started) {
            self.say(step, Stage::Done, format!("Backstop did {}: {words}", step.words()));
        }
    }

    pub(super) fn failed(&self, step: Step, words: &str) {
        self.say(
            step,
            Stage::Failed(words.to_owned()),
            format!("Backstop could not {}: {words}", step.words()),
        );
    }

    fn say(&self, step: Step, stage: Stage, note: String) {
        let mut state = self.lock();
        let said = (step, stage);
        let is_repeated = match (&state.said, &said.1) {
            // Tried again after it failed.
            (Some((last, Stage::Failed(_))), Stage::Started) => *last == step,
            (last, _) => last.as_ref() == Some(&said),
        };
        if is_repeated {
            return;
        }
        for (object, uid) in self.about.iter().zip(state.uids.clone()) {
            let about = Object::new(EVENT, &object.namespace, &format!("about {object}"));
            let event = self.event(object, uid, &said, &note);
            if said.1 == Stage::Started {
                state.held.push((about, event));
            } else {
                self.send(&mut state, about, event);
            }
        }
        state.said = Some(said);
    }

    fn send(&self, state: &mut State, about: Object, event: Value) {
        while state.under_way.try_join_next().is_some() {}
        if state.under_way.len() >= MAX_UNDER_WAY {
            tracing::debug!("an Event is left out: too many are under way");
            return;
        }
        let caller = self.caller.clone();
        state.under_way.spawn(async move {
            if let Err(error) = caller.create(&about, &event).await {
                tracing::debug!(error = error.words(), "an Event was not taken");
            }
        });
    }

    fn event(
        &self,
        object: &Object,
        uid: Option<String>,
        (step, stage): &(Step, Stage),
        note: &str,
    ) -> Value {
        let Object { kind, namespace, name } = object;
        let (kind_of, reason) = match stage {
            Stage::Started => ("Normal", "RollbackStepStarted"),
            Stage::Done => ("Normal", "RollbackStepDone"),
            Stage::Failed(_) => ("Warning", "RollbackStepFailed"),
        };
        json!({
            "apiVersion": EVENT.api_version(),
            "kind": EVENT.name,
            "metadata": { "generateName": "backstop-", "namespace": namespace },
            "eventTime": self.clock.now().to_rfc3339_opts(SecondsFormat::Micros, true),
            "type": kind_of,
            "reason": reason,
            "action": step.as_str(),
            "note": kept_within(note, MAX_NOTE_CHARS),
            "regarding": { "apiVersion": kind.api_version(), "kind": kind.name, "namespace": namespace, "name": name, "uid": uid },
            "reportingController": "backstop",
            "reportingInstance": FIELD_MANAGER,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
