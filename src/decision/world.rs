//! A small world for tests: one rollout, a clock that is set by hand, a canary whose share is set
//! by hand, and every event recorded so that folding can be compared.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Command, Confirmation, Context, Input, Mode, OnUnverified, PlanPolicy, Policy, Reading, Refusal, Request,
    decide, due,
};
use crate::incident::fixtures::firing;
use crate::incident::{
    Alert, AlertStatus, Answer, Attempt, Check, CheckName, CheckOutcome, Event, Fingerprint, Incident,
    IncidentId, Observation, Reason, Revision, RolloutName, RolloutState, Share, Step, StepOutcome,
    StepRecord, StoredAs, Verdict, Verification,
};

pub(super) struct World {
    pub(super) state: RolloutState,
    pub(super) policy: Policy,
    pub(super) now: DateTime<Utc>,
    pub(super) reading: Reading,
    pub(super) observed: Option<(DateTime<Utc>, Observation)>,
    pub(super) last_zero_at: Option<DateTime<Utc>>,
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) frozen: Option<String>,
    pub(super) watchdog_silent_seconds: u64,
    pub(super) watchdog_heard: bool,
    pub(super) journal: Vec<StoredAs>,
    pub(super) refusal: Option<Refusal>,
    rollout: RolloutName,
    nonce: u16,
}

/// Armed, with the protocol's spans and v1.4.0 on canary.
pub(crate) fn armed_policy() -> Policy {
    Policy {
        mode: Mode::Armed,
        matching: BTreeMap::new(),
        revision: Revision::new("v1.4.0"),
        grace: TimeDelta::minutes(5),
        hold: TimeDelta::minutes(30),
        on_unverified: OnUnverified::RollBack,
        plan: PlanPolicy::TrafficOnly,
        verify_window: TimeDelta::minutes(10),
        guard: TimeDelta::zero(),
        rollback_deadline: TimeDelta::minutes(12),
        reading_valid: TimeDelta::seconds(30),
        watchdog_timeout: TimeDelta::minutes(3),
        recipients: Vec::new(),
    }
}

impl World {
    /// 03:00, the canary at 25 %, read just now.
    pub(super) fn with_canary() -> Self {
        let mut world = Self {
            state: RolloutState::default(),
            policy: armed_policy(),
            now: "2026-11-24T03:00:00Z".parse().expect("a time"),
            reading: Reading::Never,
            observed: None,
            last_zero_at: None,
            not_before: None,
            frozen: None,
            watchdog_silent_seconds: 0,
            watchdog_heard: true,
            journal: Vec::new(),
            refusal: None,
            rollout: RolloutName::new("spark-trading"),
            nonce: 0,
        };
        world.share(25);
        world
    }

