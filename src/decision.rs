//! Decides, and does nothing else: no I/O, no clock, no randomness. Time and a nonce are arguments.
//!
//! [`decide`] takes a rollout's state and one input, and returns the next state with the events
//! that lead there. The caller stores the events before anybody acts on them. What is then to be
//! done follows from the state alone ([`due()`]): a restart finds the same work again without
//! remembering anything else.

mod advance;
mod aftermath;
mod alerts;
mod clock;
mod confirmation;
mod deadline;
mod delivery;
mod draft;
mod due;
mod escalation;
mod grace;
mod label_name;
mod notices;
#[cfg(test)]
mod people;
mod plan;
mod policy;
#[cfg(test)]
mod promise_tests;
mod ramp;
mod revision;
mod rollback;
mod share;
#[cfg(test)]
mod table_tests;
mod watchdog;
#[cfg(test)]
pub(crate) mod world;

use chrono::{DateTime, TimeDelta, Utc};

pub use advance::next;
pub use confirmation::{AlertmanagerReading, Confirmation, ListedAlert, PrometheusReading, weigh};
pub use delivery::{MessageId, Sending};
use draft::Draft;
pub use due::{Command, Due, due};
pub use escalation::ESCALATE_EVERY;
pub use label_name::is_legacy_label_name;
pub use plan::Next;
pub(crate) use plan::OBSERVATION_VALID;
pub use policy::{Mode, OnUnverified, PlanPolicy, Policy, Recipient};
pub use ramp::{RampRefusal, RampRefusalName, RampRequest, RampStart, canary_replicas};
pub use watchdog::Watchdog;

use crate::incident::{
    Alert, BlobRef, EvidenceFile, Fingerprint, IncidentId, Judgement, Observation, RampId, Reason, Revision,
    RolloutName, RolloutState, Share, SnapshotPoint, Stage, Step, StepRecord, StoredAs, Verification,
};
use crate::text::shown;

/// What is known of the canary's share at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// There is nowhere to read it.
    NotConfigured,
    /// Not read since the start.
    Never,
    At {
        /// When it was asked for: what happened since is not in it. Of a failed one, when the try ended.
        at: DateTime<Utc>,
        /// What it was; `None`: it could not be read.
        share: Option<Share>,
    },
}

/// Everything a decision may look at beside state and input.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub rollout: &'a RolloutName,
    pub policy: &'a Policy,
    /// The revision on canary, see [`Policy::revision_now`].
    pub revision: &'a Revision,
    pub now: DateTime<Utc>,
    /// The number in the id of a rollout's first incident ever; those after it count on.
    pub nonce: u16,
    pub reading: Reading,
    /// The target's latest observation, and when it was asked for; `None`: none since the start.
    pub observed: Option<(DateTime<Utc>, &'a Observation)>,
    /// When the share was last read as 0 %, since the start of the process.
    pub last_zero_at: Option<DateTime<Utc>>,
    /// The earliest instant at which the input's alert can have begun; set only while clocks
    /// differ, so that its own times can't be believed.
    pub not_before: Option<DateTime<Utc>>,
    /// The freeze window that is open now, in words: no ramp starts or goes on then.
    pub frozen: Option<&'a str>,
    /// Seconds since the Watchdog was heard, or since the start if never; `None`: none is expected.
    pub watchdog_silent_seconds: Option<u64>,
    /// Whether it was heard since the start. One that was lost before is lost until then.
    pub watchdog_heard: bool,
}

/// What a person may ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    RollBack {
        reason: String,
        /// The stage, if the person names it.
        stage: Option<Stage>,
    },
    /// The same, meant for one incident and for nothing else: a button that is pressed too late must not
    /// roll back what the incident was never about.
    RollBackIncident {
        incident: IncidentId,
        reason: String,
    },
    Hold {
        incident: IncidentId,
        /// Until when; the rollout's setting if `None`.
        until: Option<DateTime<Utc>>,
    },
    Resume {
        incident: IncidentId,
    },
    Acknowledge {
        incident: IncidentId,
    },
    /// Something about the rollout's ramp.
    Ramp(RampRequest),
    /// End it without doing anything more.
    Close {
        incident: IncidentId,
        /// Why, in the person's words.
        words: String,
    },
}

