use serde_json::json;

use super::super::clicks::{Clicks, Taken};
use super::scene::{Scene, until};
use crate::incident::{Event, Trigger};
use crate::metrics::Metrics;

fn is_begun(event: &Event) -> bool {
    matches!(event, Event::RollbackStarted { attempt: 1, .. })
}

#[tokio::test]
async fn a_click_does_what_its_button_says_and_the_message_shows_it() {
    let scene = Scene::new().await;
    scene.press("U0ANA", "hold").await;
    assert_eq!(scene.phase(), "held");
    until("the message changes", || !scene.fake.asked("chat.update").is_empty()).await;
    let update = scene.fake.asked("chat.update").remove(0);
    assert_eq!(update["ts"], "1790000000.000001");
    let blocks = update["blocks"].to_string();
    assert!(
        blocks.contains("@ana (Slack U0ANA) holds the rollback") && blocks.contains("end_hold"),
        "{blocks}"
    );
    scene.press("U0ANA", "end_hold").await;
    assert_eq!(scene.phase(), "grace");
    scene.press("U0ANA", "acknowledge").await;
    assert_eq!(scene.incident().acknowledged_by.as_deref(), Some("@ana (Slack U0ANA)"));
    scene.press("U0ANA", "close").await;
    assert_eq!((scene.phase(), scene.clicks("done")), ("closed", 4));
    assert_eq!(scene.fake.asked("chat.postEphemeral").len(), 0, "what is seen need not be said");
}

#[tokio::test]
async fn a_rollback_by_a_button_has_the_person_as_its_cause() {
    let scene = Scene::new().await;
    scene.press("U0ANA", "roll_back").await;
    let cause = scene.incident().cause();
    assert_eq!(cause.trigger, Trigger::Manual { actor: "@ana (Slack U0ANA)".to_owned() });
    assert_eq!((cause.words.as_str(), scene.count(is_begun)), ("by a button in Slack", 1));
}

#[tokio::test]
async fn who_may_not_is_told_so_alone_and_may_still_acknowledge() {
    let scene = Scene::new().await;
    for action in ["roll_back", "hold", "close"] {
        scene.press("U0BOB", action).await;
    }
    assert_eq!((scene.phase(), scene.clicks("not_permitted")), ("grace", 3));
    let told = scene.told("U0BOB", 3).await;
    assert!(told[0].contains("U0BOB") && told[0].contains("slack.operators"), "{told:?}");
    scene.press("U0BOB", "acknowledge").await;
    assert_eq!(scene.incident().acknowledged_by.as_deref(), Some("@bob (Slack U0BOB)"));
}

#[tokio::test]
async fn where_nobody_is_named_nobody_can_do_more_than_acknowledge() {
    let scene = Scene::with("signing_secret_file = \"signing\"").await;
    scene.press("U0ANA", "roll_back").await;
    assert_eq!((scene.phase(), scene.count(is_begun)), ("grace", 0));
    assert!(scene.told("U0ANA", 1).await[0].contains("slack.operators is not set"));
    scene.press("U0ANA", "acknowledge").await;
    assert_eq!(scene.clicks("done"), 1);
}

#[tokio::test]
async fn the_members_of_a_group_may_and_slack_is_asked_for_them_once_a_minute() {
    let scene = Scene::with("signing_secret_file = \"signing\"\noperator_group = \"S0GROUP\"").await;
    scene.press("U0MEMBER", "hold").await;
    scene.press("U0ANA", "end_hold").await;
    assert_eq!((scene.phase(), scene.clicks("not_permitted")), ("held", 1));
    let asked = scene.fake.asked("usergroups.users.list");
    assert_eq!((asked.len(), &asked[0]["usergroup"]), (1, &json!("S0GROUP")));
}

#[tokio::test]
async fn while_slack_does_not_say_who_may_nobody_may() {
    use crate::notification::slack::tests::fake::Answer;
    let scene = Scene::with("signing_secret_file = \"signing\"\noperator_group = \"S0GROUP\"").await;
    scene.fake.script("usergroups.users.list", [Answer::error("missing_scope")]);
    scene.press("U0MEMBER", "roll_back").await;
    assert_eq!(scene.count(is_begun), 0);
    let told = scene.told("U0MEMBER", 1).await;
    assert!(told[0].contains("missing_scope") && told[0].contains("backstop rollback"), "{told:?}");
}

