//! Does what a button of a ramp says.

use std::sync::Arc;

use super::acting::{Acting, BY_A_BUTTON, Came, is_its_message, refused};
use super::payload::Click;
use crate::decision::{RampRequest, Request};
use crate::incident::{Ramp, RampId, RolloutName, RolloutState};
use crate::notification::slack::RampButton;

/// Through what an approval by a button came, as it is recorded.
const THROUGH: &str = "Slack";

impl Acting {
    /// As with an incident's buttons: looks whether it is the ramp's own message, whether the user may, and
    /// whether the ramp still stands where it has this button.
    pub(super) async fn act_on_ramp(&self, button: RampButton, click: &Click) -> Came {
        let Some((name, state, ramp)) = self.ramp_of(click) else {
            return refused(
                "This ramp is not known here: it is another Backstop's, or a later one was started. `backstop rollout status` has that.",
            );
        };
        if !is_its_message(&state.deliveries, click) {
            return refused("This is not the ramp's own message: press the button there.");
        }
        if let Some(denied) = self.denied(click, "rollout").await {
            return denied;
        }
        if !RampButton::of(&ramp).contains(&button) {
            let stands = ramp.phase.sentence();
            let label = button.label();
            return refused(&format!(
                "\u{201c}{label}\u{201d} is not possible: {}.",
                stands.trim_end_matches('.')
            ));
        }
        if button == RampButton::Approve && click.about != RampButton::value(&ramp) {
            return refused(&format!(
                "Not done: stage {} runs by now, and you approved another.",
                ramp.stage + 1
            ));
        }
        let Some(rollout) = self.worker.rollouts.get(&name) else {
            return refused("Its rollout is no longer configured.");
        };
        if button == RampButton::Abort {
            // Read first, as for every rollback.
            self.worker.read_share(rollout).await;
        }
        self.put(rollout, click, Request::Ramp(request(button))).await
    }

    fn ramp_of(&self, click: &Click) -> Option<(RolloutName, Arc<RolloutState>, Arc<Ramp>)> {
        let id = RampId::new(click.about.rsplit_once('/')?.0);
        let states = self.worker.journal.states();
        states.iter().find_map(|(name, state)| {
            let ramp = state.ramp.as_ref().filter(|ramp| ramp.id == id)?;
            Some((name.clone(), Arc::clone(state), Arc::clone(ramp)))
        })
    }
}

fn request(button: RampButton) -> RampRequest {
    match button {
        RampButton::Pause => RampRequest::Pause { words: None },
        RampButton::Resume => RampRequest::Resume,
        RampButton::Approve => RampRequest::Approve { through: THROUGH.to_owned() },
        RampButton::Abort => RampRequest::Abort { words: BY_A_BUTTON.to_owned() },
    }
}
