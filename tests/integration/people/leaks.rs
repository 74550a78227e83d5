//! No secret in anything that is logged, stored, shown or written.

use backstop::demo::people::Answer;
use backstop::demo::people::pagerduty::ROUTING_KEY;
use backstop::demo::people::slack::{BOT_TOKEN, SIGNING_SECRET};
use backstop::demo::people::statuspage::API_KEY;

use super::world::{CHANNEL, GRAFANA_TOKEN, OPERATOR, TEAMS_SECRET, WEBHOOK_SECRET, World, critical};
use crate::support::PATIENCE;

#[tokio::test]
async fn no_secret_is_in_log_metrics_api_evidence_or_store_whatever_the_channels_answer() {
    let mut world = World::set("1h").await;
    let secrets =
        [BOT_TOKEN, SIGNING_SECRET, ROUTING_KEY, API_KEY, GRAFANA_TOKEN, WEBHOOK_SECRET, TEAMS_SECRET];
    // Each answers at first with the secret that it was sent, as a debugging proxy does.
    for (pattern, sent) in [
        ("/slack/*", BOT_TOKEN),
        ("/v2/*", ROUTING_KEY),
        ("/v1/*", API_KEY),
        ("/api/annotations", GRAFANA_TOKEN),
        ("/teams/*", TEAMS_SECRET),
    ] {
        let echo = format!("you sent {sent}, and this is no answer");
        world.people.script(pattern, [Answer::text(500, &echo), Answer::text(400, &echo)]);
    }
    world.serve().await;
    world.post(&critical("ErrorRate")).await;
    world.site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let waited = world.people.wait_for_calls("/slack/*", 3, PATIENCE).await;
    waited.unwrap_or_else(|error| panic!("{error}"));
    let thread = world.people.slack().threads(CHANNEL);
    if let Some(thread) = thread.last() {
        let url = world.site.url("/slack/interactions");
        let ts = thread.root.ts.clone();
        drop(world.people.slack().press(&url, OPERATOR, CHANNEL, &ts, "acknowledge").await);
        drop(world.people.slack().press(&url, "U0STRANGER", CHANNEL, &ts, "acknowledge").await);
    }
    let metrics = reqwest::get(format!("http://{}/metrics", world.site.parsed().server.admin_listen));
    let metrics = metrics.await.expect("an answer").text().await.expect("text");
    let incidents = serde_json::to_string(&world.site.incidents().await).expect("JSON");
    world.kill().await;
    let mut places = vec![("log", world.site.log()), ("metrics", metrics), ("API", incidents)];
    let folder = world.site.folder.path();
    for entry in [folder.join("evidence"), folder.join("data")] {
        for file in std::fs::read_dir(entry).expect("a folder") {
            let path = file.expect("an entry").path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            places.push(("file", String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    assert!(places.iter().any(|(_, text)| text.contains("slack")), "it looks where something is");
    for (place, text) in &places {
        for secret in secrets.iter().chain(&["/slack/actions/"]) {
            let at = text.find(secret).map(|at| &text[at.saturating_sub(200)..at]);
            assert!(at.is_none(), "{secret} is in the {place}, after {at:?}");
        }
    }
    world.stop().await;
}
