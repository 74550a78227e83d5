use std::sync::Arc;

use chrono::TimeDelta;

use super::super::buttons::row;
use super::super::*;
use crate::config::SlackButtons;
use crate::incident::fixtures::RampStory;
use crate::incident::{
    GraceCause, Hold, HoldReason, Incident, NewNeed, NotedBefore, NoticeKind, Phase, RampEvent, Reason,
    Revision, RolloutName,
};
use crate::notification::Subject;
use crate::notification::fixtures::{message, place};

fn incident(kind: NoticeKind) -> Incident {
    match message(kind).subject {
        Subject::Incident(incident) => Arc::unwrap_or_clone(incident),
        Subject::Rollout { .. } => panic!("{kind} is about no incident"),
    }
}

fn in_phase(phase: Phase) -> Incident {
    Incident { phase, ..incident(NoticeKind::GraceOpened) }
}

#[test]
fn the_buttons_follow_where_the_incident_stands() {
    use Button::{Acknowledge, Close, EndHold, Hold as HoldIt, RollBack, TryAgain};
    let (at, attempt) = (DateTime::UNIX_EPOCH, 1);
    let until = at + TimeDelta::minutes(15);
    let hold = Hold { actor: "@ana".to_owned(), reason: Reason::HeldByPerson, until };
    let (actor, words) = ("@ana".to_owned(), "done".to_owned());
    for (phase, expected) in [
        (Phase::Opened, &[Acknowledge][..]),
        (
            Phase::Grace { cause: GraceCause::Warning, confirm_early: false },
            &[RollBack, HoldIt, Acknowledge, Close],
        ),
        (Phase::Held(hold), &[RollBack, EndHold, Acknowledge, Close]),
        (Phase::RollingBack { attempt, since: at }, &[Acknowledge]),
        (Phase::Verifying { since: at, until, attempt }, &[Acknowledge]),
        (
            Phase::Failed { reason: Reason::StepFailed, attempt, retry_at: None },
            &[TryAgain, Acknowledge, Close],
        ),
        (Phase::RolledBack, &[]),
        (Phase::Cancelled { reason: Reason::ResolvedConfirmed }, &[]),
        (Phase::Declined { reason: Reason::NoCanary }, &[]),
        (Phase::Superseded { by: Revision::new("v1.4.1") }, &[]),
        (Phase::Closed { actor, words }, &[]),
    ] {
        let incident = in_phase(phase);
        assert_eq!(Button::of(&incident), expected, "{:?}", incident.phase);
        let acknowledged = Incident { acknowledged_by: Some("@ana".to_owned()), ..incident };
        assert!(!Button::of(&acknowledged).contains(&Acknowledge), "once is enough");
    }
}

#[test]
fn whoever_was_woken_can_say_so_also_when_it_is_over() {
    let paged = Incident { acknowledged_by: None, ..incident(NoticeKind::RollbackNotVerified) };
    assert!(paged.phase.is_closed());
    assert_eq!(Button::of(&paged), [Button::Acknowledge]);
    assert_eq!(Button::of(&incident(NoticeKind::RollbackEnded)), [], "nobody was woken for it");
}

#[test]
fn who_took_note_before_a_person_was_needed_anew_is_shown_as_that_beside_the_button() {
    let failed = Phase::Failed { reason: Reason::StepFailed, attempt: 1, retry_at: None };
    let before = NotedBefore { actor: "zoe".to_owned(), need: NewNeed::Failed(1) };
    let noted = Incident { noted_before: Some(before), ..in_phase(failed) };
    let shown = |incident: Incident| {
        let subject = Subject::Incident(Arc::new(incident));
        let message = Message { subject, ..message(NoticeKind::RollbackFailed) };
        let content = super::super::blocks::root(&message, &place(), SlackButtons::All, None);
        serde_json::to_string(&content.blocks).expect("JSON")
    };
    let again = Incident { acknowledged_by: Some("ana".to_owned()), ..noted.clone() };
    let text = shown(noted);
    assert!(text.contains("nobody yet: zoe took note, before attempt 1 failed"), "{text}");
    assert!(text.contains("\"acknowledge\""), "{text}");
    let text = shown(again);
    assert!(text.contains("*Acknowledged by*\\nana") && !text.contains("zoe"), "{text}");
}

