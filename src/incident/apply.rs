//! How one event changes an incident.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::words::time;
use super::{
    AttachedAlert, Bounded, Cause, Deliveries, Escalation, Event, Fingerprint, GraceCause, Hold, Incident,
    IncidentId, Level, NewNeed, NoteEntry, Notice, NoticeFact, NoticeKind, OpenedIncident, Phase, Plan,
    Progress, Reason, RolloutName, Severity, StepRecord, Trigger,
};
use crate::text::shown;

impl Incident {
    /// The incident that [`Event::IncidentOpened`] begins, with its first note.
    #[must_use]
    pub fn open(id: IncidentId, rollout: RolloutName, at: DateTime<Utc>, opened: OpenedIncident) -> Self {
        let mut incident = Self {
            id,
            rollout,
            opened_at: at,
            closed_at: None,
            phase: Phase::Opened,
            severity: opened.severity,
            grace_ends_at: None,
            rollback_started_at: None,
            rollback_due_at: None,
            alerts: opened.alert.iter().cloned().map(Arc::new).collect::<Vec<_>>().into(),
            causes: Bounded::default(),
            steps: Bounded::default(),
            plan: Plan::default(),
            progress: Progress::default(),
            step_begun_at: None,
            failures: BTreeMap::new(),
            verification: None,
            evidence: Vec::new(),
            evidence_complete: false,
            snapshots: Vec::new(),
            notices: Bounded::default(),
            overdue_reported: false,
            acknowledged_by: None,
            noted_before: None,
            notes: Bounded::default(),
            deliveries: Deliveries::default(),
            escalation: None,
            alerts_ended: false,
            is_followed: false,
            opened,
        };
        let opened = &incident.opened;
        let text = match &opened.trigger {
            Trigger::Automatic => {
                format!("{} fires ({})", shown(&opened.cause), opened.severity.as_str())
            }
            Trigger::Manual { actor } => {
                format!("{} asks for a rollback: {}", shown(actor), shown(&opened.cause))
            }
        };
        incident.note(at, "incident_opened", Some(incident.opened.reason), text);
        incident
    }