#[tokio::test]
async fn a_button_counts_only_under_the_incidents_own_message() {
    let scene = Scene::new().await;
    for (member, value) in [("channel_id", "C0ELSEWHERE"), ("message_ts", "1.1")] {
        let mut click = scene.click("U0ANA", "roll_back");
        click["container"][member] = json!(value);
        scene.post(&click).await;
    }
    let mut click = scene.click("U0ANA", "roll_back");
    click["actions"][0]["value"] = json!("spark-trading-20200101-000000-0001");
    scene.post(&click).await;
    until("all are refused", || scene.clicks("refused") == 3).await;
    assert_eq!((scene.phase(), scene.count(is_begun)), ("grace", 0));
    let told = scene.told("U0ANA", 3).await;
    assert!(told.iter().any(|text| text.contains("own message")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("is not known here")), "{told:?}");
}

#[tokio::test]
async fn pressed_twice_it_is_done_once_and_the_second_time_is_told_so() {
    let scene = Scene::new().await;
    for (action, words) in [
        ("acknowledge", "you have acknowledged it already"),
        ("hold", "held by @ana"),
        ("close", "closed by"),
    ] {
        scene.press("U0ANA", action).await;
        let told = scene.fake.asked("chat.postEphemeral").len();
        scene.press("U0ANA", action).await;
        let texts = scene.told("U0ANA", told + 1).await;
        assert!(texts.last().is_some_and(|text| text.contains(words)), "{action}: {texts:?}");
    }
    assert_eq!((scene.clicks("done"), scene.clicks("refused")), (3, 3));
}

#[tokio::test]
async fn of_two_who_press_at_once_one_rolls_back_and_the_other_is_told() {
    let slack = "signing_secret_file = \"signing\"\noperators = [\"U0ANA\", \"U0BOB\"]";
    let scene = Scene::with(slack).await;
    let (ana, bob) = (scene.click("U0ANA", "roll_back"), scene.click("U0BOB", "roll_back"));
    tokio::join!(scene.post(&ana), scene.post(&bob));
    until("both are acted upon", || scene.clicks("done") == 1 && scene.clicks("refused") == 1).await;
    assert_eq!(scene.count(is_begun), 1);
    until("the other is told", || scene.fake.asked("chat.postEphemeral").len() == 1).await;
}

#[tokio::test]
async fn after_the_end_nothing_is_rolled_back() {
    let scene = Scene::new().await;
    let late = scene.click("U0ANA", "roll_back");
    scene.press("U0ANA", "close").await;
    scene.post(&late).await;
    until("it is refused", || scene.clicks("refused") == 1).await;
    assert_eq!((scene.phase(), scene.count(is_begun)), ("closed", 0));
    assert!(scene.told("U0ANA", 1).await[0].contains("closed by @ana"));
}

#[tokio::test]
async fn what_could_not_be_stored_is_done_and_said() {
    let scene = Scene::new().await;
    scene.store.fail_writes(true);
    scene.press("U0ANA", "roll_back").await;
    assert!(scene.incident().has_rolled_back());
    assert!(scene.told("U0ANA", 1).await[0].contains("not stored yet"));
}

#[tokio::test]
async fn what_was_taken_before_the_end_is_still_acted_upon() {
    let scene = Scene::new().await;
    let click = scene.click("U0ANA", "hold");
    scene.post(&click).await;
    scene.stop.cancel();
    until("it is held", || scene.count(|event| matches!(event, Event::Held { .. })) == 1).await;
}

#[test]
fn more_clicks_than_can_be_acted_upon_are_turned_away_and_may_come_again() {
    let (clicks, mut queue) = Clicks::new(None, Metrics::new(&[], &[]));
    let click = |number: u32| {
        json!({
            "type": "block_actions", "user": { "id": "U1" },
            "container": { "channel_id": "C1", "message_ts": "1.1" },
            "actions": [{ "action_id": "hold", "value": "i", "action_ts": number.to_string() }],
        })
        .to_string()
    };
    let taken = (0..64).filter(|number| clicks.take(&click(*number)) == Taken::Yes).count();
    assert_eq!(taken, 64);
    assert_eq!(clicks.take(&click(64)), Taken::Overloaded);
    queue.try_recv().expect("one");
    assert_eq!(clicks.take(&click(64)), Taken::Yes, "it was not remembered as done");
}