#[test]
fn nobody_is_shown_a_button_that_may_not_be_pressed() {
    let subject = message(NoticeKind::GraceOpened).subject;
    let shown = |pressable| {
        let row = row(&subject, pressable).map(|row| serde_json::to_value(row).expect("JSON"));
        let buttons = row.map(|row| row["elements"].as_array().expect("buttons").clone());
        buttons.unwrap_or_default().iter().map(|button| button["action_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(shown(SlackButtons::None).len(), 0);
    assert_eq!(shown(SlackButtons::Acknowledge), ["acknowledge"]);
    assert_eq!(shown(SlackButtons::All), ["roll_back", "hold", "acknowledge", "close"]);
}

/// The actions under the message of a rollout whose ramp stands like this.
fn actions(story: &RampStory, pressable: SlackButtons) -> Vec<String> {
    let (name, revision) = (RolloutName::new("spark-trading"), Revision::new("v1.4.0"));
    let ramp = Some(Arc::new(story.ramp().clone()));
    let row = row(&Subject::Rollout { name, revision, ramp }, pressable);
    let row = row.map(|row| serde_json::to_value(row).expect("JSON"));
    let elements = row.and_then(|row| row["elements"].as_array().cloned()).unwrap_or_default();
    for button in &elements {
        let action = button["action_id"].as_str().expect("an id");
        let moves_traffic = ["approve_stage", "abort_ramp"].contains(&action);
        assert_eq!(button.get("confirm").is_some(), moves_traffic, "{action}");
        assert_eq!(button["style"] == "danger", action == "abort_ramp", "{action}");
        assert_eq!(RampButton::of_action(action).map(RampButton::action), Some(action));
        assert_eq!(button["value"], RampButton::value(story.ramp()));
    }
    elements.iter().map(|button| button["action_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_ramps_buttons_follow_where_it_stands_and_what_moves_traffic_is_asked_before() {
    let mut story = RampStory::started(&[1, 25, 100]);
    let all = |story: &RampStory| actions(story, SlackButtons::All);
    assert_eq!(all(&story), ["pause_ramp", "abort_ramp"]);
    story.stage_begins();
    assert_eq!(all(&story), ["pause_ramp", "abort_ramp"]);
    story.holds(&[HoldReason::ApprovalMissing], "");
    assert_eq!(all(&story), ["approve_stage", "pause_ramp", "abort_ramp"]);
    assert!(RampButton::value(story.ramp()).ends_with("/1"));
    story.tell(RampEvent::Paused { actor: "ada".to_owned(), words: None });
    story.holds(&[HoldReason::Paused, HoldReason::ApprovalMissing], "");
    assert_eq!(all(&story), ["resume_ramp", "abort_ramp"], "an approval comes last");
    for pressable in [SlackButtons::None, SlackButtons::Acknowledge] {
        assert_eq!(actions(&story, pressable), [""; 0], "it takes an operator");
    }
    story.tell(RampEvent::Resumed { actor: "ada".to_owned() });
    story.tell(RampEvent::Finishing);
    assert_eq!(all(&story), ["abort_ramp"]);
    story.tell(RampEvent::Succeeded);
    assert_eq!(all(&story), [""; 0]);
}

#[test]
fn what_moves_traffic_or_keeps_it_from_being_moved_is_asked_before() {
    for kind in [NoticeKind::GraceOpened, NoticeKind::GraceHeld, NoticeKind::RollbackFailed] {
        let (subject, incident) = (message(kind).subject, incident(kind));
        let row = serde_json::to_value(row(&subject, SlackButtons::All).expect("buttons")).expect("JSON");
        for button in row["elements"].as_array().expect("buttons") {
            let action = button["action_id"].as_str().expect("an id");
            let asks = ["roll_back", "try_again", "hold", "close"].contains(&action);
            assert_eq!(button.get("confirm").is_some(), asks, "{action}");
            let is_dangerous = ["roll_back", "try_again"].contains(&action);
            assert_eq!(button["style"] == "danger", is_dangerous, "{action}");
            assert_eq!(button["value"], incident.id.as_str());
            assert_eq!(Button::of_action(action).map(Button::action), Some(action));
        }
    }
}