    /// Applies one event of this incident. Replaying the same events gives the same incident.
    pub fn apply(&mut self, at: DateTime<Utc>, event: &Event) {
        match event {
            Event::IncidentOpened(_)
            | Event::AlertSeen { .. }
            | Event::TriageStarted { .. }
            | Event::TriageEnded
            | Event::ShareRead { .. }
            | Event::WatchdogLost { .. }
            | Event::WatchdogBack
            | Event::Ramp { .. } => {}
            Event::ClockStepped { by_milliseconds } => self.clock_stepped(at, *by_milliseconds),
            Event::GraceStarted { cause, ends_at } => {
                self.phase = Phase::Grace { cause: *cause, confirm_early: false };
                self.grace_ends_at = Some(*ends_at);
                self.note(at, event.name(), None, format!("a grace runs until {}", time(*ends_at)));
            }
            Event::GraceMoved { ends_at } => {
                self.grace_ends_at = Some(*ends_at);
                self.note(at, event.name(), None, format!("the grace ends at {} now", time(*ends_at)));
            }
            Event::AlertAttached(attached) => self.attach(at, attached),
            Event::AlertResolved { fingerprint, ends_at } => self.resolve(at, fingerprint, *ends_at),
            Event::Confirmed { reason, answers } => {
                if let Phase::Grace { confirm_early, .. } = &mut self.phase {
                    *confirm_early = false;
                }
                let answers: Vec<_> = answers.iter().map(|answer| shown(answer)).collect();
                self.decision(at, event, *reason, &answers.join("; "));
            }
            Event::Held { reason, actor, until } => {
                self.phase = Phase::Held(Hold { actor: actor.clone(), reason: *reason, until: *until });
                let text = format!("{} holds it until {}", shown(actor), time(*until));
                self.decision(at, event, *reason, &text);
            }
            Event::Resumed { reason, actor } => {
                self.phase = Phase::Grace { cause: GraceCause::Warning, confirm_early: false };
                let who = match reason {
                    Reason::HoldExpired => String::new(),
                    _ => format!("{} ends the hold", shown(actor)),
                };
                self.decision(at, event, *reason, &who);
            }
            Event::Acknowledged { actor } => {
                self.acknowledged_by = Some(actor.clone());
                let text = format!("{} has taken note", shown(actor));
                self.note(at, event.name(), Some(Reason::Acknowledged), text);
            }
            Event::Cancelled { .. }
            | Event::Declined { .. }
            | Event::Superseded { .. }
            | Event::Closed { .. }
            | Event::RolledBack => self.close(at, event),
            Event::RollbackStarted { reason, attempt, due_at, cause, plan } => {
                self.start_rollback(at, *attempt, *due_at, cause.as_ref());
                if let Some(plan) = plan {
                    self.plan.clone_from(plan);
                }
                let text = match cause {
                    Some(cause) => format!("the rollback begins, for {}", cause_in_words(cause)),
                    None => format!("the rollback begins, attempt {attempt}"),
                };
                self.decision(at, event, *reason, &text);
            }
            Event::CauseAdded(cause) => {
                self.causes.push(cause.clone());
                let text = format!("a further cause: {}", cause_in_words(cause));
                self.note(at, event.name(), Some(cause.reason), text);
            }
            Event::StepStarted { step, observed } => {
                self.progress.step = Some(*step);
                self.progress.waiting = None;
                self.step_begun_at = Some(at);
                for warning in observed.iter().flat_map(|seen| &seen.warnings) {
                    let warning = shown(warning);
                    if self.notes.iter().all(|note| note.text != warning) {
                        self.note(at, event.name(), None, warning);
                    }
                }
            }
            Event::RollbackWaiting { reason, observed, .. } => {
                self.progress.waiting = Some(*reason);
                self.step_begun_at = None;
                let seen = observed.as_ref().map_or_else(String::new, |seen| format!(" ({})", seen.words()));
                self.note(at, event.name(), None, format!("{}{seen}", reason.sentence()));
            }
            Event::StepEnded(step) => {
                self.progress.ended(step);
                let step = StepRecord { decided_at: self.step_begun_at.take(), ..step.clone() };
                self.note(at, event.name(), None, step.sentence());
                self.steps.push(step);
            }
            Event::VerificationStarted { until } => {
                let attempt = self.attempt();
                self.phase = Phase::Verifying { since: at, until: *until, attempt };
                let text = format!("verification begins; its verdict is due by {}", time(*until));
                self.note(at, event.name(), None, text);
            }
            Event::VerificationEnded(verification) => {
                self.verification = Some(verification.clone());
                let text = format!("verification ended: {}", verification.verdict.sentence());
                self.note(at, event.name(), None, text);
            }
            Event::Failed { reason, detail, retry_at } => {
                let attempt = self.attempt();
                self.phase = Phase::Failed { reason: *reason, attempt, retry_at: *retry_at };
                self.needs_a_person(NewNeed::Failed(attempt));
                *self.failures.entry(*reason).or_default() += 1;
                let next = match retry_at {
                    Some(retry_at) => format!("it is tried again at {}", time(*retry_at)),
                    None => "it waits for a person".to_owned(),
                };
                self.decision(at, event, *reason, &format!("{}; {next}", shown(detail)));
            }
            Event::SnapshotTaken { when, body, error } => {
                self.snapshots.retain(|(taken, ..)| taken != when);
                self.snapshots.push((*when, body.clone(), error.clone()));
            }
            Event::EvidenceWritten { complete, files } => {
                self.evidence.clone_from(files);
                self.evidence_complete = *complete;
            }
            Event::EscalationPlanned { next, due_at } => {
                let is_put_off = self.escalation.is_some_and(|known| known.next == *next);
                self.escalation = Some(Escalation { next: *next, due_at: *due_at, is_put_off });
            }
            Event::NoticeRaised { .. } => {
                let Some(notice) = Notice::of(at, event) else { return };
                self.noticed(&notice);
                self.notices.push(notice);
                self.deliveries.apply(at, event);
            }
            Event::MessageBegun { .. } | Event::MessageEnded { .. } | Event::MessagesSuperseded { .. } => {
                self.deliveries.apply(at, event);
            }
        }
    }

    /// What is remembered of a notice, so that it is not raised again.
    fn noticed(&mut self, notice: &Notice) {
        self.overdue_reported |= notice.kind == NoticeKind::RollbackOverdue;
        match &notice.fact {
            Some(NoticeFact::AlertsEnded) => self.alerts_ended = true,
            Some(NoticeFact::Escalated { level, .. }) => {
                self.needs_a_person(NewNeed::Escalated(*level));
                self.escalation = self.escalation.filter(|_| *level != Level::LAST);
            }
            Some(NoticeFact::ChannelFailed { channel, .. }) => self.deliveries.failure_reported(channel),
            _ => {}
        }
    }

    fn start_rollback(
        &mut self,
        at: DateTime<Utc>,
        attempt: u32,
        due_at: Option<DateTime<Utc>>,
        cause: Option<&Cause>,
    ) {
        self.phase = Phase::RollingBack { attempt, since: at };
        self.step_begun_at = Some(at);
        self.progress = Progress::default();
        let first = self.rollback_started_at.is_none();
        self.rollback_started_at.get_or_insert(at);
        self.rollback_due_at = self.rollback_due_at.or(due_at);
        // A rollback from before causes were stored began for what its incident opened with.
        let opening = || Cause::of_opening(&self.opened, self.opened_at);
        if let Some(cause) = cause.cloned().or_else(|| first.then(opening)) {
            self.causes.push(cause);
        }
    }

