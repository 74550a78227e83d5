//! Incidents as they are folded from events, from the first alert to the last message.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::fixtures::firing;
use crate::incident::{
    Alert, AlertFact, Answer, AttachedAlert, Attempt, BlobRef, Cause, ChannelName, Check, CheckName,
    CheckOutcome, Event, EvidenceFile, Fingerprint, GraceCause, Incident, IncidentId, MessageOutcome,
    NoticeFact, NoticeId, OpenedIncident, Reason, References, Revision, RolloutName, Severity, Share,
    SnapshotPoint, Stage, Step, StepOutcome, StepRecord, Trigger, Verdict, Verification,
};

pub(super) const SLACK: &str = "slack";
pub(super) const PAGERDUTY: &str = "pagerduty";

/// 03:00 and so many milliseconds.
pub(super) fn at(milliseconds: i64) -> DateTime<Utc> {
    let three: DateTime<Utc> = "2026-11-24T03:00:00Z".parse().expect("a time");
    three + TimeDelta::milliseconds(milliseconds)
}

/// Every text that others choose.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    pub(super) actor: String,
    pub(super) words: String,
    pub(super) alert: String,
    pub(super) description: String,
    pub(super) threshold: String,
    pub(super) runbook: String,
    pub(super) revision: String,
    pub(super) answer: String,
    pub(super) error: String,
    pub(super) file: String,
}

impl Default for Foreign {
    fn default() -> Self {
        let own = str::to_owned;
        Self {
            actor: own("ada"),
            words: own("switched off by hand"),
            alert: own("CanaryErrorRateCritical"),
            description: own("4.2 % of the requests of prod ended in a 5xx"),
            threshold: own("3 %"),
            runbook: own("https://example.org/runbooks.md#canaryerrorratecritical"),
            revision: own("v1.4.0"),
            answer: own("the answer of the flag API"),
            error: own("channel_not_found"),
            file: own("rollback_20261124_030001.txt"),
        }
    }
}

impl Foreign {
    /// The same text in every place.
    pub(super) fn all(text: &str) -> Self {
        let own = || text.to_owned();
        Self {
            actor: own(),
            words: own(),
            alert: own(),
            description: own(),
            threshold: own(),
            runbook: own(),
            revision: own(),
            answer: own(),
            error: own(),
            file: own(),
        }
    }
}

/// An incident in the making.
pub(super) struct Story {
    pub(super) incident: Incident,
    foreign: Foreign,
    notices: u32,
    /// The share that is read just before a request.
    pub(super) share_before: Option<u8>,
}

