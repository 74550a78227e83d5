//! Walks the stages: webhook → decision → execution → verification → evidence.
//!
//! Four parts. The [`Journal`] takes every input, decides, and stores; nothing happens that is not
//! stored first. The [`Worker`] reads off the state what is to be done, does it, and reports. The
//! [`Watcher`] looks at the world in between: the share, the alerts that no webhook brought. [`Gates`] asks what a ramp's stage is judged by.

mod deliver;
#[cfg(test)]
mod fixtures;
mod gates;
mod journal;
mod look_back;
mod observed;
mod observed_target;
mod perform;
mod ramp;
mod ramp_evidence;
mod ramp_start;
mod reconcile;
mod rollouts;
mod severities;
mod share_reader;
mod sources;
mod unlisted;
mod verified;
mod watcher;
mod worker;

pub use gates::{Gates, Rounds};
pub use journal::{Journal, JournalError, JournalParts, JournalTask, Receipt, Ruling, States, Submission};
pub use observed::{CLOCKS_DIFFER, Observed, Trying};
pub use perform::blob_ref;
pub use ramp_evidence::StageSnapshot;
pub use ramp_start::{NoPlan, RampWanted};
pub use rollouts::{Rollout, Rollouts};
pub use severities::{Kinds, Severities};
pub use share_reader::ShareReader;
pub use sources::Sources;
pub(crate) use watcher::PROMETHEUS;
pub use watcher::Watcher;
pub use worker::{Channels, Worker};