    /// What is due, is due after the same span as before; what has happened keeps its time.
    fn clock_stepped(&mut self, at: DateTime<Utc>, by_milliseconds: i64) {
        let by = TimeDelta::milliseconds(by_milliseconds);
        self.progress.clock_stepped(by);
        let due = [&mut self.grace_ends_at, &mut self.rollback_due_at];
        let escalation = self.escalation.as_mut().map(|escalation| &mut escalation.due_at);
        due.into_iter().flatten().chain(escalation).for_each(|due| *due += by);
        match &mut self.phase {
            Phase::Held(hold) => hold.until += by,
            Phase::RollingBack { since, .. } => *since += by,
            Phase::Verifying { since, until, .. } => {
                *since += by;
                *until += by;
            }
            Phase::Failed { retry_at, .. } => *retry_at = retry_at.map(|retry_at| retry_at + by),
            Phase::Opened
            | Phase::Grace { .. }
            | Phase::RolledBack
            | Phase::Cancelled { .. }
            | Phase::Declined { .. }
            | Phase::Superseded { .. }
            | Phase::Closed { .. } => {}
        }
        let seconds = by.num_seconds();
        let text = format!("the clock was set by {seconds} s; what is due is due as much later");
        self.note(at, "clock_stepped", None, text);
    }

    fn attach(&mut self, at: DateTime<Utc>, attached: &AttachedAlert) {
        let alert = &attached.alert;
        self.severity = self.severity.max(alert.severity());
        self.alerts.attach(attached);
        if let Phase::Grace { confirm_early, .. } = &mut self.phase {
            *confirm_early = false;
        }
        // A critical that comes while the rollback runs would have caused it, had it been the first.
        if alert.severity() == Severity::Critical && self.has_rolled_back() {
            self.causes.push(Cause {
                at,
                reason: attached.reason,
                trigger: Trigger::Automatic,
                words: alert.name().to_owned(),
                alert: Some(alert.fingerprint.clone()),
                stage: None,
                share: None,
                share_read_at: None,
            });
        }
        let text = format!("{} fires too ({})", shown(alert.name()), alert.severity().as_str());
        self.note(at, "alert_attached", Some(attached.reason), text);
    }

    fn resolve(&mut self, at: DateTime<Utc>, fingerprint: &Fingerprint, ends_at: DateTime<Utc>) {
        self.alerts.resolve(fingerprint, ends_at);
        let firing = self.has_firing_alert();
        if let Phase::Grace { confirm_early, .. } = &mut self.phase {
            *confirm_early = !firing;
        }
        let known = self.alerts.find(fingerprint).map(|attached| shown(attached.alert.name()));
        let name = known.unwrap_or_else(|| shown(fingerprint.as_str()));
        self.note(at, "alert_resolved", None, format!("{name} has resolved, by message"));
    }

    fn close(&mut self, at: DateTime<Utc>, event: &Event) {
        let (phase, reason) = match event {
            Event::Cancelled { reason } => (Phase::Cancelled { reason: *reason }, *reason),
            Event::Declined { reason, cause } => {
                if let Some(cause) = cause {
                    self.causes.push(cause.clone());
                }
                (Phase::Declined { reason: *reason }, *reason)
            }
            Event::Superseded { by } => (Phase::Superseded { by: by.clone() }, Reason::Superseded),
            Event::Closed { actor, words } => {
                (Phase::Closed { actor: actor.clone(), words: words.clone() }, Reason::ClosedByPerson)
            }
            _ => (Phase::RolledBack, Reason::ReadBack),
        };
        let text = phase.sentence();
        self.phase = phase;
        self.closed_at = Some(at);
        self.escalation = None;
        self.note(at, event.name(), Some(reason), text);
    }

    /// A decision, with what its reason means.
    fn decision(&mut self, at: DateTime<Utc>, event: &Event, reason: Reason, text: &str) {
        let text = if text.is_empty() {
            reason.meaning().to_owned()
        } else {
            format!("{text}. {}", reason.meaning())
        };
        self.note(at, event.name(), Some(reason), text);
    }

    fn note(&mut self, at: DateTime<Utc>, event: &str, reason: Option<Reason>, text: String) {
        self.notes.push(Arc::new(NoteEntry { at, event: event.to_owned(), reason, text }));
    }
}

fn cause_in_words(cause: &Cause) -> String {
    match &cause.trigger {
        Trigger::Automatic => shown(&cause.words),
        Trigger::Manual { actor } => format!("{} in person: {}", shown(actor), shown(&cause.words)),
    }
}
