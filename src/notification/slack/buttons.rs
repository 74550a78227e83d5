//! The buttons under a message: which there are follows from where the incident stands, and a click is
//! good only while its button would be there.

mod ramp;

use chrono::TimeDelta;
use slack_morphism::prelude::*;

pub use ramp::RampButton;

use super::text::escaped;
use crate::config::SlackButtons;
use crate::incident::{Incident, Phase};
use crate::notification::Subject;
use crate::text::shown;

/// How long a hold by a button lasts: long enough to look, short enough that a forgotten one does not
/// keep a bad canary on for long. It can be pressed again.
pub const HOLD: TimeDelta = TimeDelta::minutes(15);

/// The longest text of a confirmation, and of its title (reference notes on notifications, section 1.6).
const MAX_CONFIRM_CHARS: usize = 300;

/// A button.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    RollBack,
    TryAgain,
    Hold,
    EndHold,
    Acknowledge,
    Close,
}

impl Button {
    const ALL: [Self; 6] =
        [Self::RollBack, Self::TryAgain, Self::Hold, Self::EndHold, Self::Acknowledge, Self::Close];

    /// The buttons that an incident has where it stands now.
    #[must_use]
    pub fn of(incident: &Incident) -> Vec<Self> {
        let mut buttons = match &incident.phase {
            Phase::Grace { .. } => vec![Self::RollBack, Self::Hold],
            Phase::Held(_) => vec![Self::RollBack, Self::EndHold],
            Phase::Failed { .. } => vec![Self::TryAgain],
            Phase::Opened
            | Phase::RollingBack { .. }
            | Phase::Verifying { .. }
            | Phase::RolledBack
            | Phase::Cancelled { .. }
            | Phase::Declined { .. }
            | Phase::Superseded { .. }
            | Phase::Closed { .. } => vec![],
        };
        // Whoever was mentioned says that they saw it, also when it is over by then.
        let has_paged = || incident.notices.iter().any(super::is_loud);
        if incident.acknowledged_by.is_none() && (!incident.phase.is_closed() || has_paged()) {
            buttons.push(Self::Acknowledge);
        }
        if matches!(incident.phase, Phase::Grace { .. } | Phase::Held(_) | Phase::Failed { .. }) {
            buttons.push(Self::Close);
        }
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
            Self::RollBack => "roll_back",
            Self::TryAgain => "try_again",
            Self::Hold => "hold",
            Self::EndHold => "end_hold",
            Self::Acknowledge => "acknowledge",
            Self::Close => "close",
        }
    }

    /// What stands on it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::RollBack => "Roll back now",
            Self::TryAgain => "Try again",
            Self::Hold => "Hold 15 min",
            Self::EndHold => "End hold",
            Self::Acknowledge => "Acknowledge",
            Self::Close => "Close",
        }
    }

    /// Acknowledging changes nothing but when the next level is told, and that once: whoever is in the
    /// channel may.
    #[must_use]
    pub fn needs_an_operator(self) -> bool {
        self != Self::Acknowledge
    }

    fn element(self, incident: &Incident) -> SlackBlockButtonElement {
        let element = SlackBlockButtonElement::new(self.label().into())
            .with_action_id(self.action().into())
            .with_value(incident.id.to_string())
            .opt_confirm(self.confirmation(incident));
        match self {
            Self::RollBack | Self::TryAgain => element.with_style(SlackBlockButtonStyle::Danger),
            Self::Hold | Self::EndHold | Self::Acknowledge | Self::Close => element,
        }
    }

    /// What is asked before it counts: of everything that moves traffic, or keeps it from being moved.
    fn confirmation(self, incident: &Incident) -> Option<SlackBlockConfirmItem> {
        let revision = shown(incident.revision().as_str());
        let (title, text) = match self {
            Self::RollBack => (
                "Roll back now?",
                format!("The canary's traffic goes to 0 %, and nothing is asked again. It runs {revision}."),
            ),
            Self::TryAgain => (
                "Try the rollback again?",
                format!("The canary's traffic is set to 0 % once more. It runs {revision}."),
            ),
            Self::Hold => (
                "Hold for 15 minutes?",
                format!(
                    "No rollback until then, unless a critical alert fires. The canary keeps its traffic. It runs {revision}."
                ),
            ),
            Self::Close if matches!(incident.phase, Phase::Failed { .. }) => (
                "Close the incident?",
                format!(
                    "The rollback is not tried again. The canary may still have its traffic. It runs {revision}."
                ),
            ),
            Self::Close => (
                "Close the incident?",
                format!(
                    "There will be no rollback for this alert. The canary keeps its traffic. It runs {revision}."
                ),
            ),
            Self::EndHold | Self::Acknowledge => return None,
        };
        let is_dangerous = matches!(self, Self::RollBack | Self::TryAgain);
        Some(confirmation(title, &text, self.label(), is_dangerous))
    }
}

/// The row of buttons, as far as there is somebody who may press them: an incident's, or those of the
/// ramp that runs.
pub(super) fn row(subject: &Subject, pressable: SlackButtons) -> Option<SlackActionsBlock> {
    let may_be_pressed = |needs_an_operator: bool| match pressable {
        SlackButtons::None => false,
        SlackButtons::Acknowledge => !needs_an_operator,
        SlackButtons::All => true,
    };
    let elements: Vec<SlackActionBlockElement> = match (subject.incident(), subject.running_ramp()) {
        (Some(incident), _) => {
            let buttons = Button::of(incident).into_iter();
            let buttons = buttons.filter(|button| may_be_pressed(button.needs_an_operator()));
            buttons.map(|button| button.element(incident).into()).collect()
        }
        (None, Some(ramp)) if may_be_pressed(true) => {
            RampButton::of(ramp).into_iter().map(|button| button.element(ramp).into()).collect()
        }
        (None, _) => Vec::new(),
    };
    (!elements.is_empty()).then(|| SlackActionsBlock::new(elements).with_block_id("actions".into()))
}

/// What is asked before a button counts.
fn confirmation(title: &str, text: &str, label: &str, is_dangerous: bool) -> SlackBlockConfirmItem {
    let text = SlackBlockPlainText::from(escaped(text, MAX_CONFIRM_CHARS));
    let confirm = SlackBlockConfirmItem::new(title.into(), text.into(), label.into(), "Cancel".into());
    if is_dangerous { confirm.with_style("danger".to_owned()) } else { confirm }
}
