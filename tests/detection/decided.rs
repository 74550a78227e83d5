//! Walks the alerts that fired through the real decisions, on stepped time, up to the action.

use std::collections::{BTreeMap, BTreeSet};

use backstop::decision::{
    Command, Confirmation, Context, Input, Mode, OnUnverified, PlanPolicy, Policy, Reading, decide, due,
};
use backstop::incident::{Alert, AlertStatus, Fingerprint, Revision, RolloutName, RolloutState, Share};
use chrono::{DateTime, TimeDelta, Utc};

use crate::promtool::{AlertLabels, EVALUATION_SECONDS, Firing};

/// What a rollback began for, and when, in seconds from the canary's start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rollback {
    pub(crate) at: u32,
    pub(crate) alert: String,
}

/// Alertmanager sends a resolve by its group's interval.
const RESOLVED_AFTER_SECONDS: u32 = 30;

/// The first rollback, if one begins.
pub(crate) fn rollback(firing: &Firing, minutes: u32) -> Option<Rollback> {
    let mut walk = Walk::new();
    let mut known: BTreeMap<AlertLabels, (DateTime<Utc>, Option<u32>)> = BTreeMap::new();
    for at in (0..minutes * 60).step_by(EVALUATION_SECONDS as usize) {
        walk.now = walk.start + TimeDelta::seconds(i64::from(at));
        walk.share();
        let none = BTreeSet::new();
        let current: BTreeSet<&AlertLabels> = firing
            .get(&at)
            .unwrap_or(&none)
            .iter()
            .filter(|labels| labels.get("canary_rollback").is_some_and(|value| value == "true"))
            .collect();
        for labels in &current {
            let now = walk.now;
            let entry = known.entry((*labels).clone()).or_insert((now, None));
            // A gap that is shorter than Alertmanager's group interval is never reported.
            entry.1 = None;
            walk.send(&Input::Alert { alert: alert(labels, entry.0, None), body: None });
        }
        let gone: Vec<_> = known.keys().filter(|labels| !current.contains(labels)).cloned().collect();
        for labels in gone {
            let Some(entry) = known.get_mut(&labels) else { continue };
            let since = *entry.1.get_or_insert(at);
            if at - since >= RESOLVED_AFTER_SECONDS {
                let alert = alert(&labels, entry.0, Some(walk.start + TimeDelta::seconds(i64::from(since))));
                known.remove(&labels);
                walk.send(&Input::Alert { alert, body: None });
            }
        }
        if let Some(alert) = walk.carry_out(&current) {
            return Some(Rollback { at, alert });
        }
    }
    None
}

fn fingerprint(labels: &AlertLabels) -> Fingerprint {
    Fingerprint::new(format!("{labels:?}"))
}

fn alert(labels: &AlertLabels, starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>) -> Alert {
    Alert {
        fingerprint: fingerprint(labels),
        status: if ends_at.is_some() { AlertStatus::Resolved } else { AlertStatus::Firing },
        labels: labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        annotations: std::iter::empty::<(String, String)>().collect(),
        starts_at,
        ends_at,
        generator_url: String::new(),
        mapped_severity: None,
    }
}

struct Walk {
    state: RolloutState,
    policy: Policy,
    rollout: RolloutName,
    start: DateTime<Utc>,
    now: DateTime<Utc>,
    nonce: u16,
}

impl Walk {
    fn new() -> Self {
        let start = "2026-11-24T03:00:00Z".parse().expect("a time");
        let policy = Policy {
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
        };
        let rollout = RolloutName::new("spark-trading");
        Self { state: RolloutState::default(), policy, rollout, start, now: start, nonce: 0 }
    }

    fn send(&mut self, input: &Input) {
        self.nonce = self.nonce.wrapping_add(1);
        let context = Context {
            rollout: &self.rollout,
            policy: &self.policy,
            revision: &self.policy.revision,
            now: self.now,
            nonce: self.nonce,
            reading: Reading::At { at: self.now, share: Some(Share(5)) },
            observed: None,
            last_zero_at: None,
            not_before: None,
            frozen: None,
            watchdog_silent_seconds: Some(0),
            watchdog_heard: true,
        };
        self.state = decide(std::mem::take(&mut self.state), input, &context).state;
    }

    fn share(&mut self) {
        self.send(&Input::ShareRead);
    }

    /// Carries out what is due; the alert that a rollback begins for, if one does.
    fn carry_out(&mut self, firing: &BTreeSet<&AlertLabels>) -> Option<String> {
        for command in due(&self.state, &self.policy, self.now).commands {
            if let Command::Confirm { incident } = command {
                let open = self.state.incident.as_deref()?;
                let alerts = open.alerts.iter().map(|attached| &attached.alert);
                let asked = alerts.map(|alert| (alert.fingerprint.clone(), alert.starts_at)).collect();
                let fires = open.alerts.iter().any(|attached| {
                    firing.iter().any(|labels| fingerprint(labels) == attached.alert.fingerprint)
                });
                let answer = if fires { Confirmation::StillFiring } else { Confirmation::Gone };
                let answers = vec!["as Alertmanager lists".to_owned()];
                self.send(&Input::Confirmation { incident, asked, answer, answers });
            }
        }
        let commands = due(&self.state, &self.policy, self.now).commands;
        if !commands.iter().any(Command::acts) {
            return None;
        }
        Some(self.state.incident.as_deref()?.cause().words)
    }
}
