//! What a step has sent so far. It is stored when the step ends; until then only this tells a person
//! what a flag API that refuses or hangs has said.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Observed;
use crate::execution::ActError;
use crate::incident::{Answer, RolloutName};

/// The requests of a step under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    pub requests: u32,
    pub last_sent_at: DateTime<Utc>,
    /// What came of the last one, free of secrets; `None`: no answer yet.
    pub last_answer: Option<String>,
}

impl Observed {
    /// The requests of the step that is under way for this rollout, once it has sent one.
    #[must_use]
    pub fn trying(&self, rollout: &RolloutName) -> Option<Trying> {
        self.lock().trying.get(rollout).cloned()
    }

    pub(in crate::pipeline) fn request_sent(&self, rollout: &RolloutName, at: DateTime<Utc>) {
        let mut inner = self.lock();
        let requests = inner.trying.get(rollout).map_or(0, |trying| trying.requests) + 1;
        inner.trying.insert(rollout.clone(), Trying { requests, last_sent_at: at, last_answer: None });
    }

    pub(in crate::pipeline) fn request_answered(
        &self,
        rollout: &RolloutName,
        sent: &Result<Answer, ActError>,
    ) {
        let words = match sent {
            Ok(answer) => {
                answer.status.map_or_else(|| "acknowledged".to_owned(), |status| format!("status {status}"))
            }
            Err(error) => error.to_string(),
        };
        if let Some(trying) = self.lock().trying.get_mut(rollout) {
            trying.last_answer = Some(words);
        }
    }

    pub(in crate::pipeline) fn step_ended(&self, rollout: &RolloutName) {
        self.lock().trying.remove(rollout);
    }
}
