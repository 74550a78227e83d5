//! The staged ramp of a revision: its plan, what is judged before it goes on, and how it stands.

mod apply;
mod course;
mod criterion;
mod event;
mod filled;
mod hold;
mod judgement;
mod notice;
mod persons;
mod phase;
mod plan;
mod state;
mod words;

pub use course::{Course, Happening};
pub use criterion::{
    Bound, CommandCheck, Criterion, HttpCheck, LogCheck, OnFail, Question, RangeQuery, Unit,
};
pub use event::{Promotion, RampEvent, RampStarted};
pub use filled::UnfitRevision;
pub use hold::HoldReason;
pub use judgement::{GateReason, GateVerdict, Judgement};
pub use notice::{RampFact, RampSaid};
pub use persons::Shortened;
pub use phase::RampPhase;
pub use plan::{RampPlan, StagePlan};
pub use state::{Approval, Holding, Paused, Ramp, StageRecord};
