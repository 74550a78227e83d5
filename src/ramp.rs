//! The staged ramp: what a stage can show at all, what was answered to its criteria and what that says, and
//! when nothing may start.
//!
//! Pure, as the vocabulary is: no I/O, no clock. Who asks is a trait, [`Judge`].

mod answer;
mod asked;
mod criteria;
pub mod detection_floor;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod freeze;
mod freshness;
mod frozen;
mod gates_file;
mod judge;
mod needs;
mod offer;
mod round;
mod span;

pub use answer::{Answer, ApprovalAnswer, CommandAnswer, HttpAnswer, LogAnswer, RangeAnswer, Series};
pub use asked::{Asked, Judge, KeptFile, NobodyAnswers};
pub use criteria::{Criteria, LeftOut, MetricFrom, StagedCriterion};
pub use freshness::{ANSWERED_WITHIN_SECONDS, LastAsked, Leaving, Pace, next_asked};
pub use frozen::{changed_plan, plan_sha256};
pub use gates_file::{Gate, GatesFile, GatesFileError, MAX_GATES_FILE_BYTES, Replayed};
pub use judge::{Finding, judge_answer, judge_range, judged_growth};
pub use needs::{Metric, Needs};
pub use offer::{NothingOffered, Offers, PlanChanges, RampOffer, StartQuestions};
pub use round::Round;
pub use span::{Grid, STEP_SECONDS, StageSpan};
