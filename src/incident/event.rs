//! The facts that are stored. Appended, never changed; state is their fold.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    Alert, BlobRef, Cause, ChannelName, EvidenceFile, Fingerprint, GraceCause, IncidentId, Level,
    MessageOutcome, NoticeFact, NoticeId, NoticeKind, Observation, Pause, Plan, RampEvent, RampId, Reason,
    Revision, RolloutName, Severity, Share, SnapshotPoint, Stage, Step, StepRecord, Trigger, Verification,
};

/// One stored event with its place in the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Place in the journal, from 1, without gaps inside one append.
    pub seq: u64,
    #[serde(flatten)]
    pub stored: StoredAs,
}

/// An event with its time and what it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAs {
    /// When it was decided, on the wall clock as it was set then.
    pub at: DateTime<Utc>,
    pub rollout: RolloutName,
    /// `None`: an event of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    pub event: Event,
}

/// An alert that belongs to an incident, and why it was attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedAlert {
    pub alert: Alert,
    pub received_at: DateTime<Utc>,
    pub reason: Reason,
    /// The raw webhook body that brought it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BlobRef>,
}

/// What an incident opens with. Never changed later: what its rollback began for is a [`Cause`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedIncident {
    pub revision: Revision,
    /// The stage, if the share could be read or a person named it.
    pub stage: Option<Stage>,
    /// As last read before it opened; `None`: not read yet, or not readable.
    pub share: Option<Share>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_read_at: Option<DateTime<Utc>>,
    /// That of the alert that opened it; critical for a person's request.
    pub severity: Severity,
    pub reason: Reason,
    /// Why, in words: the alert's name, or what a person wrote.
    pub cause: String,
    pub trigger: Trigger,
    /// `None`: a person's request opened it.
    pub alert: Option<AttachedAlert>,
}

