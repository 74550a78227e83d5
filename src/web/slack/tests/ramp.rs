//! The buttons of a ramp, pressed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::scene::{START, Scene, rollout, until};
use crate::decision::Input;
use crate::incident::fixtures::{RampStory, raised};
use crate::incident::{
    GateVerdict, HoldReason, NoticeFact, Ramp, RampFact, RampId, RampSaid, RolloutState, Share,
};
use crate::notification::slack::RampButton;
use crate::pipeline::Submission;

struct Ramping(Scene);

impl Ramping {
    /// In the first of three stages, which waits for a person's approval; ana may press every button.
    async fn new() -> Self {
        Self::told_of(None).await
    }

    /// The same, where the message that is to be posted is about another ramp, if one is named.
    async fn told_of(another: Option<&str>) -> Self {
        let now: DateTime<Utc> = START.parse().expect("a time");
        let mut story = RampStory::started_at(now - TimeDelta::seconds(1_000), &[1, 25, 100], true);
        story.stage_begins();
        story.wait(1_000);
        story.judged(GateVerdict::Pass, "0.12 s < 0.2 s");
        story.holds(&[HoldReason::ApprovalMissing], "");
        let (ramp, revision) = (story.ramp().id.clone(), story.ramp().plan.revision.clone());
        let ramp = another.map_or(ramp, RampId::new);
        let said =
            RampSaid::Started { actor: "ada".to_owned(), shares: vec![Share(1)], warnings: Vec::new() };
        let fact = NoticeFact::Ramp(RampFact { ramp, revision, share: Share(1), said });
        story.happens(raised(1, fact, &["slack"]));
        let slack = "signing_secret_file = \"signing\"\noperators = [\"U0ANA\"]";
        let scene = Scene::after((slack, "read_url = \"http://127.0.0.1:1/\""), story.events).await;
        let ramping = Self(scene);
        until("the message is posted", || ramping.state().deliveries.is_settled()).await;
        ramping.share_is_as_it_was_set().await;
        ramping
    }

    async fn share_is_as_it_was_set(&self) {
        let worker = &self.0.worker;
        worker.observed.share(&rollout(), worker.observed.moment(), Some(Share(1)));
        let inputs = vec![(rollout(), Input::ShareRead)];
        let receipt = worker.journal.report(Submission { inputs, blobs: Vec::new() }).await;
        assert!(receipt.expect("taken").durable);
    }

    fn state(&self) -> RolloutState {
        self.0.worker.journal.states()[&rollout()].as_ref().clone()
    }

    fn ramp(&self) -> Ramp {
        self.state().ramp.as_deref().expect("a ramp").clone()
    }

    fn click(&self, user: &str, action: &str) -> Value {
        let about = RampButton::value(&self.ramp());
        self.0.click_below(&self.state().deliveries, user, (action, &about))
    }

    async fn press(&self, user: &str, action: &str) {
        self.0.press_as(&self.click(user, action)).await;
    }
}

#[tokio::test]
async fn a_ramps_buttons_pause_resume_and_approve_it_and_the_message_shows_it() {
    let ramping = Ramping::new().await;
    ramping.press("U0ANA", "pause_ramp").await;
    assert_eq!(ramping.ramp().paused.map(|paused| paused.actor).as_deref(), Some("@ana (Slack U0ANA)"));
    until("the message changes", || {
        let updates = ramping.0.fake.asked("chat.update");
        updates.last().is_some_and(|update| update["blocks"].to_string().contains("resume_ramp"))
    })
    .await;
    ramping.press("U0ANA", "resume_ramp").await;
    assert_eq!(ramping.ramp().paused, None);
    assert_eq!(ramping.0.clicks("done"), 2);
}

#[tokio::test]
async fn an_approval_by_a_button_is_of_its_stage_alone_and_says_through_what_it_came() {
    let ramping = Ramping::new().await;
    let mut of_another = ramping.click("U0ANA", "approve_stage");
    of_another["actions"][0]["value"] = json!(format!("{}/2", ramping.ramp().id));
    ramping.0.press_as(&of_another).await;
    let approval = |ramp: &Ramp| ramp.record().and_then(|record| record.approval.clone());
    assert_eq!(approval(&ramping.ramp()), None);
    assert!(ramping.0.told("U0ANA", 1).await[0].contains("stage 1 runs by now"));
    ramping.press("U0ANA", "approve_stage").await;
    let given = approval(&ramping.ramp()).expect("approved");
    assert_eq!((given.actor.as_str(), given.through.as_str()), ("@ana (Slack U0ANA)", "Slack"));
}

#[tokio::test]
async fn an_abort_by_a_button_is_a_rollback_with_the_person_as_its_cause() {
    let ramping = Ramping::new().await;
    let late = ramping.click("U0ANA", "pause_ramp");
    ramping.press("U0ANA", "abort_ramp").await;
    assert_eq!(ramping.ramp().phase.as_str(), "aborted");
    let incident = ramping.0.incident();
    assert_eq!(incident.cause().trigger.actor(), Some("@ana (Slack U0ANA)"));
    assert_eq!(incident.acknowledged_by.as_deref(), Some("@ana (Slack U0ANA)"));
    ramping.0.press_as(&late).await;
    assert!(ramping.0.told("U0ANA", 1).await[0].contains("not possible"), "it has ended");
}

#[tokio::test]
async fn strangers_other_messages_and_other_ramps_are_refused_privately() {
    let ramping = Ramping::new().await;
    for action in ["pause_ramp", "resume_ramp", "approve_stage", "abort_ramp"] {
        ramping.press("U0BOB", action).await;
    }
    assert_eq!(ramping.0.clicks("not_permitted"), 4);
    assert!(ramping.0.told("U0BOB", 4).await[0].contains("slack.operators"));
    let mut elsewhere = ramping.click("U0ANA", "abort_ramp");
    elsewhere["container"]["message_ts"] = json!("1.1");
    let mut of_another = ramping.click("U0ANA", "abort_ramp");
    of_another["actions"][0]["value"] = json!("another-ramp/1");
    for click in [&elsewhere, &of_another] {
        ramping.0.press_as(click).await;
    }
    let told = ramping.0.told("U0ANA", 2).await;
    assert!(told.iter().any(|text| text.contains("own message")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("not known here")), "{told:?}");
    let still = ramping.ramp();
    assert!(still.paused.is_none() && !still.phase.has_ended(), "{:?}", still.phase);
}

#[tokio::test]
async fn what_is_told_late_of_an_earlier_ramp_has_no_button_of_the_one_that_runs() {
    for (another, has_buttons) in [(None, true), (Some("spark-trading-ramp-20260101-000000"), false)] {
        let ramping = Ramping::told_of(another).await;
        let posted = ramping.0.fake.asked("chat.postMessage").remove(0);
        let has_them = posted["blocks"].to_string().contains("abort_ramp");
        assert_eq!(has_them, has_buttons, "{another:?}: {}", posted["blocks"]);
    }
}
