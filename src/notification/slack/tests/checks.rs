use serde_json::json;

use super::fake::{Answer, Fake};
use super::slack;
use crate::notification::{Channel, SendError};

async fn check(method: &str, answer: Option<Answer>) -> Result<Vec<String>, SendError> {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.script(method, answer);
    let found = slack(&fake.url, folder.path()).check().await;
    assert!(!fake.methods().iter().any(|method| method.starts_with("chat.")), "nothing is sent");
    found
}

#[tokio::test]
async fn a_slack_that_can_be_used_is_described_by_what_was_looked_at() {
    // Without an address Socket Mode can't be opened.
    let opened = Answer::json(&json!({ "ok": true, "url": "wss://wss.example/?ticket=s3cret" }));
    let found = check("apps.connections.open", Some(opened)).await.expect("good");
    assert_eq!(
        found,
        [
            "the token is good: bot backstop of the workspace Spark",
            "the bot is a member of #spark-incidents (C0INCIDENTS)",
            "a message that may have arrived can be looked for",
            "Socket Mode can be opened",
        ]
    );
}

#[tokio::test]
async fn each_problem_is_named_with_its_remedy() {
    let nobody =
        json!({ "ok": true, "channels": [{ "id": "C1", "name": "spark-incidents", "is_member": false }] });
    for (method, answer, expected) in [
        ("auth.test", Answer::error("invalid_auth"), "slack.token_file"),
        ("conversations.list", Answer::json(&nobody), "/invite"),
        ("conversations.list", Answer::json(&json!({ "ok": true, "channels": [] })), "check slack.channel"),
        ("apps.connections.open", Answer::error("invalid_auth"), "slack.app_token_file"),
    ] {
        let error = check(method, Some(answer)).await.expect_err(expected).to_string();
        assert!(error.contains(expected), "{method}: {error}");
    }
}

#[tokio::test]
async fn a_permission_that_only_helps_is_no_error() {
    let opened = Answer::json(&json!({ "ok": true, "url": "wss://wss.example" }));
    let missing = json!({ "ok": false, "error": "missing_scope", "needed": "channels:read" });
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.script("apps.connections.open", [opened]);
    fake.script("conversations.list", [Answer::json(&missing)]);
    let found = slack(&fake.url, folder.path()).check().await.expect("usable");
    assert!(found.iter().any(|line| line.contains("needed: channels:read")), "{found:?}");
}

#[tokio::test]
async fn a_test_is_marked_as_one_and_says_where_it_went() {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    let now = "2026-11-24T03:00:00Z".parse().expect("a time");
    let said = slack(&fake.url, folder.path()).test(now).await.expect("sent");
    assert!(said.contains("#spark-incidents (C0INCIDENTS)") && said.contains("https://"), "{said}");
    let text = fake.asked("chat.postMessage")[0]["text"].as_str().expect("a text").to_owned();
    assert!(text.starts_with("TEST: ") && text.contains("Nothing has happened"), "{text}");
}