/// What can happen. Serialised with a `type` tag; new variants and new optional members may be
/// added, none may change its meaning: old databases must fold for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    // --- of the rollout ---
    /// An alert's status changed, or its start or end. Exact repeats are not stored.
    AlertSeen {
        alert: Alert,
        /// The earliest instant at which it can have begun, where its own times can't be believed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
    },
    /// An alert waits for the share to be read.
    TriageStarted {
        alert: AttachedAlert,
    },
    /// The wait is over: what each waiting alert leads to are the events after this one.
    TriageEnded,
    /// The share was read and differs from the last one, or could no longer be read.
    ShareRead {
        /// `None`: it could not be read.
        share: Option<Share>,
        /// The last time it was read otherwise: a canary that is seen now began after that.
        changed_after: Option<DateTime<Utc>>,
        /// The revision that was configured then; another one than before is another canary.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<Revision>,
    },
    /// The Watchdog has been silent for too long while a canary runs.
    WatchdogLost {
        /// Since it was last heard, or since the start of the process if never.
        silent_seconds: u64,
    },
    /// The Watchdog is heard again, or no canary runs any more.
    WatchdogBack,
    /// The wall clock was set: what was due at a time is due as much later or earlier now.
    ClockStepped {
        /// By how much; negative: back.
        by_milliseconds: i64,
    },

    /// Something happened to the rollout's ramp.
    Ramp {
        ramp: RampId,
        happened: RampEvent,
    },

    // --- of an incident ---
    IncidentOpened(OpenedIncident),
    GraceStarted {
        cause: GraceCause,
        ends_at: DateTime<Utc>,
    },
    /// The grace's end moved: another alert's is earlier, or the earliest one resolved.
    GraceMoved {
        ends_at: DateTime<Utc>,
    },
    /// An alert joined the incident, or one that it carries fires anew.
    AlertAttached(AttachedAlert),
    /// By message, which is no proof of recovery.
    AlertResolved {
        fingerprint: Fingerprint,
        ends_at: DateTime<Utc>,
    },
    /// Alertmanager and Prometheus were asked about the incident's alerts.
    Confirmed {
        /// What followed from the answers.
        reason: Reason,
        answers: Vec<String>,
    },
    /// The grace stops until then.
    Held {
        reason: Reason,
        actor: String,
        /// Then the alerts are asked about again.
        until: DateTime<Utc>,
    },
    Resumed {
        reason: Reason,
        actor: String,
    },
    Acknowledged {
        actor: String,
    },
    /// The grace ended without a rollback.
    Cancelled {
        reason: Reason,
    },
    Declined {
        reason: Reason,
        /// What would have been rolled back for, in shadow mode.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// Another revision is on canary than the incident was about.
    Superseded {
        by: Revision,
    },
    /// By a person: a grace, a hold, or a rollback that failed.
    Closed {
        actor: String,
        words: String,
    },
    /// A rollback begins, or is tried again.
    RollbackStarted {
        reason: Reason,
        /// 1 for the first.
        attempt: u32,
        /// When the whole rollback has to have ended; stored with the first attempt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due_at: Option<DateTime<Utc>>,
        /// Who or what made it begin; `None` for a retry of its own, and for rollbacks stored before
        /// causes were, whose cause is the opening.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
        /// What it is to reach; stored with the first attempt. `None` there in rollbacks that were stored
        /// before plans were: those take the traffic off and nothing else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Plan>,
    },
    /// A further cause arrived while the rollback runs. The first that acted is the reason.
    CauseAdded(Cause),
    /// A step begins. Without its end in the journal it may have been carried out, in whole or in part.
    StepStarted {
        step: Step,
        /// What it was decided upon.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observed: Option<Observation>,
    },
    /// The next step can't begin yet.
    RollbackWaiting {
        reason: Pause,
        /// Then it is decided anew in any case; `None`: when what is observed changes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
        observed: Option<Observation>,
    },
    /// A step ended, done or not: its record says which.
    StepEnded(StepRecord),
    /// All steps are done; verification begins.
    VerificationStarted {
        /// When it must have a verdict.
        until: DateTime<Utc>,
    },
    VerificationEnded(Verification),
    /// The traffic was read back as off the canary, and verification has ended.
    RolledBack,
    /// The rollback failed or can't be verified. The incident stays open.
    Failed {
        reason: Reason,
        detail: String,
        /// When it is tried again; `None`: it waits for a person.
        #[serde(default)]
        retry_at: Option<DateTime<Utc>>,
    },
    /// The application's metrics were read for a snapshot, or could not be.
    SnapshotTaken {
        when: SnapshotPoint,
        /// The metrics text; `None`: it could not be read, see `error`.
        body: Option<BlobRef>,
        error: Option<String>,
    },
    /// These files take the place of those of an earlier round.
    EvidenceWritten {
        /// Whether the incident has ended and these are its last.
        complete: bool,
        files: Vec<EvidenceFile>,
    },
    /// When the next level of the escalation path is told, unless it has ended by then.
    EscalationPlanned {
        next: Level,
        due_at: DateTime<Utc>,
    },

    // --- of an incident, or of the rollout ---
    /// People are to know something. It is stored before it is sent, with whom it is sent to.
    NoticeRaised {
        kind: NoticeKind,
        /// `None` in events of versions that sent nothing: such are never sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<NoticeId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fact: Option<Box<NoticeFact>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<Stage>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        share: Option<Share>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to: Vec<ChannelName>,
        /// What those versions said in its place.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// A call to a channel begins: if no end of it is stored, it may have arrived.
    MessageBegun {
        channel: ChannelName,
        notice: NoticeId,
        call: String,
    },
    MessageEnded {
        channel: ChannelName,
        notice: NoticeId,
        call: String,
        #[serde(flatten)]
        outcome: MessageOutcome,
    },
    /// These are not sent any more: a later notice says how it stands.
    MessagesSuperseded {
        channel: ChannelName,
        notices: Vec<NoticeId>,
    },
}
