//! Flagger and Argo Rollouts: controllers that carry a rollout out themselves, and would undo what another
//! changes of it. What their objects say is read as JSON: it is a few fields of large definitions.

pub(super) mod argo;
pub(super) mod flagger;

use serde_json::Value;

use super::super::object::Object;
use crate::config::OwnerPolicy;
use crate::incident::{Owner, Stance};

/// An owner of what a rollback would change, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Claim {
    /// What it is told to stop by.
    pub(in super::super) object: Object,
    /// Of the object as it was read.
    pub(super) resource_version: String,
    /// Which of ours it owns, such as `Ingress api-canary`.
    pub(super) owns: Vec<String>,
    pub(in super::super) owner: Owner,
    /// How many pods it wants of the stable version, where it runs them itself and not a Deployment.
    pub(in super::super) replicas: Option<u16>,
    /// How it is told.
    pub(in super::super) stop: Stop,
    /// What a person does about it by hand, to follow `Roll back `.
    pub(super) by_hand: String,
    /// Why nothing helps that Backstop or a setting could do.
    pub(super) too_late: Option<String>,
    /// What it has not done yet, though it was told.
    pub(in super::super) lags: Option<String>,
}

/// A change by which an owner stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Stop {
    pub(in super::super) subresource: Option<&'static str>,
    pub(super) patch: Value,
    /// Such as `status.abort -> true`.
    pub(in super::super) words: &'static str,
    /// What becomes of it then.
    pub(super) then: &'static str,
}

impl Claim {
    /// The merge patch; it holds only for what was read.
    pub(in super::super) fn patch(&self) -> Value {
        let mut patch = self.stop.patch.clone();
        patch["metadata"]["resourceVersion"] = Value::from(self.resource_version.as_str());
        patch
    }

    /// Such as `The Argo Rollout api owns the Ingress api-canary`.
    fn sentence(&self) -> String {
        format!("The {} owns the {}", self.owner.name, self.owns.join(" and the "))
    }

    /// Why nothing is changed, and what to do instead; `None`: it can be told to stop, or was.
    pub(in super::super) fn obstacle(&self) -> Option<String> {
        let (owns, by_hand) = (self.sentence(), &self.by_hand);
        if let Some(too_late) = &self.too_late {
            return Some(format!("{owns}, and {too_late}"));
        }
        (self.owner.stance == Stance::LeftAlone).then(|| {
            format!(
                "{owns}, and would undo what is changed. Roll back {by_hand}; or set owner = \"abort\" in [rollouts.traffic], so that Backstop tells it to stop ({})",
                self.stop.words
            )
        })
    }

    /// What a person should know before there is a rollback.
    pub(in super::super) fn warning(&self) -> Option<String> {
        (self.owner.stance == Stance::ToBeStopped).then(|| {
            let Stop { words, then, .. } = &self.stop;
            format!("{}: a rollback tells it to stop ({words}), and {then}", self.sentence())
        })
    }
}

/// What is said of ours by an object, whoever wrote it.
struct Said {
    owns: Vec<String>,
    /// Whether it is under way with a version that isn't the stable one.
    rolls_out: bool,
    /// Whether it was told to stop and takes the traffic off itself.
    rolls_back: bool,
    too_late: Option<String>,
    lags: Option<String>,
}

fn stance(said: &Said, policy: OwnerPolicy) -> Stance {
    match policy {
        OwnerPolicy::Refuse => Stance::LeftAlone,
        OwnerPolicy::Abort if said.too_late.is_some() => Stance::LeftAlone,
        OwnerPolicy::Abort if said.rolls_back => Stance::RollsBack,
        OwnerPolicy::Abort => Stance::ToBeStopped,
    }
}

/// Those of the claimed objects that are ours.
fn ours(claimed: impl IntoIterator<Item = String>, ours: &[String]) -> Vec<String> {
    let mut owned: Vec<_> = claimed.into_iter().filter(|one| ours.contains(one)).collect();
    owned.sort();
    owned.dedup();
    owned
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
