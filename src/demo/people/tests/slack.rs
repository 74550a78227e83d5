//! Slack: threads, refusals, buttons, the transcript.

use serde_json::{Value, json};
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;

use super::{PATIENCE, client, post_with_buttons, slack};
use crate::demo::people::People;
use crate::demo::people::slack::{APP_TOKEN, PressError, SIGNING_SECRET, SignedRequest};

fn texts(answer: &Value) -> Vec<&str> {
    let messages = answer["messages"].as_array().expect("messages");
    messages.iter().map(|message| message["text"].as_str().expect("a text")).collect()
}

#[tokio::test]
async fn a_channel_is_kept_as_threads_with_their_edits() {
    let people = People::start().await.expect("started");
    let root = slack(
        &people,
        "chat.postMessage",
        &json!({ "channel": "#spark-incidents", "text": "first", "metadata": { "event_type": "notice", "event_payload": { "id": "i/1" } } }),
    )
    .await;
    let (channel, ts) = (root["channel"].clone(), root["ts"].clone());
    assert!(channel.as_str().is_some_and(|id| id.starts_with('C')), "{channel}");
    let reply = |text: &str, broadcast: bool| json!({ "channel": channel, "text": text, "thread_ts": ts, "reply_broadcast": broadcast });
    slack(&people, "chat.postMessage", &reply("quiet", false)).await;
    slack(&people, "chat.postMessage", &reply("loud", true)).await;
    slack(&people, "chat.update", &json!({ "channel": channel, "ts": ts, "text": "second" })).await;

    let history =
        slack(&people, "conversations.history", &json!({ "channel": channel, "include_all_metadata": true }))
            .await;
    assert_eq!(texts(&history), ["loud", "second"], "newest first, and replies only where broadcast");
    assert_eq!(history["messages"][1]["metadata"]["event_payload"]["id"], "i/1", "an update keeps it");
    let replies = slack(&people, "conversations.replies", &json!({ "channel": channel, "ts": ts })).await;
    assert_eq!(texts(&replies), ["second", "quiet", "loud"]);
    assert_eq!(replies["messages"][0]["metadata"], Value::Null, "not asked for");
    let page = slack(&people, "conversations.history", &json!({ "channel": channel, "limit": 1 })).await;
    let next = &page["response_metadata"]["next_cursor"];
    let rest =
        slack(&people, "conversations.history", &json!({ "channel": channel, "limit": 1, "cursor": next }))
            .await;
    assert_eq!(
        (texts(&page), texts(&rest), &rest["has_more"]),
        (vec!["loud"], vec!["second"], &json!(false))
    );
    let later = slack(&people, "conversations.history", &json!({ "channel": channel, "oldest": ts })).await;
    assert_eq!(texts(&later), ["loud"], "the oldest itself is left out");
    let pages = json!({ "channel": channel, "oldest": "0", "limit": 1 });
    let first = slack(&people, "conversations.history", &pages).await;
    assert_eq!(texts(&first), ["second"], "with the oldest as the only bound, pages go forward");

    let threads = people.slack().threads("spark-incidents");
    let [thread] = threads.as_slice() else { panic!("{threads:?}") };
    assert_eq!(
        thread.root.versions.iter().map(|version| version.text.as_str()).collect::<Vec<_>>(),
        ["first", "second"]
    );
    assert!(!thread.replies[0].is_broadcast && thread.replies[1].is_broadcast);
}

/// Traps of the real one, which a fake must have too.
#[tokio::test]
async fn a_reply_to_nothing_is_posted_to_the_channel_and_reading_methods_ignore_json() {
    let people = People::start().await.expect("started");
    let ts = post_with_buttons(&people).await;
    let near = format!("{}.999999", ts.split('.').next().expect("seconds"));
    let lost = json!({ "channel": "spark-incidents", "text": "lost", "thread_ts": near });
    let posted = slack(&people, "chat.postMessage", &lost).await;
    assert_eq!((&posted["ok"], &posted["message"]["thread_ts"]), (&json!(true), &Value::Null));
    assert_eq!(people.slack().threads("spark-incidents").len(), 2);

    let request = client().post(people.url("/slack/api/conversations.history"));
    let request = request
        .bearer_auth(crate::demo::people::slack::BOT_TOKEN)
        .json(&json!({ "channel": posted["channel"] }));
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["error"], "invalid_arguments", "{answer}");
}