    pub(super) fn send(&mut self, input: &Input) -> Option<Reason> {
        self.nonce += 1;
        let seen = self.observed.as_ref().map(|(at, observed)| (*at, observed));
        let revision = self.policy.revision_now(&self.state, seen.map(|(_, observed)| observed));
        let context = Context {
            rollout: &self.rollout,
            policy: &self.policy,
            revision,
            now: self.now,
            nonce: self.nonce,
            reading: self.reading,
            observed: seen,
            last_zero_at: self.last_zero_at,
            not_before: self.not_before,
            frozen: self.frozen.as_deref(),
            watchdog_silent_seconds: Some(self.watchdog_silent_seconds),
            watchdog_heard: self.watchdog_heard,
        };
        let decided = decide(self.state.clone(), input, &context);
        let mut folded = self.state.clone();
        for stored in &decided.events {
            folded.apply(stored);
        }
        assert_eq!(folded, decided.state, "the state is the fold of the events, after {input:?}");
        self.state = decided.state;
        self.refusal = decided.refusal;
        self.journal.extend(decided.events);
        decided.reason
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    pub(super) fn share(&mut self, percent: u8) -> Option<Reason> {
        let share = Some(Share(percent));
        self.reading = Reading::At { at: self.now, share };
        if percent == 0 {
            self.last_zero_at = Some(self.now);
        }
        self.send(&Input::ShareRead)
    }

    pub(super) fn unreadable(&mut self) -> Option<Reason> {
        self.reading = Reading::At { at: self.now, share: None };
        self.send(&Input::ShareRead)
    }

    pub(super) fn alert(&self, name: &str, severity: &str, started_seconds_ago: i64) -> Alert {
        let starts_at = self.now - TimeDelta::seconds(started_seconds_ago);
        firing(name, &[("alertname", name), ("severity", severity)], starts_at)
    }

    pub(super) fn fire(&mut self, alert: &Alert) -> Option<Reason> {
        self.send(&Input::Alert { alert: alert.clone(), body: None })
    }

    pub(super) fn critical(&mut self, name: &str) -> Option<Reason> {
        let alert = self.alert(name, "critical", 0);
        self.fire(&alert)
    }

    pub(super) fn warning(&mut self, name: &str) -> Option<Reason> {
        let alert = self.alert(name, "warning", 0);
        self.fire(&alert)
    }

    pub(super) fn resolve(&mut self, name: &str) -> Option<Reason> {
        let known = self.state.alerts.get(&Fingerprint::new(name)).expect("a known alert").alert.clone();
        let alert = Alert { status: AlertStatus::Resolved, ends_at: Some(self.now), ..known };
        self.fire(&alert)
    }

    pub(super) fn confirm(&mut self, answer: Confirmation) -> Option<Reason> {
        let asked = self.asked();
        self.answer(asked, answer)
    }

    /// The alerts that would be asked about now.
    pub(super) fn asked(&self) -> Vec<(Fingerprint, DateTime<Utc>)> {
        let alerts = self.incident().alerts.iter().map(|attached| &attached.alert);
        alerts.map(|alert| (alert.fingerprint.clone(), alert.starts_at)).collect()
    }

    pub(super) fn answer(
        &mut self,
        asked: Vec<(Fingerprint, DateTime<Utc>)>,
        answer: Confirmation,
    ) -> Option<Reason> {
        let incident = self.id();
        self.send(&Input::Confirmation { incident, asked, answer, answers: vec![format!("{answer:?}")] })
    }

    pub(super) fn person(&mut self, request: Request) -> Option<Reason> {
        self.send(&Input::Person { actor: "ada".to_owned(), request })
    }

    pub(super) fn step(&mut self, outcome: StepOutcome) -> Option<Reason> {
        self.answered(Some(200), "ok", outcome)
    }

    /// A step that ends with this answer to its only request.
    pub(super) fn answered(
        &mut self,
        status: Option<u16>,
        text: &str,
        outcome: StepOutcome,
    ) -> Option<Reason> {
        let (incident, attempt) = (self.id(), self.incident().attempt());
        let tried = Attempt {
            started_at: self.now,
            ended_at: self.now,
            request: "POST".to_owned(),
            answer: Answer { status, text: text.to_owned() },
            read_back: None,
            observed: None,
            read_failed: false,
            outcome,
        };
        let (started_at, ended_at) = (self.now, self.now);
        let step = StepRecord {
            step: self.incident().progress.step.unwrap_or(Step::TrafficOff),
            started_at,
            ended_at,
            attempts: vec![tried],
            outcome,
            share_before: None,
            decided_at: None,
        };
        self.send(&Input::StepEnded { incident, attempt, step })
    }

    pub(super) fn verify(&mut self, verdict: Verdict, share: CheckOutcome) -> Option<Reason> {
        let (incident, attempt) = (self.id(), self.incident().attempt());
        let check = Check { name: CheckName::TrafficShare, outcome: share, detail: String::new() };
        let (started_at, ended_at) = (self.now, self.now);
        let verification = Verification { started_at, ended_at, verdict, checks: vec![check] };
        self.send(&Input::Verified { incident, attempt, verification })
    }

    /// Carries the running rollback to its good end.
    pub(super) fn finish(&mut self) {
        self.step(StepOutcome::Done);
        self.share(0);
        self.verify(Verdict::Verified, CheckOutcome::Pass);
        assert_eq!(self.phase(), "rolled_back");
    }

    pub(super) fn incident(&self) -> &Incident {
        self.state.incident.as_deref().expect("an incident")
    }

    pub(super) fn id(&self) -> IncidentId {
        self.incident().id.clone()
    }

    pub(super) fn phase(&self) -> &'static str {
        self.incident().phase.name()
    }

    pub(super) fn due(&self) -> Vec<Command> {
        due(&self.state, &self.policy, self.now).commands
    }

    pub(super) fn asks_to_confirm(&self) -> bool {
        self.due().contains(&Command::Confirm { incident: self.id() })
    }

    pub(super) fn rollbacks(&self) -> usize {
        self.journal
            .iter()
            .filter(|stored| matches!(stored.event, Event::RollbackStarted { attempt: 1, .. }))
            .count()
    }

    pub(super) fn notices(&self) -> Vec<&'static str> {
        let kinds = self.journal.iter().filter_map(|stored| match &stored.event {
            Event::NoticeRaised { kind, .. } => Some(kind.as_str()),
            _ => None,
        });
        kinds.collect()
    }
}