/// What a decision is made about.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An alert came, by webhook or found by reconciliation.
    Alert {
        alert: Alert,
        /// The raw webhook body that brought it, where one did.
        body: Option<BlobRef>,
    },
    /// A critical that fired while Backstop was down, found in Prometheus.
    Missed {
        /// The alert, with `starts_at` the last instant at which it fired.
        alert: Alert,
    },
    /// The share was read; the context's reading says what came of it.
    ShareRead,
    Person {
        actor: String,
        request: Request,
    },
    /// Alertmanager and Prometheus were asked about an incident's alerts.
    Confirmation {
        incident: IncidentId,
        /// The alerts that were asked about, each with the start that was known.
        asked: Vec<(Fingerprint, DateTime<Utc>)>,
        answer: Confirmation,
        answers: Vec<String>,
    },
    /// The target was observed for a rollback's next step; the context has what was seen.
    Looked {
        incident: IncidentId,
        attempt: u32,
        /// Why it could not be, for so long that it is to be reported.
        error: Option<String>,
    },
    StepEnded {
        incident: IncidentId,
        attempt: u32,
        step: StepRecord,
    },
    /// A verification reached its verdict, good or bad.
    Verified {
        incident: IncidentId,
        attempt: u32,
        verification: Verification,
    },
    /// The application's metrics were read for a snapshot, or could not be.
    Snapshot {
        incident: IncidentId,
        when: SnapshotPoint,
        /// The metrics text, or why it could not be read.
        body: Result<BlobRef, String>,
    },
    EvidenceWritten {
        incident: IncidentId,
        /// Whether these are the last.
        complete: bool,
        files: Vec<EvidenceFile>,
        /// What people have to know about it, in sentences: earlier evidence is gone, a folder hangs.
        problems: Vec<String>,
    },
    ClockStepped {
        /// By how much; negative: back.
        by: TimeDelta,
    },
    /// A call to a channel is about to be made; it may be only if it is then recorded as begun.
    MessageBegun {
        message: MessageId,
        call: String,
    },
    MessageEnded {
        message: MessageId,
        call: String,
        sending: Sending,
        /// Between 0 and 1: how much of its share of chance the next gap gets.
        jitter: f64,
    },
    /// A change of a running ramp is about to be sent; it may have been decided long ago, before a restart.
    RampStepDue {
        ramp: RampId,
        step: Step,
    },
    /// A change of a running ramp ended.
    RampStepEnded {
        ramp: RampId,
        step: StepRecord,
    },
    /// Every criterion of a ramp's stage was judged just now.
    RampJudged {
        ramp: RampId,
        /// The stage's place in the plan.
        stage: usize,
        judgements: Vec<Judgement>,
    },
    RampEvidenceWritten {
        ramp: RampId,
        /// `None`: the record of the whole.
        stage: Option<usize>,
        files: Vec<EvidenceFile>,
        /// What is missing of it, or came otherwise, in sentences.
        problems: Vec<String>,
    },
    Tick,
}

/// Why a person's request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such incident, or it has closed.
    #[error("incident {0} is not open: see `backstop status`")]
    NotOpen(IncidentId),
    /// Only a grace can be held, and only a hold resumed.
    #[error("incident {incident}: {state}; {wanted}")]
    WrongState {
        incident: IncidentId,
        /// Where it stands, in a sentence.
        state: String,
        wanted: &'static str,
    },
    #[error(transparent)]
    Ramp(#[from] RampRefusal),
    /// The first who takes note has it in hand: a second name would only cover the first one's, in the
    /// record and in PagerDuty. Who does something about it is recorded for that.
    #[error("{}", if *by_the_same { "you have acknowledged it already".to_owned() } else { format!("{} has acknowledged it already", shown(by)) })]
    AlreadyAcknowledged {
        /// Who did; foreign text.
        by: String,
        by_the_same: bool,
    },
}

impl Refusal {
    /// The text used in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotOpen(_) => "not_open",
            Self::WrongState { .. } => "wrong_state",
            Self::Ramp(refusal) => refusal.name().as_str(),
            Self::AlreadyAcknowledged { .. } => "already_acknowledged",
        }
    }

    /// Why the actor can't acknowledge what `by` has acknowledged.
    #[must_use]
    pub fn already_acknowledged(by: &str, actor: &str) -> Self {
        Self::AlreadyAcknowledged { by: by.to_owned(), by_the_same: by == actor }
    }
}

/// The next state and the events that lead there; none of it is stored yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    pub state: RolloutState,
    /// The events that lead there, in order. Empty: nothing to store.
    pub events: Vec<StoredAs>,
    /// Why, by name; `None` where the input only reports.
    pub reason: Option<Reason>,
    /// The incident that it was about.
    pub incident: Option<IncidentId>,
    /// Set when a person's request was refused.
    pub refusal: Option<Refusal>,
}

/// Decides about one input. Deterministic: the same arguments give the same result.
#[must_use]
pub fn decide(state: RolloutState, input: &Input, context: &Context<'_>) -> Decided {
    let mut draft = Draft::new(state, context);
    revision::supersede(&mut draft);
    let reason = match input {
        Input::Alert { alert, body } => Some(alerts::received(&mut draft, alert, body.as_ref())),
        Input::Missed { alert } => Some(share::missed(&mut draft, alert)),
        Input::ShareRead => share::share_read(&mut draft),
        Input::Person { actor, request } => grace::person(&mut draft, actor, request),
        Input::Confirmation { incident, asked, answer, answers } => {
            grace::confirmed(&mut draft, incident, asked, (*answer, answers))
        }
        Input::Looked { incident, attempt, error } => {
            advance::looked(&mut draft, incident, *attempt, error.as_deref())
        }
        Input::StepEnded { incident, attempt, step } => {
            advance::step_ended(&mut draft, incident, *attempt, step)
        }
        Input::Verified { incident, attempt, verification } => {
            rollback::verified(&mut draft, incident, *attempt, verification)
        }
        Input::Snapshot { incident, when, body } => rollback::snapshot(&mut draft, incident, *when, body),
        Input::EvidenceWritten { incident, complete, files, problems } => {
            rollback::evidence_written(&mut draft, incident, *complete, files, problems)
        }
        Input::ClockStepped { by } => clock::stepped(&mut draft, *by),
        Input::MessageBegun { message, call } => delivery::begun(&mut draft, message, call),
        Input::MessageEnded { message, call, sending, jitter } => {
            delivery::ended(&mut draft, message, call, sending, *jitter)
        }
        Input::RampStepDue { ramp, step } => ramp::step_due(&mut draft, ramp, *step),
        Input::RampStepEnded { ramp, step } => ramp::step_ended(&mut draft, ramp, step),
        Input::RampJudged { ramp, stage, judgements } => ramp::judged(&mut draft, ramp, *stage, judgements),
        Input::RampEvidenceWritten { ramp, stage, files, problems } => {
            ramp::evidence_written(&mut draft, ramp, *stage, (files, problems))
        }
        Input::Tick => rollback::tick(&mut draft),
    };
    ramp::review(&mut draft);
    draft.finish(reason)
}
