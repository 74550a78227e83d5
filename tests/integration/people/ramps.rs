//! A ramp in Slack: one message that says how it stands, with what it allows where it stands.

use backstop::demo::people::People;
use backstop::demo::people::slack::{Post, Thread};
use serde_json::{Value, json};

use super::world::{CHANNEL, OPERATOR, World};
use crate::support::{PATIENCE, wait_for};

const RAMP: &str = "/api/v1/rollouts/spark-trading/ramp";

/// A rollout at 0 % whose ramp nobody has to judge.
async fn world() -> World {
    let mut world = World::set("1h").await;
    world.api.set_share(0);
    let config = std::fs::read_to_string(&world.site.config).expect("read");
    let ramp = "[rollouts.ramp]\ncriteria_files = []\njudge_interval = \"1s\"\n";
    std::fs::write(&world.site.config, config + ramp).expect("written");
    world.serve_at(0).await;
    world
}

fn buttons(post: &Post) -> Vec<String> {
    post.current().buttons().into_iter().map(|button| button.action_id).collect()
}

/// Waits until the ramp's message says this with these buttons, and all of it is recorded: a click that comes
/// before is no person's.
async fn stands(world: &World, text: &str, wanted: &[&str]) -> Thread {
    let says = |people: &People| {
        let mut threads = people.slack().threads(CHANNEL).into_iter();
        threads.find(|thread| thread.root.current().text.contains(text) && buttons(&thread.root) == wanted)
    };
    let found = world.people.wait_until(&format!("{text:?} in Slack"), PATIENCE, says).await;
    let found = found.unwrap_or_else(|error| panic!("{error}\n{}", world.people.slack().transcript(CHANNEL)));
    wait_for("the record of the message", || async {
        let rollouts: Value = world.site.read("/api/v1/rollouts").await?;
        let waits = [&rollouts[0]["undelivered"], &rollouts[0]["notifications"]];
        waits.iter().all(|list| list.as_array().is_some_and(Vec::is_empty)).then_some(())
    })
    .await;
    found
}

async fn press(world: &World, thread: &Thread, action: &str) {
    let url = world.site.url("/slack/interactions");
    let pressed = world.people.slack().press(&url, OPERATOR, CHANNEL, &thread.root.ts, action).await;
    assert_eq!(pressed.expect("answered").status, 200);
}

#[tokio::test]
async fn a_ramp_is_one_message_whose_buttons_follow_it_to_an_abort_that_is_a_rollback() {
    let world = world().await;
    let start = json!({ "actor": "ada", "revision": "v1.4.0", "stages": [1, 100], "stage_duration": "1h" });
    let (status, answer) = world.site.ask(RAMP, start).await;
    assert_eq!(status, 201, "{answer}");
    let thread = stands(&world, "NEXT STAGE", &["pause_ramp", "abort_ramp"]).await;
    press(&world, &thread, "pause_ramp").await;
    let paused = stands(&world, "RAMP HOLDS", &["resume_ramp", "abort_ramp"]).await;
    assert_eq!(paused.root.ts, thread.root.ts, "it is the same message");
    press(&world, &thread, "resume_ramp").await;
    stands(&world, "RAMP GOES ON", &["pause_ramp", "abort_ramp"]).await;
    press(&world, &thread, "abort_ramp").await;
    let done = world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert!(done.triggered_by.contains("ana") && world.api.share() == 0, "{}", done.triggered_by);
    let ended = stands(&world, "RAMP ENDED", &[]).await;
    assert_eq!(ended.root.ts, thread.root.ts, "its last word is there, without a button");
    world.stop().await;
}
