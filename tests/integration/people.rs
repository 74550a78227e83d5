//! What people are told, from the alert to the thread, the page and the status page: with the real
//! server, and one that plays the other side of every channel and records.

mod clicks;
mod killed;
mod leaks;
mod ramps;
mod troubles;
mod world;

use backstop::demo::people::pagerduty::AlertState;
use world::{CHANNEL, World, critical, warning};

use crate::support::{body, now};

#[tokio::test]
async fn a_critical_is_told_in_one_thread_paged_once_and_resolved_when_its_alert_ends() {
    let world = World::start("1h").await;
    let starts_at = now();
    world.post(&body("ErrorRate", "critical", &starts_at, None)).await;
    let thread = world.thread_says("ROLLED BACK").await;
    // The message is posted as it stands by then, and it stands so within milliseconds.
    let begin = &thread.root.versions.first().expect("posted").text;
    assert!(begin.contains("ErrorRate"), "{begin}");
    world.history_says("ROLLING BACK").await;
    assert_eq!(world.people.slack().threads(CHANNEL).len(), 1, "one message for one incident");

    let page = world.page_is(AlertState::Triggered).await;
    let key = &page.dedup_key;
    assert!(key.contains("spark-trading") && key.contains("v1.4.0"), "{key}");
    world.status_says("monitoring").await;

    world.post(&body("ErrorRate", "critical", &starts_at, Some(&now()))).await;
    let page = world.page_is(AlertState::Resolved).await;
    let actions: Vec<_> = page.events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!((actions.first(), actions.last()), (Some(&"trigger"), Some(&"resolve")), "{actions:?}");
    world.status_says("resolved").await;
    assert_eq!(world.people.statuspage().incidents.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_warning_that_is_over_pages_nobody_and_tells_the_public_nothing() {
    let world = World::start("1h").await;
    let starts_at = now();
    world.post(&body("Latency", "warning", &starts_at, None)).await;
    let thread = world.thread_says("WARNING").await;
    assert!(thread.root.current().text.contains("Latency"));
    let incident = world.site.incidents().await.remove(0);
    let words = serde_json::json!({ "actor": "ada", "reason": "seen" });
    let (status, answer) = world.site.ask(&format!("/api/v1/incidents/{}/close", incident.id), words).await;
    assert_eq!(status, 200, "{answer}");
    world.thread_says("CLOSED").await;
    assert!(world.people.pagerduty().alerts.is_empty());
    assert!(world.people.statuspage().incidents.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn in_shadow_mode_people_read_what_would_have_been_done_and_nobody_is_woken() {
    let mut world = World::set("1s").await;
    let config = world.site.folder.path().join("backstop.toml");
    let text = std::fs::read_to_string(&config).expect("read");
    let text = text.replacen("[[rollouts]]", "[[rollouts]]\nmode = \"shadow\"", 1);
    std::fs::write(&config, text).expect("written");
    world.serve().await;
    world.post(&warning("Latency")).await;
    let thread = world.thread_says("WOULD ROLL BACK").await;
    assert!(thread.root.versions.iter().all(|version| !version.text.contains("Rolls back at")));
    assert!(thread.root.current().text.contains("SHADOW"), "{}", thread.root.current().text);
    assert!(world.people.pagerduty().alerts.is_empty() && world.people.statuspage().incidents.is_empty());
    assert_eq!(world.api.share(), 25);
    world.stop().await;
}

#[tokio::test]
async fn two_alerts_in_one_message_are_one_thread_and_one_page() {
    let world = World::start("1h").await;
    let both: serde_json::Value = serde_json::from_str(&critical("ErrorRate")).expect("JSON");
    let other: serde_json::Value = serde_json::from_str(&warning("Latency")).expect("JSON");
    let mut message = both.clone();
    message["alerts"] = serde_json::json!([both["alerts"][0], other["alerts"][0]]);
    world.post(&message.to_string()).await;
    world.thread_says("ROLLED BACK").await;
    world.page_is(AlertState::Triggered).await;
    assert_eq!(world.people.slack().threads(CHANNEL).len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_canary_without_traffic_is_declined_and_nobody_is_woken() {
    let mut world = World::set("1h").await;
    world.api.set_share(0);
    world.serve_at(0).await;
    world.post(&critical("ErrorRate")).await;
    world.site.incident("the incident", |incident| incident.state == "declined").await;
    assert!(world.people.calls().is_empty(), "{:?}", world.people.calls());
    world.stop().await;
}