#[tokio::test]
async fn what_slack_refuses_is_refused_in_its_words() {
    let people = People::start().await.expect("started");
    let ts = post_with_buttons(&people).await;
    let id = people.slack().channel("spark-incidents").expect("there").id;
    people.slack().set_channel("elsewhere", false, false);
    people.slack().set_channel("old", true, true);
    let header = |length: usize| json!([{ "type": "header", "text": { "type": "plain_text", "text": "x".repeat(length) } }]);
    let section = |length: usize| json!({ "type": "section", "text": { "type": "mrkdwn", "text": "x".repeat(length) } });
    for (method, arguments, error) in [
        ("chat.postMessage", json!({ "channel": "#nowhere", "text": "x" }), "channel_not_found"),
        ("chat.postMessage", json!({ "channel": "#old", "text": "x" }), "is_archived"),
        ("chat.postMessage", json!({ "text": "x" }), "invalid_arguments"),
        ("chat.postMessage", json!({ "channel": id }), "no_text"),
        ("chat.postMessage", json!({ "channel": id, "text": "x".repeat(40_001) }), "msg_too_long"),
        (
            "chat.postMessage",
            json!({ "channel": id, "text": "x", "thread_ts": "1.000001" }),
            "invalid_thread_ts",
        ),
        ("chat.postMessage", json!({ "channel": id, "text": "x", "blocks": header(151) }), "invalid_blocks"),
        (
            "chat.postMessage",
            json!({ "channel": id, "text": "x", "blocks": [{ "type": "alert" }] }),
            "invalid_blocks",
        ),
        (
            "chat.postMessage",
            json!({ "channel": id, "text": "x", "blocks": vec![section(3_000); 5] }),
            "msg_blocks_too_long",
        ),
        (
            "chat.postMessage",
            json!({ "channel": id, "text": "x", "metadata": { "event_type": "x" } }),
            "invalid_metadata_format",
        ),
        ("chat.update", json!({ "channel": "#spark-incidents", "ts": ts, "text": "x" }), "channel_not_found"),
        ("chat.update", json!({ "channel": id, "ts": "1.000001", "text": "x" }), "message_not_found"),
        (
            "chat.postEphemeral",
            json!({ "channel": id, "text": "x", "user": "U0NOBODY" }),
            "user_not_in_channel",
        ),
        ("chat.getPermalink", json!({ "channel": id, "message_ts": "1.000001" }), "message_not_found"),
        ("conversations.replies", json!({ "channel": id, "ts": "1.000001" }), "thread_not_found"),
        ("usergroups.users.list", json!({ "usergroup": "S0NONE" }), "no_such_subteam"),
        ("apps.connections.open", json!({}), "not_allowed_token_type"),
        ("chat.scheduleMessage", json!({}), "unknown_method"),
    ] {
        let answer = slack(&people, method, &arguments).await;
        assert_eq!((&answer["ok"], &answer["error"]), (&json!(false), &json!(error)), "{method} {answer}");
    }
    let by_a_person = people.slack().say("U0ANA", "spark-incidents", "I look", None).expect("a channel");
    let change = json!({ "channel": id, "ts": by_a_person, "text": "x" });
    assert_eq!(slack(&people, "chat.update", &change).await["error"], "cant_update_message");
    people.slack().delete("spark-incidents", &by_a_person);
    assert_eq!(slack(&people, "chat.update", &change).await["error"], "message_not_found");

    people.slack().set_scopes(&["chat:write"]);
    let answer = slack(&people, "chat.postMessage", &json!({ "channel": "elsewhere", "text": "x" })).await;
    assert_eq!(answer["error"], "not_in_channel");
    let answer = slack(&people, "conversations.history", &json!({ "channel": id })).await;
    assert_eq!((&answer["error"], &answer["needed"]), (&json!("missing_scope"), &json!("channels:history")));
    assert_eq!(people.slack().threads("spark-incidents").len(), 1, "nothing of it was posted");
}

#[tokio::test]
async fn the_token_counts_and_the_scopes_are_told() {
    let people = People::start().await.expect("started");
    let ask = |token: Option<&str>| {
        let request = client().get(people.url("/slack/api/auth.test"));
        token.map_or_else(
            || request.try_clone().expect("a copy"),
            |token| request.try_clone().expect("a copy").bearer_auth(token),
        )
    };
    for (token, error) in [
        (None, "not_authed"),
        (Some("xoxb-other"), "invalid_auth"),
        (Some(APP_TOKEN), "not_allowed_token_type"),
    ] {
        let answer: Value = ask(token).send().await.expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["error"], error);
    }
    let good = ask(Some(crate::demo::people::slack::BOT_TOKEN)).send().await.expect("an answer");
    let scopes = good.headers()["x-oauth-scopes"].to_str().expect("text").to_owned();
    assert!(scopes.split(',').any(|scope| scope == "channels:history"), "{scopes}");
}

