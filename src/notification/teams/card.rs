//! A notice as an Adaptive Card.
//!
//! Foreign text stands in text runs only: they know no Markdown, so that a label can't be a link, a
//! heading or a mention (Adaptive Cards 1.2, `TextRun`). Version 1.4 is what Teams shows everywhere.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::notification::clip::clip;
use crate::notification::{Line, Link, Mark, Message, Place, Words, links};

/// The longest of each part. Teams takes some 28 KB a message, and these together stay far below that,
/// whatever a letter takes.
const MAX_HEADLINE_CHARS: usize = 200;
const MAX_LINE_CHARS: usize = 600;
const MAX_DETAIL_CHARS: usize = 900;

/// What a workflow takes: a message with the card in it.
fn message_with(card: Value) -> Value {
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

pub(super) fn of_message(message: &Message, place: &Place) -> Value {
    let words = Words::of(message, place);
    let mut body = vec![headline(&words)];
    let parts = [
        ("", Some(&words.what)),
        ("Done: ", Some(&words.done)),
        ("Safe now? ", Some(&words.safe)),
        ("Next: ", words.next.as_ref()),
    ];
    let filled = parts.iter().filter_map(|(name, line)| Some((name, line.map(Line::plain)?)));
    body.extend(filled.filter(|(_, text)| !text.is_empty()).map(|(name, text)| named(name, &text)));
    if let Some(detail) = &words.detail {
        body.push(text_block(&[run(&harmless(detail, MAX_DETAIL_CHARS), &[("isSubtle", true.into())])]));
    }
    card(body, &links(message, place), &words.glance())
}

pub(super) fn test(now: DateTime<Utc>, place: &Place) -> Value {
    let on = place.environment.as_deref().map_or_else(String::new, |name| format!(" on {name}"));
    let text = format!(
        "A test of Backstop{on} at {}. Nothing is wrong, and nothing is to be done.",
        now.format("%H:%M:%S UTC")
    );
    let text = harmless(&crate::text::shown(&text), MAX_LINE_CHARS);
    card(vec![text_block(&[run("TEST", &bold()), run(&format!(" {text}"), &[])])], &[], &text)
}

fn card(body: Vec<Value>, links: &[Link], fallback: &str) -> Value {
    let open =
        links.iter().map(|link| json!({ "type": "Action.OpenUrl", "title": link.text, "url": link.url }));
    message_with(json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": harmless(fallback, MAX_LINE_CHARS),
        "body": body,
        "actions": open.collect::<Vec<_>>(),
        "msteams": { "width": "Full" },
    }))
}

fn headline(words: &Words) -> Value {
    let color = match words.mark {
        Mark::Green => "good",
        Mark::Yellow => "warning",
        Mark::Red => "attention",
    };
    let text = format!("{} {}", words.mark.emoji(), words.headline());
    let text = harmless(&text, MAX_HEADLINE_CHARS);
    text_block(&[run(
        &text,
        &[("weight", "bolder".into()), ("size", "large".into()), ("color", color.into())],
    )])
}

fn named(name: &str, text: &str) -> Value {
    let text = run(&harmless(text, MAX_LINE_CHARS), &[]);
    if name.is_empty() { text_block(&[text]) } else { text_block(&[run(name, &bold()), text]) }
}

fn bold() -> [(&'static str, Value); 1] {
    [("weight", "bolder".into())]
}

fn text_block(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

fn run(text: &str, style: &[(&str, Value)]) -> Value {
    let mut run = json!({ "type": "TextRun", "text": text });
    for (name, value) in style {
        run[name] = value.clone();
    }
    run
}

/// Cut, and without what a card computes: `{{DATE(…)}}` and `${…}` would be replaced by whoever shows it.
fn harmless(text: &str, max_chars: usize) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '{' && harmless.ends_with(['{', '$']) {
            harmless.push(' ');
        }
        harmless.push(c);
    }
    clip(&harmless, max_chars)
}
