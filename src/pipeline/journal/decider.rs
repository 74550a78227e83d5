//! Decides, in order, over the newest states; waits for nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::step_detector::StepDetector;
use super::{JournalParts, Ruling, States};
use crate::decision::{Context, Decided, Input, Reading, decide};
use crate::incident::{RolloutName, StoredAs};

/// The newest states, and what decisions about them look at.
#[derive(Debug)]
pub(super) struct Decider {
    parts: JournalParts,
    pub(super) states: States,
    steps: StepDetector,
}

impl Decider {
    pub(super) fn new(parts: JournalParts, states: States, last_seen: Option<DateTime<Utc>>) -> Self {
        let steps = StepDetector::starting(parts.clock.as_ref(), last_seen);
        Self { parts, states, steps }
    }

    /// Before anything else is decided: no deadline may be compared with a clock it was not made for.
    pub(super) fn notice_a_step(&mut self) -> Vec<StoredAs> {
        let mut events = Vec::new();
        let Some(by) = self.steps.stepped(self.parts.clock.as_ref()) else { return events };
        self.parts.observed.clock_set(by);
        let names: Vec<_> = self.states.keys().cloned().collect();
        for name in names {
            let _nobody_asked = self.decide(&name, &Input::ClockStepped { by }, &mut events);
        }
        events
    }

    pub(super) fn decide(&mut self, name: &RolloutName, input: &Input, events: &mut Vec<StoredAs>) -> Ruling {
        let nothing = Ruling { reason: None, incident: None, refusal: None, news: false };
        // An input for a rollout that is no longer configured has nobody to act for.
        let Some(rollout) = self.parts.rollouts.get(name) else { return nothing };
        let now = self.parts.clock.now();
        let observed = &self.parts.observed;
        let (reading, last_zero_at) = observed.reading(name, now);
        let observation = observed.observation(name, now);
        let not_before = match input {
            Input::Alert { alert, .. } => observed.not_before(name, alert, now),
            _ => None,
        };
        // Removed from the map so that the decision needn't copy it unless somebody still reads it.
        let state = self.states.remove(name).unwrap_or_default();
        let seen = observation.as_ref().map(|(_, observation)| observation.as_ref());
        let revision = rollout.policy.revision_now(&state, seen).clone();
        let frozen = rollout.freeze.frozen_at(now).map(|frozen| frozen.words());
        let context = Context {
            rollout: name,
            policy: &rollout.policy,
            revision: &revision,
            now,
            nonce: self.parts.randomness.nonce(),
            reading: if rollout.lane.target().can_observe() { reading } else { Reading::NotConfigured },
            observed: observation.as_ref().map(|(at, observation)| (*at, observation.as_ref())),
            last_zero_at,
            not_before,
            frozen: frozen.as_deref(),
            watchdog_silent_seconds: Some(observed.watchdog_silent_seconds(&rollout.policy.matching)),
            watchdog_heard: observed.was_watchdog_heard(&rollout.policy.matching),
        };
        let Decided { state, events: decided, reason, incident, refusal } =
            decide(Arc::unwrap_or_clone(state), input, &context);
        self.states.insert(name.clone(), Arc::new(state));
        if let Some(reason) = reason {
            self.parts.metrics.decided(name, reason);
            tracing::debug!(rollout = %name, %reason, incident = incident.as_ref().map(tracing::field::display), "decided");
        }
        let news = !decided.is_empty();
        events.extend(decided);
        Ruling { reason, incident, refusal, news }
    }
}
