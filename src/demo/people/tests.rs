//! The server is what our channels are tested against, so it is tested itself.

mod behaviour;
mod others;
mod rendering;
mod slack;
mod socket;

use std::time::Duration;

use serde_json::{Value, json};

use super::People;

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

fn client() -> reqwest::Client {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// Calls a method of Slack's as the bot: with JSON where it reads JSON, else with a form.
async fn slack(people: &People, method: &str, arguments: &Value) -> Value {
    let request = client().post(people.url(&format!("/slack/api/{method}")));
    let writes = ["chat.postMessage", "chat.update", "chat.postEphemeral"];
    let request = if writes.contains(&method) {
        request.json(arguments)
    } else {
        let texts = arguments.as_object().expect("an object").iter().map(|(name, value)| {
            (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        let texts: Vec<_> = texts.collect();
        let pairs: Vec<_> = texts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let form = "application/x-www-form-urlencoded";
        request.header("content-type", form).body(super::form::encode(&pairs))
    };
    let answer = request.bearer_auth(super::slack::BOT_TOKEN).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{method}");
    answer.json().await.expect("JSON")
}

/// Posts a message with two buttons, and returns its `ts`.
async fn post_with_buttons(people: &People) -> String {
    let button = |id: &str, label: &str| json!({ "type": "button", "action_id": id, "value": "incident-1", "text": { "type": "plain_text", "text": label } });
    let blocks = json!([
        { "type": "header", "text": { "type": "plain_text", "text": "🟡 WARNING: spark-trading" } },
        { "type": "section", "text": { "type": "mrkdwn", "text": "Errors 4.2 % &gt; 1 %" }, "fields": [
            { "type": "mrkdwn", "text": "*Next*\nRolls back at <!date^1790000000^{time_secs}|14:18:20 UTC>" },
        ]},
        { "type": "actions", "elements": [button("rollback", "Roll back now"), button("hold", "Hold")] },
    ]);
    let arguments = json!({ "channel": "#spark-incidents", "text": "WARNING", "blocks": blocks });
    let posted = slack(people, "chat.postMessage", &arguments).await;
    posted["ts"].as_str().expect("posted").to_owned()
}
