//! The buttons of a ramp that runs. One that only begins something new, a promotion for instance, is not
//! among them: that is thought about first, and asked for where its criteria can be read.

use slack_morphism::prelude::*;

use super::confirmation;
use crate::incident::{HoldReason, Ramp};
use crate::text::shown;

/// A button of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RampButton {
    Pause,
    Resume,
    Approve,
    Abort,
}

impl RampButton {
    const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Approve, Self::Abort];

    /// The buttons that a ramp has where it stands now; none once it has ended. An approval comes
    /// last: it has a button where nothing else is waited for.
    #[must_use]
    pub fn of(ramp: &Ramp) -> Vec<Self> {
        if ramp.phase.has_ended() {
            return Vec::new();
        }
        let mut buttons = Vec::new();
        if ramp.phase.holds_for() == [HoldReason::ApprovalMissing] {
            buttons.push(Self::Approve);
        }
        match (&ramp.paused, ramp.is_finishing()) {
            (Some(_), _) => buttons.push(Self::Resume),
            (None, false) => buttons.push(Self::Pause),
            (None, true) => {}
        }
        buttons.push(Self::Abort);
        buttons
    }

    /// By the name that a click carries.
    #[must_use]
    pub fn of_action(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|button| button.action() == id)
    }

    /// The name that a click carries.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Pause => "pause_ramp",
            Self::Resume => "resume_ramp",
            Self::Approve => "approve_stage",
            Self::Abort => "abort_ramp",
        }
    }

    /// What stands on it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Approve => "Approve stage",
            Self::Abort => "Abort and roll back",
        }
    }

    /// What a click of it has to be about: an approval is of one stage, and no later one is left by it.
    #[must_use]
    pub fn value(ramp: &Ramp) -> String {
        format!("{}/{}", ramp.id, ramp.stage + 1)
    }

    pub(super) fn element(self, ramp: &Ramp) -> SlackBlockButtonElement {
        let element = SlackBlockButtonElement::new(self.label().into())
            .with_action_id(self.action().into())
            .with_value(Self::value(ramp))
            .opt_confirm(self.confirmation(ramp));
        if self == Self::Abort { element.with_style(SlackBlockButtonStyle::Danger) } else { element }
    }

    /// Of what moves traffic. A pause leaves it as it is, and what goes on after it is judged first.
    fn confirmation(self, ramp: &Ramp) -> Option<SlackBlockConfirmItem> {
        let revision = shown(ramp.plan.revision.as_str());
        match self {
            Self::Pause | Self::Resume => None,
            Self::Approve => {
                let text = format!(
                    "Stage {} of {} is left once all of its criteria pass. It ramps {revision}.",
                    ramp.stage + 1,
                    ramp.plan.stages.len()
                );
                Some(confirmation("Approve the stage?", &text, self.label(), false))
            }
            Self::Abort => {
                let text = format!(
                    "The ramp ends, and the canary's traffic goes to 0 %. Nothing is asked again. It ramps {revision}."
                );
                Some(confirmation("Abort the ramp?", &text, "Abort", true))
            }
        }
    }
}
