//! Channels that are down, slow, hang or refuse: none holds up another, and none the rollback.

use std::time::{Duration, Instant};

use backstop::demo::people::Answer;
use backstop::demo::people::pagerduty::AlertState;

use super::world::{World, critical};
use crate::support::{PATIENCE, binary, wait_for};

#[tokio::test]
async fn with_every_channel_hanging_for_ever_the_canary_is_rolled_back_verified_and_recorded() {
    let mut world = World::set("1h").await;
    world.people.always("*", Answer::hang());
    world.serve().await;
    let began = Instant::now();
    world.post(&critical("ErrorRate")).await;
    wait_for("the traffic off", || async { (world.api.share() == 0).then_some(()) }).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let done = world.site.incident("the evidence", |incident| {
        incident.state == "rolled_back"
            && incident.evidence.iter().any(|file| file.name.ends_with("_after.prom"))
    });
    done.await;
    world.stop().await;
}

#[tokio::test]
async fn a_channel_that_hangs_holds_up_no_other() {
    let mut world = World::set("1h").await;
    world.people.always("/slack/*", Answer::hang());
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    world.page_is(AlertState::Triggered).await;
    world.status_says("monitoring").await;
    world.stop().await;
}

#[tokio::test]
async fn a_channel_that_refuses_is_reported_in_another() {
    let mut world = World::set("1h").await;
    world.people.always("/v2/enqueue", Answer::json(400, &serde_json::json!({
        "status": "invalid event", "message": "Event object is invalid", "errors": ["routing_key is invalid"],
    })));
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    let says = |people: &backstop::demo::people::People| {
        let thread = people.slack().threads(super::world::CHANNEL).pop()?;
        let said = |reply: &backstop::demo::people::slack::Post| {
            reply.current().text.contains("pagerduty") && reply.is_broadcast
        };
        thread.replies.iter().any(said).then_some(())
    };
    world
        .people
        .wait_until("the report in Slack", PATIENCE, says)
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        world.people.calls_to("/v2/enqueue").iter().filter(|call| call.status == Some(400)).count(),
        world.people.calls_to("/v2/enqueue").len()
    );
    world.stop().await;
}

#[tokio::test]
async fn a_channel_that_was_down_is_told_how_it_stands_once_it_is_back() {
    let mut world = World::set("1h").await;
    world.people.go_down();
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    world.people.come_back().await.expect("the same port");
    world.thread_says("ROLLED BACK").await;
    world.page_is(AlertState::Triggered).await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_undelivered_is_in_the_status_and_the_metrics() {
    let mut world = World::set("1h").await;
    world.people.go_down();
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    wait_for("the metric", || async {
        let undelivered = world.site.metric("backstop_messages_undelivered{channel=\"slack\"}").await;
        (undelivered >= 1.0).then_some(())
    })
    .await;
    world.people.come_back().await.expect("the same port");
    wait_for("nothing undelivered", || async {
        let undelivered = world.site.metric("backstop_messages_undelivered{channel=\"slack\"}").await;
        (undelivered == 0.0).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_in_the_status_and_the_metrics_until_a_message_arrives() {
    let mut world = World::set("1h").await;
    let revoked = serde_json::json!({ "ok": false, "error": "token_revoked" });
    world.people.always("/slack/*", Answer::json(200, &revoked));
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    let rolled_back = world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let site = &world.site;
    let refusing = |expected: f64| async move {
        let seen = site.metric("backstop_channel_refusing{channel=\"slack\"}").await;
        (seen == expected).then_some(())
    };
    let status = || async {
        let output = binary().arg("status").arg("--config").arg(&site.config).output().await.expect("run");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    wait_for("the metric", || refusing(1.0)).await;
    let text = status().await;
    let line = text.lines().find(|line| line.contains("slack REFUSED")).unwrap_or_default();
    assert!(line.contains("token_revoked") && line.contains("none has arrived since"), "{text}");
    world.people.as_usual();
    let path = format!("/api/v1/incidents/{}/acknowledge", rolled_back.id);
    assert_eq!(site.ask(&path, serde_json::json!({ "actor": "zoe" })).await.0, 200);
    wait_for("a message that arrives", || refusing(0.0)).await;
    assert!(!status().await.contains("REFUSED"));
    world.stop().await;
}