impl Story {
    fn alert(foreign: &Foreign, severity: &str, started: i64) -> Alert {
        let mut alert =
            firing("00000000000000a1", &[("alertname", &foreign.alert), ("severity", severity)], at(started));
        alert.annotations = [
            ("description", &foreign.description),
            ("threshold", &foreign.threshold),
            ("runbook_url", &foreign.runbook),
        ]
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).clone()))
        .collect();
        alert
    }

    /// An alert that began at 03:00:00 and came 0.8 s later, while `share` was on the canary.
    pub(super) fn of_alert(foreign: &Foreign, severity: Severity, share: Option<u8>) -> Self {
        let reason =
            if severity == Severity::Critical { Reason::CriticalAlert } else { Reason::WarningAlert };
        let alert = Self::alert(foreign, severity.as_str(), 0);
        let cause = foreign.alert.clone();
        let alert = Some(AttachedAlert { alert, received_at: at(800), reason, body: None });
        Self::opened(
            foreign,
            share,
            OpenedIncident { alert, ..opening(severity, reason, cause, Trigger::Automatic) },
        )
    }

    /// A person's request.
    pub(super) fn of_person(foreign: &Foreign, share: Option<u8>) -> Self {
        let trigger = Trigger::Manual { actor: foreign.actor.clone() };
        Self::opened(
            foreign,
            share,
            opening(Severity::Critical, Reason::Manual, foreign.words.clone(), trigger),
        )
    }

    fn opened(foreign: &Foreign, share: Option<u8>, opened: OpenedIncident) -> Self {
        let share = share.map(Share);
        let opened = OpenedIncident {
            revision: Revision::new(foreign.revision.clone()),
            stage: share.and_then(|share| Stage::from_share(share.0)),
            share,
            share_read_at: share.map(|_| at(400)),
            ..opened
        };
        let id = IncidentId::new("spark-trading-20261124-030000-00a1");
        let incident = Incident::open(id, RolloutName::new("spark-trading"), at(800), opened);
        Self { incident, foreign: foreign.clone(), notices: 0, share_before: Some(25) }
    }

    pub(super) fn tell(&mut self, milliseconds: i64, event: Event) {
        self.incident.apply(at(milliseconds), &event);
    }

    /// Raises a notice, and returns its number.
    pub(super) fn notice(&mut self, milliseconds: i64, fact: NoticeFact, to: &[&str]) -> u32 {
        self.notices += 1;
        let to = to.iter().map(|name| ChannelName::new(*name)).collect();
        self.tell(
            milliseconds,
            Event::NoticeRaised {
                kind: fact.kind(),
                id: Some(NoticeId(self.notices)),
                fact: Some(Box::new(fact)),
                stage: None,
                share: None,
                to,
                text: String::new(),
            },
        );
        self.notices
    }

    pub(super) fn call(&mut self, milliseconds: i64, channel: &str, notice: u32, outcome: MessageOutcome) {
        let (channel, notice, call) = (ChannelName::new(channel), NoticeId(notice), "root".to_owned());
        let begun = Event::MessageBegun { channel: channel.clone(), notice, call: call.clone() };
        self.tell(milliseconds - 100, begun);
        self.tell(milliseconds, Event::MessageEnded { channel, notice, call, outcome });
    }

    pub(super) fn sent(&mut self, milliseconds: i64, channel: &str, notice: u32) {
        let outcome = MessageOutcome::Sent { references: References::new(), complete: true };
        self.call(milliseconds, channel, notice, outcome);
    }

    pub(super) fn grace(&mut self, milliseconds: i64) {
        let ends_at = at(300_000);
        self.tell(milliseconds, Event::GraceStarted { cause: GraceCause::Warning, ends_at });
        let alert = AlertFact::of(&self.incident.alerts[0].alert);
        let opened = NoticeFact::GraceOpened { alert, ends_at, is_over: false, shadow: false };
        let notice = self.notice(milliseconds, opened, &[SLACK]);
        self.sent(milliseconds + 900, SLACK, notice);
    }

    /// The rollback begins for what the incident opened with.
    pub(super) fn begins(&mut self, milliseconds: i64) {
        let reason = self.incident.opened.reason;
        let cause = Cause { reason, ..Cause::of_opening(&self.incident.opened, at(milliseconds)) };
        let due_at = at(milliseconds + 720_000);
        let started = Event::RollbackStarted {
            reason,
            attempt: 1,
            due_at: Some(due_at),
            cause: Some(cause.clone()),
            plan: None,
        };
        self.tell(milliseconds, started);
        let alert = self.incident.opened.alert.as_ref().map(|attached| AlertFact::of(&attached.alert));
        let revision = self.incident.revision().clone();
        let told = NoticeFact::RollbackStarted { revision, cause, alert, due_at };
        let notice = self.notice(milliseconds, told, &[SLACK, PAGERDUTY]);
        self.sent(milliseconds + 700, SLACK, notice);
        let (error, retry_at) = (self.foreign.error.clone(), at(milliseconds + 2_000));
        self.call(milliseconds + 800, PAGERDUTY, notice, MessageOutcome::Failed { error, retry_at });
        self.sent(milliseconds + 2_100, PAGERDUTY, notice);
    }

    pub(super) fn step(&mut self, milliseconds: i64, outcome: StepOutcome, read_back: Option<u8>) {
        let status = if outcome.is_done() { 200 } else { 503 };
        let attempt = Attempt {
            started_at: at(milliseconds),
            ended_at: at(milliseconds + 12),
            request:
                "POST http://flags.example/api/features/rollout {\"feature\":\"v1.4.0\",\"percentage\":0}"
                    .to_owned(),
            answer: Answer { status: Some(status), text: self.foreign.answer.clone() },
            read_back: read_back.map(Share),
            observed: None,
            read_failed: false,
            outcome,
        };
        let step = StepRecord {
            step: Step::TrafficOff,
            started_at: at(milliseconds),
            ended_at: at(milliseconds + 20),
            attempts: vec![attempt],
            outcome,
            share_before: self.share_before.map(Share),
            decided_at: None,
        };
        self.tell(milliseconds + 20, Event::StepEnded(step));
        if outcome.is_done() {
            self.tell(milliseconds + 20, Event::VerificationStarted { until: at(milliseconds + 600_000) });
        }
    }

    pub(super) fn verified(&mut self, milliseconds: i64, verdict: Verdict, version: CheckOutcome) {
        let check = |name, outcome, detail: &str| Check { name, outcome, detail: detail.to_owned() };
        let checks = vec![
            check(CheckName::TrafficShare, CheckOutcome::Pass, "read as 0 %"),
            check(CheckName::StableVersion, version, &self.foreign.answer),
            check(CheckName::AlertExpression, CheckOutcome::Pass, "0.4 % (threshold 3 %)"),
            check(
                CheckName::CanaryRequests,
                CheckOutcome::Pass,
                "none in the last 60 s, about 400 in as long before the rollback",
            ),
            check(CheckName::Metrics, CheckOutcome::NotConfigured, ""),
        ];
        let (started_at, ended_at) = (at(milliseconds - 2_000), at(milliseconds));
        let verification = Verification { started_at, ended_at, verdict, checks };
        self.tell(milliseconds, Event::VerificationEnded(verification));
        self.tell(milliseconds, Event::RolledBack);
        let notice = self.notice(milliseconds, NoticeFact::RollbackEnded { verdict }, &[SLACK, PAGERDUTY]);
        self.sent(milliseconds + 600, SLACK, notice);
        self.sent(milliseconds + 700, PAGERDUTY, notice);
    }

    pub(super) fn acknowledged(&mut self, milliseconds: i64) {
        let actor = self.foreign.actor.clone();
        self.tell(milliseconds, Event::Acknowledged { actor: actor.clone() });
        let notice = self.notice(milliseconds, NoticeFact::Acknowledged { actor }, &[SLACK]);
        self.sent(milliseconds + 500, SLACK, notice);
    }

    pub(super) fn resolved(&mut self, milliseconds: i64) {
        let fingerprint = Fingerprint::new("00000000000000a1");
        self.tell(milliseconds, Event::AlertResolved { fingerprint, ends_at: at(milliseconds) });
    }

    pub(super) fn recorded(&mut self, milliseconds: i64, error: Option<&str>) {
        let body = BlobRef { sha256: "00".repeat(32), bytes: 7 };
        let body = error.is_none().then_some(body);
        let error = error.map(str::to_owned);
        self.tell(milliseconds, Event::SnapshotTaken { when: SnapshotPoint::Before, body, error });
        let files = vec![EvidenceFile::new(self.foreign.file.clone(), "5e".repeat(32))];
        self.tell(milliseconds, Event::EvidenceWritten { complete: true, files });
    }
}

fn opening(severity: Severity, reason: Reason, cause: String, trigger: Trigger) -> OpenedIncident {
    OpenedIncident {
        severity,
        reason,
        cause,
        trigger,
        ..crate::incident::fixtures::opened_by_warning("replaced")
    }
}
