//! SIGKILL between a message that arrived and the record that it did, for each channel: after the
//! restart it is looked for, and nobody is told twice what can be known.

use backstop::demo::people::Answer;
use backstop::demo::people::pagerduty::AlertState;

use super::world::{CHANNEL, World, critical};
use crate::support::PATIENCE;

/// Lets the first call that matches take effect without an answer, and kills the server there.
async fn killed_at(pattern: &str) -> World {
    let mut world = World::set("1h").await;
    world.people.script(pattern, [Answer::hang().handled()]);
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    let arrived = world.people.wait_for_calls(pattern, 1, PATIENCE).await;
    arrived.unwrap_or_else(|error| panic!("{error}"));
    world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    world.kill().await;
    world.server_again().await;
    world
}

#[tokio::test]
async fn slacks_message_is_found_again_and_the_thread_goes_on_below_it() {
    let world = killed_at("/slack/api/chat.postMessage").await;
    world.thread_says("ROLLED BACK").await;
    assert_eq!(
        world.people.slack().threads(CHANNEL).len(),
        1,
        "{}",
        world.people.slack().transcript(CHANNEL)
    );
    world.reply_says("ROLLED BACK").await;
    assert_eq!(world.people.slack().threads(CHANNEL).len(), 1, "the thread goes on below the one message");
    world.stop().await;
}

#[tokio::test]
async fn pagerduty_is_asked_again_by_the_same_key_and_opens_no_second_alert() {
    let world = killed_at("/v2/enqueue").await;
    let page = world.page_is(AlertState::Triggered).await;
    assert!(!page.events.is_empty());
    assert_eq!(world.people.pagerduty().alerts.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn the_status_page_is_never_posted_twice() {
    let world = killed_at("POST /v1/pages/*").await;
    world.status_says("monitoring").await;
    assert_eq!(world.people.statuspage().incidents.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn grafanas_annotation_is_found_by_its_tags_and_ended() {
    let world = killed_at("POST /api/annotations").await;
    let ended = |people: &backstop::demo::people::People| {
        let annotations = people.grafana().annotations;
        annotations.iter().any(|one| one.time_end_milliseconds.is_some()).then_some(annotations)
    };
    let annotations = world.people.wait_until("the end of the region", PATIENCE, ended).await;
    let annotations = annotations.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(annotations.len(), 1, "{annotations:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_webhook_that_may_have_arrived_comes_again_with_the_same_delivery() {
    let world = killed_at("/webhook/*").await;
    let calls = world.people.wait_for_calls("/webhook/*", 2, PATIENCE).await;
    let calls = calls.unwrap_or_else(|error| panic!("{error}"));
    let delivery = |call: &backstop::demo::people::Call| {
        call.headers.get("x-backstop-delivery").map(|id| id.to_str().expect("text").to_owned())
    };
    assert!(delivery(&calls[0]).is_some());
    assert_eq!(delivery(&calls[0]), delivery(&calls[1]));
    world.stop().await;
}

#[tokio::test]
async fn teams_where_nobody_can_look_gets_the_same_again_and_then_the_end() {
    let world = killed_at("/teams/*").await;
    let calls = world.people.wait_for_calls("/teams/*", 3, PATIENCE).await;
    let calls = calls.unwrap_or_else(|error| panic!("{error}"));
    let says = |number: usize, word: &str| String::from_utf8_lossy(&calls[number].body).contains(word);
    assert!(says(0, "ROLLING BACK") && says(1, "ROLLING BACK"), "what may have arrived comes again");
    assert!(says(2, "ROLLED BACK"), "and then how it ended");
    world.stop().await;
}
