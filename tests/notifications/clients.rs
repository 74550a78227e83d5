//! The vendors' own clients drive the fake that our channels are tested against. What they understand, and
//! what the fake then knows, is what the real one would have understood.

use std::time::Duration;

use backstop::clock::{Clock, SystemClock};
use backstop::demo::people::pagerduty::{AlertState, ROUTING_KEY};
use backstop::demo::people::slack::{APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SignedRequest};
use backstop::demo::people::{People, grafana, statuspage};

use crate::toolbox::{passes, passes_with, python};

/// The longest that a client may take to connect.
const PATIENCE: Duration = Duration::from_secs(60);

async fn started() -> People {
    People::start().await.expect("started")
}

#[tokio::test]
async fn slacks_client_understands_the_fake() {
    let people = started().await;
    passes(python("slack_client.py").await.args([&people.url(""), BOT_TOKEN])).await;
    let threads = people.slack().threads("spark-incidents");
    assert_eq!((threads.len(), threads[0].replies.len()), (1, 2));
    assert_eq!(threads[0].root.current().text, "second");
}

#[tokio::test]
async fn slacks_socket_client_takes_a_button_from_the_fake() {
    let people = started().await;
    let mut command = python("slack_socket.py").await;
    command.args([&people.url(""), APP_TOKEN]);
    let client = passes(&mut command);
    let presses = async {
        let open = |people: &People| (people.slack().open_sockets() > 0).then_some(());
        people.wait_until("a socket", PATIENCE, open).await.expect("it connects");
        let payload = serde_json::json!({
            "type": "block_actions", "user": { "id": "U0ANA" },
            "actions": [{ "type": "button", "action_id": "hold", "block_id": "b", "value": "i" }],
        });
        let id = people.slack().send_by_socket(&payload).expect("sent");
        let acknowledged = |people: &People| people.slack().is_acknowledged(&id).then_some(());
        people.wait_until("its acknowledgement", PATIENCE, acknowledged).await.expect("acknowledged");
    };
    tokio::join!(client, presses);
}

#[tokio::test]
async fn slacks_verifier_takes_what_the_fake_signs() {
    let payload = serde_json::json!({ "type": "block_actions", "text": "ü & +%" });
    let signed = SignedRequest::sign(&payload, SIGNING_SECRET, SystemClock.now());
    let mut command = python("slack_signature.py").await;
    command.args([SIGNING_SECRET, &signed.timestamp.to_string(), &signed.signature]);
    passes_with(&mut command, &signed.body).await;
}

#[tokio::test]
async fn pagerdutys_client_understands_the_fake() {
    let people = started().await;
    passes(python("pagerduty_client.py").await.args([&people.url(""), ROUTING_KEY])).await;
    let known = people.pagerduty();
    let states: Vec<_> = known.alerts.iter().map(|alert| alert.state).collect();
    assert_eq!(states, [AlertState::Resolved, AlertState::Triggered]);
    assert_eq!((known.changes.len(), known.dropped.len()), (1, 0));
}

#[tokio::test]
async fn a_grafana_client_understands_the_fake() {
    let people = started().await;
    passes(python("grafana_users_client.py").await.args([&people.url(""), grafana::TOKEN])).await;
    assert_eq!(people.grafana().annotations[0].time_end_milliseconds, Some(2_000));
}

#[tokio::test]
async fn statuspages_client_understands_the_fake() {
    let people = started().await;
    let mut command = python("statuspage_client.py").await;
    let [component, _] = statuspage::COMPONENTS;
    command.args([&people.url(""), statuspage::API_KEY, statuspage::PAGE, component]);
    passes(&mut command).await;
    assert_eq!(people.statuspage().components[component], "partial_outage");
}