#[tokio::test]
async fn a_button_is_pressed_as_slack_would_and_only_if_it_is_there() {
    let people = People::start().await.expect("started");
    let ts = post_with_buttons(&people).await;
    let url = people.url("/webhook/interactions");
    let answered =
        people.slack().press(&url, "U0ANA", "#spark-incidents", &ts, "hold").await.expect("pressed");
    assert_eq!(answered.status, 204);
    let calls = people.wait_for_calls("/webhook/*", 1, PATIENCE).await.expect("a call");
    // Checked by the code of somebody else.
    let verifier = SlackEventSignatureVerifier::new(&SIGNING_SECRET.to_owned().into());
    let (signature, timestamp) =
        (calls[0].header("x-slack-signature"), calls[0].header("x-slack-request-timestamp"));
    verifier.verify(signature, &calls[0].text(), timestamp).expect("a good signature");
    let pairs = super::super::form::decode(&calls[0].text());
    let payload: Value = serde_json::from_str(&pairs[0].1).expect("JSON");
    assert_eq!(
        (&payload["user"]["id"], &payload["actions"][0]["action_id"]),
        (&json!("U0ANA"), &json!("hold"))
    );

    let forged = SignedRequest::sign(&payload, "another secret", chrono::DateTime::UNIX_EPOCH);
    assert!(verifier.verify(&forged.signature, &forged.body, &forged.timestamp.to_string()).is_err());
    let missing = people.slack().press(&url, "U0ANA", "#spark-incidents", &ts, "gone").await;
    assert!(matches!(missing, Err(PressError::NoButton { there, .. }) if there == ["rollback", "hold"]));

    let answer_to = payload["response_url"].as_str().expect("a URL");
    for uses in 1..=6 {
        let answer = client()
            .post(answer_to)
            .json(&json!({ "text": "You may not." }))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), if uses <= 5 { 200 } else { 404 }, "use {uses}");
    }
}

#[tokio::test]
async fn the_transcript_shows_what_people_saw() {
    let people = People::start().await.expect("started");
    let ts = post_with_buttons(&people).await;
    let id = people.slack().channel("spark-incidents").expect("there").id;
    slack(&people, "chat.postMessage", &json!({ "channel": id, "text": "<@U0ANA> look:\n\u{1b}[2J", "thread_ts": ts, "reply_broadcast": true })).await;
    people.slack().interaction("U0ANA", "spark-incidents", &ts, "hold").expect("pressed");
    slack(
        &people,
        "chat.postEphemeral",
        &json!({ "channel": id, "text": "You may not.", "user": "U0ANA", "thread_ts": ts }),
    )
    .await;
    let shown = people.slack().transcript("#spark-incidents");
    let without_times: Vec<String> = shown
        .lines()
        .map(|line| {
            line.split(' ')
                .map(|word| {
                    if word.len() == 8 && word.matches(':').count() == 2 && word != "14:18:20" {
                        "hh:mm:ss"
                    } else {
                        word
                    }
                })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        without_times,
        [
            "#spark-incidents",
            "",
            "hh:mm:ss  Backstop",
            "  🟡 WARNING: spark-trading",
            "  Errors 4.2 % > 1 %",
            "  *Next*",
            "  Rolls back at 14:18:20 UTC",
            "  [Roll back now]  [Hold]",
            "    hh:mm:ss  Backstop, also to the channel",
            "      @ana look:",
            "      \\u{1b}[2J",
            "    hh:mm:ss  ana presses [Hold]",
            "    hh:mm:ss  Backstop, to ana only",
            "      You may not.",
        ]
    );
    slack(&people, "chat.update", &json!({ "channel": id, "ts": ts, "text": "over", "blocks": [] })).await;
    let shown = people.slack().transcript("#spark-incidents");
    assert!(
        shown.contains("Backstop (edited ")
            && shown.contains("\n  over\n")
            && !shown.contains("[Roll back now]"),
        "{shown}"
    );
}
