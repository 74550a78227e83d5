//! The vocabulary: what an alert, an incident and a stored event are, and how events fold into state.
//!
//! No I/O, no async, no clock, no vendor types: everything here can be tested with plain values.
//! Every other room imports this one; this one imports none of them.

mod alert;
mod apply;
mod attached;
mod bounded;
mod cause;
mod deliveries;
mod doctor_test;
mod event;
mod event_names;
#[cfg(test)]
pub(crate) mod fixtures;
mod folded;
mod ids;
mod known_alerts;
mod labels;
#[cfg(test)]
mod names_tests;
mod notice;
mod notice_words;
mod observation;
#[cfg(test)]
mod old_versions_tests;
mod owner;
mod phase;
mod plan;
mod ramp;
mod reaction;
mod reason;
mod records;
mod refusals;
mod rollout;
mod severity;
mod step;
mod told;
mod triage;
mod words;

pub use alert::{Alert, AlertStatus};
pub use attached::AttachedAlerts;
pub use bounded::Bounded;
pub use cause::{Cause, Trigger};
pub use deliveries::{Delivered, Deliveries, DeliveryEnd, MessageOutcome, Queue, References, Waiting};
pub use doctor_test::{DOCTOR_TEST, DOCTOR_TEST_LABEL, DOCTOR_TEST_ROLLOUT};
pub use event::{AttachedAlert, Event, OpenedIncident, Record, StoredAs};
pub use folded::{Escalation, Incident, NewNeed, NoteEntry, NotedBefore};
pub use ids::{
    ChannelName, CriterionName, Fingerprint, IncidentId, RampId, Revision, RolloutName, Stage, UnknownStage,
};
pub use known_alerts::{AlertState, KnownAlerts};
pub use labels::Labels;
pub use notice::{AlertFact, Level, Notice, NoticeFact, NoticeId, Repeated};
pub use observation::{Autoscaler, LastChange, OWN_MANAGER, Observation, Pods, Workloads};
pub use owner::{Owner, Stance};
pub use phase::{GraceCause, Hold, Phase};
pub use plan::{Goal, Pause, Plan, Progress};
pub use ramp::{
    Approval, Bound, CommandCheck, Course, Criterion, GateReason, GateVerdict, Happening, HoldReason,
    Holding, HttpCheck, Judgement, LogCheck, OnFail, Paused, Promotion, Question, Ramp, RampEvent, RampFact,
    RampPhase, RampPlan, RampSaid, RampStarted, RangeQuery, Shortened, StagePlan, StageRecord, UnfitRevision,
    Unit,
};
pub use reaction::Reaction;
pub(crate) use reason::named;
pub use reason::{NoticeKind, Reason};
pub use records::{
    Answer, Attempt, BlobRef, Check, CheckName, CheckOutcome, EvidenceFile, SnapshotPoint, StepOutcome,
    StepRecord, Verdict, Verification, sha256_hex,
};
pub use refusals::{GivenUp, Refusals};
pub use rollout::{CanaryRun, Epoch, RolloutState};
pub use severity::{Severity, SeverityMap};
pub use step::{Share, Step};
pub use told::{Backlog, Telling};
pub use triage::Triage;
