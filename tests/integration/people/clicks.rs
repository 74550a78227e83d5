//! Buttons in Slack, from the press to the evidence.

use backstop::demo::people::slack::Thread;
use backstop::web::IncidentView;

use super::world::{CHANNEL, OPERATOR, World, warning};
use crate::support::{PATIENCE, wait_for};

/// The warning's message, once it is recorded where it is: a click that comes before is no person's.
async fn shown(world: &World) -> Thread {
    let thread = world.thread_says("WARNING").await;
    let is_recorded = |incident: &IncidentView| {
        let mut told = incident.notifications.iter().flat_map(|notification| &notification.channels);
        told.any(|told| told.channel == "slack" && told.state == "sent")
    };
    world.site.incident("the record of the message", is_recorded).await;
    thread
}

#[tokio::test]
async fn a_persons_click_rolls_back_and_their_name_is_in_the_evidence() {
    let world = World::start("1h").await;
    world.post(&warning("Latency")).await;
    let thread = shown(&world).await;
    let url = world.site.url("/slack/interactions");
    let pressed = world.people.slack().press(&url, OPERATOR, CHANNEL, &thread.root.ts, "roll_back").await;
    assert_eq!(pressed.expect("answered").status, 200);
    wait_for("the traffic off", || async { (world.api.share() == 0).then_some(()) }).await;
    let done = world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert!(
        done.triggered_by.starts_with("Manual (") && done.triggered_by.contains("ana"),
        "{}",
        done.triggered_by
    );
    let thread = world.thread_says("ROLLED BACK").await;
    assert!(!thread.root.current().buttons().iter().any(|button| button.action_id == "roll_back"));
    world.stop().await;
}

#[tokio::test]
async fn a_stranger_is_told_so_privately_and_nothing_happens() {
    let world = World::start("1h").await;
    world.post(&warning("Latency")).await;
    let thread = shown(&world).await;
    let url = world.site.url("/slack/interactions");
    let pressed = world.people.slack().press(&url, "U0STRANGER", CHANNEL, &thread.root.ts, "roll_back").await;
    assert_eq!(pressed.expect("answered").status, 200);
    let private = |people: &backstop::demo::people::People| {
        let channel = people.slack().channel(CHANNEL)?;
        channel.ephemerals.iter().find(|seen| seen.user == "U0STRANGER").cloned()
    };
    let seen = world.people.wait_until("a private answer", PATIENCE, private).await;
    seen.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(world.api.share(), 25);
    assert_eq!(world.site.incidents().await[0].state, "grace");
    world.stop().await;
}
