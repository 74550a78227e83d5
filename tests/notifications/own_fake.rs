//! Our Slack channel against our own fake: what the emulator can't do, above all fail.

use backstop::clock::{Clock, SystemClock};
use backstop::demo::people::slack::BOT_TOKEN;
use backstop::demo::people::{Answer, People};
use backstop::incident::{NoticeFact, References};
use backstop::notification::slack::Slack;
use backstop::notification::{Channel, Message, SendError};
use tempfile::TempDir;

use crate::sending::{LOST, deliver, message, slack};

async fn scene() -> (People, Slack, TempDir) {
    let people = People::start().await.expect("started");
    let folder = tempfile::tempdir().expect("a folder");
    let slack = slack(&people.url("/slack/api"), "#spark-incidents", BOT_TOKEN, folder.path());
    (people, slack, folder)
}

#[tokio::test]
async fn a_thread_says_how_it_stands_and_what_happened() {
    let (people, slack, _folder) = scene().await;
    let mut references = References::new();
    deliver(&slack, message(1, LOST, &references), &mut references).await;
    let known = references.clone();
    deliver(&slack, message(2, NoticeFact::WatchdogBack, &known), &mut references).await;
    let threads = people.slack().threads("spark-incidents");
    let [thread] = threads.as_slice() else { panic!("{threads:?}") };
    assert!(thread.root.is_edited() && thread.replies.len() == 1);
    let found = slack.check().await.expect("all is well");
    assert!(found.iter().any(|line| line.contains("can be looked for")), "{found:?}");
    assert!(slack.test(SystemClock.now()).await.expect("sent").contains("/archives/C0CHANNEL1/p"));
    let shown = people.slack().transcript("spark-incidents");
    assert!(shown.contains("🟢") && shown.contains("TEST: Backstop on prod-eu"), "{shown}");
}

/// The one failure that no answer tells apart from its opposite.
#[tokio::test]
async fn what_arrived_without_an_answer_is_found_and_not_sent_twice() {
    let (people, slack, _folder) = scene().await;
    people.script("*chat.postMessage", [Answer::reset().handled()]);
    let nothing = References::new();
    for attempt in 0..3 {
        let may_have_arrived = attempt > 0;
        let sent = slack.send("root", &Message { may_have_arrived, ..message(1, LOST, &nothing) }).await;
        match attempt {
            0 => assert!(matches!(sent, Err(SendError::Unknown { .. })), "{sent:?}"),
            _ => assert_eq!(sent.expect("found").references["channel"], "C0CHANNEL1"),
        }
    }
    assert_eq!(people.slack().threads("spark-incidents").len(), 1);
}

#[tokio::test]
async fn a_message_that_a_person_deleted_is_posted_anew() {
    let (people, slack, _folder) = scene().await;
    let mut references = References::new();
    deliver(&slack, message(1, LOST, &references), &mut references).await;
    people.slack().delete("spark-incidents", &references["root"]);
    let known = references.clone();
    deliver(&slack, message(2, NoticeFact::WatchdogBack, &known), &mut references).await;
    let threads = people.slack().threads("spark-incidents");
    assert!(threads.len() == 1 && threads[0].root.ts == references["root"] && known != references);
}

#[tokio::test]
async fn a_rate_limit_is_told_with_its_time() {
    let (people, slack, _folder) = scene().await;
    people.script("*chat.postMessage", [Answer::slack_rate_limit(17)]);
    let sent = slack.send("root", &message(1, LOST, &References::new())).await;
    let Err(SendError::Failed { retry_after: Some(wait), .. }) = sent else { panic!("{sent:?}") };
    assert_eq!(wait.as_secs(), 17);
}
