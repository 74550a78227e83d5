//! Steps where somebody else carries the rollout out: what that one owns is not touched, and it can be told to
//! stop.

use super::KubernetesTarget;
use super::steps::{Ended, after, changed, not_now, unchanged};
use crate::incident::{Answer, Stance, Step};

impl KubernetesTarget {
    /// Whether what a step would change is ours to change.
    pub(super) async fn is_unowned(&self) -> Result<(), Ended> {
        match self.surroundings.known().await.owner {
            None => Ok(()),
            Some(claim) => Err(not_now(
                claim
                    .obstacle()
                    .unwrap_or_else(|| format!("the {} owns it, and has not stopped", claim.owner.name)),
            )),
        }
    }

    /// Tells it by a change that holds only for the object as it was read: one that went on to another version
    /// meanwhile is looked at anew.
    pub(super) async fn stop_owner(&self, step: Step) -> Result<Answer, Ended> {
        let Some(claim) = self.surroundings.known().await.owner else {
            return Ok(unchanged("nobody else carries the rollout out".to_owned()));
        };
        match claim.owner.stance {
            Stance::LeftAlone => return Err(not_now(claim.obstacle().unwrap_or_default())),
            Stance::RollsBack => {
                return Ok(unchanged(format!("the {} rolls back already", claim.owner.name)));
            }
            Stance::ToBeStopped => {}
        }
        self.events.started(step);
        let patched = self.caller.merge_patch(&claim.object, claim.stop.subresource, &claim.patch()).await;
        // Whatever came of it.
        self.surroundings.changed();
        patched.map_err(after)?;
        Ok(changed(format!("{}: {}", claim.owner.name, claim.stop.words)))
    }

    pub(super) fn describe_stop(&self) -> String {
        let namespace = &self.stable.namespace;
        match self.surroundings.last_known().owner {
            Some(claim) => {
                let subresource = claim.stop.subresource.map(|name| format!("/{name}")).unwrap_or_default();
                let object = claim.object.typed();
                format!("PATCH {object}{subresource} in {namespace}: {}", claim.stop.words)
            }
            None => format!("whoever owns the rollout in {namespace} is told to stop"),
        }
    }
}
