use serde_json::json;
use slack_morphism::errors::{
    SlackClientApiError, SlackClientEndOfStreamError, SlackClientHttpError, SlackClientHttpProtocolError,
    SlackClientProtocolError, SlackClientSystemError, SlackRateLimitError,
};

use super::*;

fn api(code: &str) -> SlackClientError {
    SlackClientError::ApiError(SlackClientApiError::new(code.to_owned()))
}

fn http(status: u16) -> SlackClientError {
    let status = status.try_into().expect("a status");
    SlackClientError::HttpError(SlackClientHttpError::new(status))
}

fn undecodable(body: Option<&str>) -> SlackClientError {
    let error = serde_json::from_str::<u8>("x").expect_err("not a number");
    let error = SlackClientProtocolError::new(error);
    SlackClientError::ProtocolError(error.opt_json_body(body.map(str::to_owned)))
}

/// In one word what the caller may do.
fn outcome(answer: Result<Value, SlackClientError>) -> &'static str {
    match understood(answer).map_err(SendError::from) {
        Ok(_) => "sent",
        Err(SendError::Failed { .. }) => "failed",
        Err(SendError::Unknown { .. }) => "unknown",
        Err(SendError::Refused { .. }) => "refused",
    }
}

#[test]
fn every_answer_says_whether_the_message_arrived() {
    let cause = std::io::Error::other("reset");
    let broken = SlackClientHttpProtocolError::new().with_cause(Box::new(cause));
    for (answer, expected) in [
        (Ok(json!({"ok": true, "ts": "1.2"})), "sent"),
        (Ok(json!({"ok": false})), "unknown"),
        (Ok(json!({})), "unknown"),
        (Err(undecodable(Some(r#"{"ok":true,"ts":"1.2","message":7}"#))), "sent"),
        (Err(undecodable(Some(r#"{"ok":false,"error":"invalid_auth","warnings":7}"#))), "refused"),
        (Err(undecodable(Some("<html>"))), "unknown"),
        (Err(undecodable(None)), "unknown"),
        (Err(SlackClientError::RateLimitError(SlackRateLimitError::new())), "failed"),
        (Err(http(500)), "unknown"),
        (Err(http(503)), "unknown"),
        (Err(http(403)), "failed"),
        (Err(http(404)), "failed"),
        (Err(api("ratelimited")), "failed"),
        (Err(api("service_unavailable")), "failed"),
        (Err(api("internal_error")), "unknown"),
        (Err(api("fatal_error")), "unknown"),
        (Err(api("invalid_auth")), "refused"),
        (Err(api("channel_not_found")), "refused"),
        (Err(api("not_in_channel")), "refused"),
        (Err(api("invalid_blocks")), "refused"),
        (Err(api("something_new")), "refused"),
        (Err(SlackClientError::HttpProtocolError(broken)), "unknown"),
        (Err(SlackClientError::HttpProtocolError(SlackClientHttpProtocolError::new())), "unknown"),
        (Err(SlackClientError::SystemError(SlackClientSystemError::new())), "unknown"),
        (Err(SlackClientError::EndOfStream(SlackClientEndOfStreamError::new())), "unknown"),
    ] {
        let described = format!("{answer:?}");
        assert_eq!(outcome(answer), expected, "{described}");
    }
}

#[test]
fn only_what_may_be_about_the_content_is_worth_sending_as_plain_text() {
    for (code, expected) in [
        ("invalid_blocks", true),
        ("msg_blocks_too_long", true),
        ("metadata_too_large", true),
        ("something_new", true),
        ("invalid_auth", false),
        ("channel_not_found", false),
        ("missing_scope", false),
        ("message_not_found", false),
    ] {
        let trouble = understood(Err(api(code))).expect_err(code);
        assert_eq!(trouble.may_be_about_content(), expected, "{code}");
    }
}

#[test]
fn a_refusal_says_what_to_do_and_which_scope_is_missing_and_nothing_else_of_the_answer() {
    let body = r#"{"ok":false,"error":"missing_scope","needed":"channels:history","provided":"chat:write","token":"xoxb-1"}"#;
    let error = SlackClientApiError::new("missing_scope".to_owned()).with_http_response_body(body.to_owned());
    let text = understood(Err(SlackClientError::ApiError(error))).expect_err("refused").to_string();
    assert_eq!(
        text,
        "Slack says missing_scope: give the app the scope, and install it again (needed: channels:history)"
    );
}

#[test]
fn slack_is_left_alone_for_as_long_as_it_asks() {
    let asked = SlackRateLimitError::new().with_retry_after(Duration::from_secs(30));
    let trouble = understood(Err(SlackClientError::RateLimitError(asked))).expect_err("limited");
    let expected = SendError::Failed {
        error: "Slack asks to be left alone for 30 s".to_owned(),
        retry_after: Some(Duration::from_secs(30)),
    };
    assert_eq!(SendError::from(trouble), expected);
}
