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
async fn only_a_refused_token_is_blamed_on_the_token_and_every_other_kind_says_what_it_is() {
    let late =
        Answer { delay: std::time::Duration::from_secs(3_600), ..Answer::json(&json!({ "ok": true })) };
    let busy = Answer { status: 429, retry_after: Some(30), ..Answer::json(&json!({ "ok": false })) };
    let html = |status| Answer { status, body: "<html>sign in</html>".to_owned(), ..Answer::error("x") };
    for (answer, expected) in [
        (late, "Slack does not answer in time: check the network, proxies and slack.api_url, and ask again"),
        (busy, "Slack asks to be left alone for 30 s: nothing is known to be wrong, ask again then"),
        (html(302), "something that is not Slack's API answers 302: check slack.api_url and proxies"),
        (html(200), "what answers is not Slack's API: check slack.api_url and proxies"),
        (
            Answer::error("channel_not_found"),
            "Slack does not say whose the token is: Slack says channel_not_found: check slack.channel, and invite the bot where the channel is private",
        ),
        (
            Answer::error("token_revoked"),
            "slack.token_file is refused: Slack says token_revoked: put the bot's token (xoxb-…) into slack.token_file",
        ),
    ] {
        assert_eq!(check_soon("auth.test", answer).await, expected);
    }
    let app = check("apps.connections.open", Some(Answer::error("not_allowed_token_type"))).await;
    assert_eq!(
        app.expect_err("refused").to_string(),
        "Socket Mode can't be opened: Slack says not_allowed_token_type: put the app's token (xapp-…) into slack.app_token_file"
    );
    let nowhere = check("conversations.list", Some(Answer::error("channel_not_found"))).await;
    assert_eq!(
        nowhere.expect_err("refused").to_string(),
        "#spark-incidents can't be looked at: Slack says channel_not_found: check slack.channel, and invite the bot where the channel is private"
    );
}

/// What is wrong, where nobody waits for as long as a channel may take.
async fn check_soon(method: &str, answer: Answer) -> String {
    let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
    fake.script(method, [answer]);
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(1);
    slack(&fake.url, folder.path()).check_all(until).await.expect_err("wrong").to_string()
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
