//! What was made of a rollout's criteria the last time, for as long as they are the same: a program's check asks for
//! them each time that it runs, and parsing every expression takes longer than many a program.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::MetricsConfig;
use crate::ramp::Criteria;

/// All that criteria are made of beside what is written in the configuration itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    /// The texts of the files, in their order; as they are now, since what they no longer have is not run.
    pub(super) files: Vec<String>,
    pub(super) metrics: MetricsConfig,
    pub(super) recorded: String,
}

/// Clones share it.
#[derive(Clone, Default)]
pub(super) struct Remembered(Arc<Mutex<Option<(Source, Criteria)>>>);

impl Remembered {
    /// What was made of just this.
    pub(super) fn of(&self, source: &Source) -> Option<Criteria> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.as_ref().filter(|(of, _)| of == source).map(|(_, criteria)| criteria.clone())
    }

    pub(super) fn keep(&self, source: Source, criteria: &Criteria) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((source, criteria.clone()));
    }
}

impl PartialEq for Remembered {
    /// It is no part of what is configured.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}
