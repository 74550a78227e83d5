use std::time::Duration;

use serde_json::{Value, json};

use super::fake::{Answer, Fake};
use super::slack;
use crate::incident::{NoticeFact, NoticeKind, References};
use crate::notification::fixtures::message;
use crate::notification::slack::{REPLY, ROOT, Slack, UPDATE, is_loud};
use crate::notification::{Channel, Message, SendError, Sent};

struct Scene {
    fake: Fake,
    slack: Slack,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
        Self { slack: slack(&fake.url, folder.path()), fake, _folder: folder }
    }

    /// Makes every call that a notice needs, as the worker does; their names, and what is known then.
    async fn deliver(&self, kind: NoticeKind, references: References) -> (Vec<&'static str>, References) {
        let (mut message, mut calls) = (Message { references, ..message(kind) }, Vec::new());
        while let Some(call) = self.slack.next_call(&message) {
            let Sent { references } = self.slack.send(call, &message).await.expect(call);
            calls.push(call);
            message.done.push(call.to_owned());
            message.references.extend(references);
        }
        (calls, message.references)
    }

    fn posted(&self) -> Vec<Value> {
        self.fake.asked("chat.postMessage")
    }
}

fn known() -> References {
    let pairs = [("channel", "C0INCIDENTS"), ("root", "1790000000.000009")];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn in_doubt(kind: NoticeKind, done: &[&str], references: References) -> Message {
    let done = done.iter().map(|call| (*call).to_owned()).collect();
    Message { done, references, may_have_arrived: true, ..message(kind) }
}

#[tokio::test]
async fn the_first_notice_posts_a_message_and_the_next_changes_it_by_the_id_that_came_back() {
    let scene = Scene::new().await;
    let (calls, references) = scene.deliver(NoticeKind::RollbackStarted, References::new()).await;
    assert_eq!(calls, [ROOT], "a reply that says the same would be noise");
    let (calls, _) = scene.deliver(NoticeKind::RollbackEnded, references).await;
    assert_eq!(calls, [UPDATE, REPLY]);
    let (posted, updated) = (scene.posted(), scene.fake.asked("chat.update"));
    assert_eq!(posted[0]["channel"], "#spark-incidents");
    assert_eq!(
        (&updated[0]["channel"], &updated[0]["ts"]),
        (&json!("C0INCIDENTS"), &json!("1790000000.000001"))
    );
    assert_eq!(
        (&posted[1]["channel"], &posted[1]["thread_ts"]),
        (&json!("C0INCIDENTS"), &json!("1790000000.000001"))
    );
    assert_eq!(posted[1].get("reply_broadcast"), None, "good news wakes nobody");
    assert_eq!(updated[0].get("metadata"), None, "Slack keeps the id that the message has");
}

#[tokio::test]
async fn what_needs_a_person_is_shown_in_the_channel_and_mentions_whoever_is_on_call() {
    for kind in NoticeKind::ALL {
        let loud = [
            NoticeKind::RollbackFailed,
            NoticeKind::RollbackNotVerified,
            NoticeKind::RollbackOverdue,
            NoticeKind::RollbackWaits,
            NoticeKind::RepeatedRollback,
            NoticeKind::Escalated,
            NoticeKind::ChannelFailed,
            NoticeKind::PublicUpdateLate,
            NoticeKind::WatchdogLost,
            NoticeKind::RampHoldsTooLong,
        ];
        let scene = Scene::new().await;
        scene.deliver(*kind, known()).await;
        let last = scene.posted().pop().expect("a message");
        let expected = if *kind == NoticeKind::Escalated { "<@U2> " } else { "<!subteam^S1> " };
        let mentions = last["text"].as_str().expect("a text").starts_with(expected);
        assert_eq!(mentions, loud.contains(kind), "{kind}");
        let is_seen = last["reply_broadcast"] == true || last.get("thread_ts").is_none();
        let is_own = *kind == NoticeKind::RampStarted;
        assert_eq!(is_seen, loud.contains(kind) || is_own, "{kind}");
    }
}

#[test]
fn that_a_dashboard_could_not_be_told_mentions_nobody() {
    let message = message(NoticeKind::ChannelFailed);
    let mut notice = message.notice.as_ref().clone();
    let Some(NoticeFact::ChannelFailed { matters, .. }) = &mut notice.fact else { panic!("of a channel") };
    *matters = false;
    assert!(is_loud(&message.notice) && !is_loud(&notice));
}

#[tokio::test]
async fn a_silent_watchdog_gets_a_message_of_its_own_each_time() {
    let scene = Scene::new().await;
    assert_eq!(scene.deliver(NoticeKind::WatchdogLost, known()).await.0, [ROOT]);
    assert_eq!(scene.deliver(NoticeKind::WatchdogBack, known()).await.0, [UPDATE, REPLY]);
}

#[tokio::test]
async fn a_ramp_gets_a_message_of_its_own_and_while_it_runs_all_is_said_there() {
    let scene = Scene::new().await;
    assert_eq!(scene.deliver(NoticeKind::RampStarted, known()).await.0, [ROOT]);
    let (blocks, texts) = (&scene.posted()[0]["blocks"].to_string(), scene.posted().len());
    assert!(blocks.contains("pause_ramp") && blocks.contains("abort_ramp") && texts == 1, "{blocks}");
    for kind in [NoticeKind::RampHolds, NoticeKind::RampSucceeded] {
        assert_eq!(scene.deliver(kind, known()).await.0, [UPDATE, REPLY], "{kind}");
    }
    let updated = scene.fake.asked("chat.update");
    let has_buttons: Vec<_> =
        updated.iter().map(|body| body["blocks"].to_string().contains("abort_ramp")).collect();
    assert_eq!(has_buttons, [true, false], "they go with its end");
    let running = message(NoticeKind::RampStarted).subject;
    let silent = Message { subject: running, references: known(), ..message(NoticeKind::WatchdogLost) };
    assert_eq!(scene.slack.next_call(&silent), Some(UPDATE), "the buttons are nowhere else");
}

#[tokio::test]
async fn a_first_notice_that_is_not_how_it_stands_is_told_below_the_message() {
    let scene = Scene::new().await;
    assert_eq!(scene.deliver(NoticeKind::Escalated, References::new()).await.0, [ROOT, REPLY]);
    let posted = scene.posted();
    assert!(
        posted[0]["text"].as_str().expect("a text").starts_with("ROLLBACK FAILED"),
        "{}",
        posted[0]["text"]
    );
    assert!(posted[1]["text"].as_str().expect("a text").contains("ESCALATED"), "{}", posted[1]["text"]);
}

#[tokio::test]
async fn what_was_left_out_while_slack_could_not_be_reached_is_said() {
    let scene = Scene::new().await;
    let left_out = |references, done: &[&str]| {
        let done = done.iter().map(|call| (*call).to_owned()).collect();
        Message { left_out: 3, references, done, ..message(NoticeKind::RollbackEnded) }
    };
    scene.slack.send(ROOT, &left_out(References::new(), &[])).await.expect("sent");
    scene.slack.send(REPLY, &left_out(known(), &[UPDATE])).await.expect("sent");
    for posted in scene.posted() {
        let blocks = posted["blocks"].to_string();
        assert!(blocks.contains("3 earlier messages were left out"), "{blocks}");
    }
}

#[tokio::test]
async fn a_message_that_was_deleted_is_posted_anew_and_remembered() {
    let scene = Scene::new().await;
    scene.fake.script("chat.update", [Answer::error("message_not_found")]);
    let (calls, references) = scene.deliver(NoticeKind::RollbackEnded, known()).await;
    assert_eq!(calls, [UPDATE, REPLY]);
    assert_eq!(references["root"], "1790000000.000001");
    assert_eq!(scene.posted()[1]["thread_ts"], "1790000000.000001", "the reply goes below the new one");
}

#[tokio::test]
async fn slack_is_not_asked_again_before_the_time_that_it_named() {
    let scene = Scene::new().await;
    let limited = Answer { retry_after: Some(30), ..Answer::status(429) };
    scene.fake.script("chat.postMessage", [limited]);
    let error = scene.slack.send(ROOT, &message(NoticeKind::GraceOpened)).await.expect_err("limited");
    assert!(
        matches!(error, SendError::Failed { retry_after: Some(rest), .. } if rest == Duration::from_secs(30))
    );
    // Another incident's message is held back too, and says for how long.
    let error = scene.slack.send(ROOT, &message(NoticeKind::RollbackStarted)).await.expect_err("limited");
    assert!(
        matches!(error, SendError::Failed { retry_after: Some(rest), .. } if rest > Duration::from_secs(25))
    );
    assert_eq!(scene.posted().len(), 1);
}

#[tokio::test]
async fn a_message_that_may_have_arrived_is_found_and_not_posted_twice() {
    let undecodable = Answer { body: "<html>".to_owned(), ..Answer::json(&json!({})) };
    for doubtful in [Answer::status(502), undecodable, Answer::error("internal_error")] {
        let scene = Scene::new().await;
        scene.fake.script("chat.postMessage", [doubtful]);
        let error = scene.slack.send(ROOT, &message(NoticeKind::RollbackFailed)).await.expect_err("in doubt");
        assert!(matches!(error, SendError::Unknown { .. }), "{error:?}");
        let doubt = in_doubt(NoticeKind::RollbackFailed, &[], References::new());
        let sent = scene.slack.send(ROOT, &doubt).await.expect("found");
        assert_eq!(sent.references["root"], "1790000000.000001");
        assert_eq!(scene.posted().len(), 1, "no second one");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slack_that_hangs_is_in_doubt_after_ten_seconds() {
    let scene = Scene::new().await;
    let hangs = Answer { delay: Duration::from_secs(3_600), ..Answer::json(&json!({ "ok": true })) };
    scene.fake.script("chat.postMessage", [hangs]);
    let began = tokio::time::Instant::now();
    let error = scene.slack.send(ROOT, &message(NoticeKind::GraceOpened)).await.expect_err("in doubt");
    assert!(matches!(error, SendError::Unknown { .. }), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn what_is_not_there_is_sent_again() {
    let scene = Scene::new().await;
    let doubt = in_doubt(NoticeKind::RollbackFailed, &[UPDATE], known());
    scene.slack.send(REPLY, &doubt).await.expect("sent");
    assert_eq!(scene.fake.methods(), ["conversations.replies", "chat.postMessage"]);
    assert_eq!(scene.fake.asked("conversations.replies")[0]["ts"], "1790000000.000009");
    scene.slack.send(REPLY, &doubt).await.expect("found");
    assert_eq!(scene.posted().len(), 1, "and found then");
}

#[tokio::test]
async fn a_reply_is_not_taken_for_sent_because_the_message_of_the_same_notice_is_there() {
    let scene = Scene::new().await;
    let sent = scene.slack.send(ROOT, &message(NoticeKind::Escalated)).await.expect("sent");
    scene.slack.send(REPLY, &in_doubt(NoticeKind::Escalated, &[ROOT], sent.references)).await.expect("sent");
    assert_eq!(scene.posted().len(), 2);
}

#[tokio::test]
async fn where_nobody_can_look_a_page_is_sent_again_and_what_informs_is_not() {
    for (kind, expected) in [(NoticeKind::RollbackFailed, 1), (NoticeKind::GraceOpened, 0)] {
        let scene = Scene::new().await;
        scene.fake.script("conversations.list", [Answer::error("missing_scope")]);
        scene.slack.send(ROOT, &in_doubt(kind, &[], References::new())).await.expect("done");
        assert_eq!(scene.posted().len(), expected, "{kind}");
    }
}

#[tokio::test]
async fn while_looking_fails_nothing_is_sent_and_the_doubt_stays() {
    for trouble in [Answer::status(503), Answer { retry_after: Some(9), ..Answer::status(429) }] {
        let scene = Scene::new().await;
        scene.fake.script("conversations.history", [trouble]);
        let doubt = in_doubt(NoticeKind::RollbackFailed, &[], References::new());
        let error = scene.slack.send(ROOT, &doubt).await.expect_err("in doubt");
        assert!(matches!(error, SendError::Unknown { .. }), "{error:?}");
        assert_eq!(scene.posted().len(), 0);
    }
}

#[tokio::test]
async fn a_slack_that_nobody_listens_for_was_certainly_not_reached() {
    let scene = Scene::new().await;
    let nobody = slack("http://127.0.0.1:1/api", scene._folder.path());
    let error = nobody.send(ROOT, &message(NoticeKind::RollbackFailed)).await.expect_err("refused");
    assert!(matches!(error, SendError::Failed { .. }), "{error:?}");
}

#[tokio::test]
async fn an_alarm_is_not_lost_to_a_block_that_slack_does_not_like() {
    for code in ["invalid_blocks", "msg_blocks_too_long", "a_new_error"] {
        let scene = Scene::new().await;
        scene.fake.script("chat.postMessage", [Answer::error(code)]);
        scene.fake.script("chat.update", [Answer::error(code)]);
        scene.slack.send(ROOT, &message(NoticeKind::RollbackFailed)).await.expect("sent as text");
        scene
            .slack
            .send(UPDATE, &Message { references: known(), ..message(NoticeKind::RollbackFailed) })
            .await
            .expect("sent as text");
        for tries in [scene.posted(), scene.fake.asked("chat.update")] {
            assert_eq!(tries.len(), 2, "{code}");
            assert!(!tries[0]["blocks"].as_array().expect("blocks").is_empty(), "{code}");
            assert!(tries[1]["text"].as_str().expect("a text").contains("ROLLBACK FAILED"), "{code}");
        }
        assert_eq!(scene.posted()[1].get("blocks"), None, "{code}");
        let of_update = &scene.fake.asked("chat.update")[1]["blocks"];
        assert_eq!(*of_update, json!([]), "the old ones must not stay");
        assert_eq!(scene.posted()[1]["metadata"]["event_type"], "backstop", "it can still be found");
    }
}

#[tokio::test]
async fn what_no_other_content_would_mend_is_refused_at_once_with_the_remedy() {
    let scene = Scene::new().await;
    scene.fake.script("chat.postMessage", [Answer::error("not_in_channel")]);
    let error = scene.slack.send(ROOT, &message(NoticeKind::RollbackFailed)).await.expect_err("refused");
    assert!(matches!(&error, SendError::Refused { error } if error.contains("/invite")), "{error:?}");
    assert_eq!(scene.posted().len(), 1);
}

#[tokio::test]
async fn nothing_that_is_said_of_an_error_holds_the_token() {
    let scene = Scene::new().await;
    let echo = json!({ "ok": false, "error": "invalid_auth", "sent": "Bearer xoxb-not-a-real-one" });
    scene.fake.script("chat.postMessage", [Answer::json(&echo)]);
    let error = scene.slack.send(ROOT, &message(NoticeKind::GraceOpened)).await.expect_err("refused");
    assert!(!format!("{error:?} {error}").contains("not-a-real-one"), "{error:?}");
    assert!(!format!("{:?}", scene.slack).contains("not-a-real-one"));
}
