//! Slack's limits at the longest input, read off the JSON that is sent, with the limits as Slack states
//! them (reference notes on notifications, section 1.6).

use serde_json::Value;

use super::super::blocks::{self, Told};
use super::golden::sent;
use crate::config::SlackButtons;
use crate::incident::NoticeKind;
use crate::notification::fixtures::{longest_message, longest_place, message, place};

fn chars(value: &Value) -> usize {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).chars().count()
}

fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

fn check_block(block: &Value, what: &str) {
    match block["type"].as_str().expect("a type") {
        "header" => {
            assert_eq!(block["text"]["type"], "plain_text", "{what}");
            assert!(chars(&block["text"]["text"]) <= 150, "{what}: header");
        }
        "section" => {
            if let Some(text) = block.get("text") {
                assert!((1..=3_000).contains(&chars(&text["text"])), "{what}: section");
                assert_eq!(text["verbatim"], true, "{what}: Slack makes no links of its own");
            }
            let fields = block.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            assert!(fields.len() <= 10, "{what}");
            assert!(fields.iter().all(|field| (1..=2_000).contains(&chars(&field["text"]))), "{what}: field");
        }
        "actions" => {
            let buttons = block["elements"].as_array().expect("buttons");
            assert!((1..=25).contains(&buttons.len()), "{what}");
            buttons.iter().for_each(|button| check_button(button, what));
        }
        "context" => assert!((1..=10).contains(&block["elements"].as_array().expect("some").len()), "{what}"),
        other => panic!("{what}: an unexpected block {other}"),
    }
}

fn check_button(button: &Value, what: &str) {
    assert!(chars(&button["text"]["text"]) <= 75, "{what}");
    assert!(chars(&button["value"]) <= 2_000 && chars(&button["action_id"]) <= 255, "{what}");
    let Some(confirm) = button.get("confirm") else { return };
    assert!(chars(&confirm["title"]["text"]) <= 100, "{what}");
    assert!(chars(&confirm["text"]["text"]) <= 300, "{what}");
    assert!(chars(&confirm["confirm"]["text"]) <= 30 && chars(&confirm["deny"]["text"]) <= 30, "{what}");
}

/// What only Slack's own notation may begin with; anything else could ping a channel or be a link.
fn check_harmless(text: &str, what: &str) {
    const OURS: [&str; 5] = ["<!date^", "<!subteam^S1>", "<@U2>", "<https://", "<http://"];
    for (at, _) in text.match_indices('<') {
        let rest = &text[at..];
        assert!(OURS.iter().any(|ours| rest.starts_with(ours)), "{what}: {rest}");
        assert!(rest.contains('>'), "{what}: cut inside: {rest}");
    }
    for (at, _) in text.match_indices('&') {
        let rest = &text[at..];
        assert!(["&amp;", "&lt;", "&gt;"].iter().any(|escape| rest.starts_with(escape)), "{what}: {rest}");
    }
    assert!(
        !text.contains(['`', '\n']) || text.contains("*\n") || text.lines().count() <= 8,
        "{what}: {text}"
    );
}

#[test]
fn every_message_keeps_every_limit_of_slack_also_at_its_longest() {
    for kind in NoticeKind::ALL {
        for (message, place) in [(message(*kind), place()), (longest_message(*kind), longest_place())] {
            for (call, content) in sent(&message, &place) {
                let what = format!("{kind}, {call}");
                assert!((1..=1_000).contains(&chars(&content["text"])), "{what}: a phone shows the text");
                let blocks = content["blocks"].as_array().expect("blocks");
                assert!((1..=50).contains(&blocks.len()), "{what}");
                blocks.iter().for_each(|block| check_block(block, &what));
                let all = content["blocks"].to_string().chars().count();
                assert!(all < 10_000, "{what}: {all} characters");
                let mut found = Vec::new();
                texts(&content["blocks"], &mut found);
                found.push(content["text"].as_str().expect("a text"));
                found.iter().for_each(|text| check_harmless(text, &what));
                assert!(!found.iter().any(|text| text.contains('`')), "{what}: no code is opened or closed");
            }
        }
    }
}

#[test]
fn the_longest_link_of_a_runbook_or_dashboard_is_left_out_and_not_cut() {
    let message = longest_message(NoticeKind::RollbackStarted);
    let content = blocks::root(&message, &longest_place(), SlackButtons::All, None);
    let text = serde_json::to_string(&content).expect("JSON");
    assert!(!text.contains("|Runbook>") && !text.contains("|Dashboard>"), "{text}");
}

#[test]
fn who_has_to_act_is_mentioned_in_the_text_of_the_phone_too() {
    let told = Told { mentions: "<!subteam^S1>", left_out: 0 };
    let content = blocks::reply(&message(NoticeKind::RollbackFailed), &place(), told);
    let content = serde_json::to_value(content).expect("JSON");
    assert!(content["text"].as_str().expect("a text").starts_with("<!subteam^S1> ROLLBACK FAILED"));
    assert!(content["blocks"][0]["text"]["text"].as_str().expect("a text").contains("<!subteam^S1>"));
}
