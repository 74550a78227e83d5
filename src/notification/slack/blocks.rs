//! A message in Slack's blocks. The root says how it stands, the replies say what happened when.

use std::collections::HashMap;

use slack_morphism::prelude::*;

use super::buttons;
use super::text::{Fitted, escaped, link};
use crate::config::SlackButtons;
use crate::incident::{Incident, NoticeFact, NoticeKind};
use crate::notification::{Line, Message, Place, Words};
use crate::text::shown;

/// The longest text that a phone's lock screen is given; it shows a part of it.
const MAX_TEXT_CHARS: usize = 600;

/// The longest header (reference notes on notifications, section 1.6).
const MAX_HEADER_CHARS: usize = 150;

/// The longest text of a section (the same).
const MAX_SECTION_CHARS: usize = 3_000;

/// Shares of it that one part may take: Slack refuses more than about 13,000 characters in all blocks
/// together (the same), and all parts at their longest stay under 10,000.
const MAX_PART_CHARS: usize = 700;
const MAX_FIELD_CHARS: usize = 600;
const MAX_NAME_CHARS: usize = 100;

/// The type under which Slack keeps a message's id.
pub(super) const EVENT_TYPE: &str = "backstop";

/// The names of the id's members.
pub(super) const MESSAGE: &str = "message";
pub(super) const CALL: &str = "call";

/// What a message that is posted anew says beside how it stands: it is the only one about its notice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) mentions: &'a str,
    pub(super) left_out: usize,
}

/// How the subject stands.
pub(super) fn root(
    message: &Message,
    place: &Place,
    pressable: SlackButtons,
    told: Option<Told<'_>>,
) -> SlackMessageContent {
    let words = Words::of_state(message, place);
    let mentions = told.map_or("", |told| told.mentions);
    let header = escaped(&format!("{} {}", words.mark.emoji(), words.headline()), MAX_HEADER_CHARS);
    let header = SlackHeaderBlock::new(SlackBlockPlainText::from(header).into());
    let mut blocks: Vec<SlackBlock> = vec![header.into(), section(body(&words, mentions)).into()];
    let incident = message.subject.incident();
    let fields = fields(&words, incident);
    if !fields.is_empty() {
        blocks.push(SlackSectionBlock::new().with_fields(fields).into());
    }
    blocks.extend(buttons::row(&message.subject, pressable).map(SlackBlock::from));
    let left_out = told.and_then(|told| left_out(told.left_out));
    let context: Vec<_> = [links(incident, place), left_out].into_iter().flatten().map(markdown).collect();
    if !context.is_empty() {
        let elements = context.into_iter().map(SlackContextBlockElement::from).collect();
        blocks.push(SlackContextBlock::new(elements).into());
    }
    content(&words, mentions, blocks)
}

/// What happened, as a line of the subject's history.
pub(super) fn reply(message: &Message, place: &Place, told: Told<'_>) -> SlackMessageContent {
    let words = Words::of(message, place);
    let lead = format!("{} *{}*", words.mark.emoji(), words.word);
    let mut text = Fitted::within(MAX_SECTION_CHARS).raw(&lead);
    for (title, line) in told_lines(&words, message.notice.kind) {
        text = if title.is_empty() { text.raw(" ") } else { text.raw("\n") };
        text = text.raw(title).raw(&sentence(line, MAX_PART_CHARS));
    }
    if !told.mentions.is_empty() {
        text = text.raw("\n").raw(told.mentions);
    }
    let mut blocks = vec![section(text).into()];
    if let Some(line) = left_out(told.left_out) {
        blocks.push(SlackContextBlock::new(vec![markdown(line).into()]).into());
    }
    content(&words, told.mentions, blocks)
}

/// The lines of a reply, each with what stands before it. That somebody took note is one line.
fn told_lines(words: &Words, kind: NoticeKind) -> Vec<(&'static str, &Line)> {
    let mut lines = vec![("", &words.what)];
    if kind != NoticeKind::Acknowledged {
        let titled = [("*Done so far:* ", Some(&words.done)), ("*Safe now?* ", Some(&words.safe))];
        lines.extend(titled.into_iter().filter_map(|(title, line)| Some((title, line?))));
        lines.extend(words.next.as_ref().map(|next| ("*Next:* ", next)));
    }
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

/// The same as plain text, without anything that Slack could find wrong.
pub(super) fn plain(content: SlackMessageContent, refused_for: &str) -> SlackMessageContent {
    let metadata = content.metadata.filter(|_| !refused_for.contains("metadata"));
    SlackMessageContent { blocks: None, metadata, ..content }
}

/// Marks the content with what it can be found by.
pub(super) fn marked(content: SlackMessageContent, message: &Message, call: &str) -> SlackMessageContent {
    let payload = HashMap::from([(MESSAGE.to_owned(), message.id()), (CALL.to_owned(), call.to_owned())]);
    content.with_metadata(SlackMessageMetadata::new(EVENT_TYPE.to_owned()).with_event_payload(payload))
}

fn content(words: &Words, mentions: &str, blocks: Vec<SlackBlock>) -> SlackMessageContent {
    let mut text = Fitted::within(MAX_TEXT_CHARS + mentions.chars().count());
    if !mentions.is_empty() {
        text = text.raw(mentions).raw(" ");
    }
    SlackMessageContent::new().with_text(text.text(&words.glance()).into_text()).with_blocks(blocks)
}

/// Verbatim: Slack makes no links and mentions of what only looks like some.
fn markdown(text: String) -> SlackBlockMarkDownText {
    SlackBlockMarkDownText::new(text).with_verbatim(true)
}

fn section(text: Fitted) -> SlackSectionBlock {
    SlackSectionBlock::new().with_text(markdown(text.into_text()).into())
}

fn body(words: &Words, mentions: &str) -> Fitted {
    let mut text = Fitted::within(MAX_SECTION_CHARS);
    if !mentions.is_empty() {
        text = text.raw(mentions).raw("\n");
    }
    text = text.raw(&sentence(&words.what, MAX_PART_CHARS));
    if let Some(detail) = &words.detail {
        text = text.raw("\n").raw(&escaped(detail, MAX_PART_CHARS));
    }
    text
}

/// A line with its full stop.
fn sentence(line: &Line, max_chars: usize) -> String {
    let text = Fitted::within(max_chars).line(line).into_text();
    let is_whole = text.is_empty() || text.ends_with(['.', '!', '?', '…']);
    if is_whole { text } else { text + "." }
}

fn fields(words: &Words, incident: Option<&Incident>) -> Vec<SlackBlockText> {
    let lines =
        [("Safe now?", Some(&words.safe)), ("Done so far", Some(&words.done)), ("Next", words.next.as_ref())];
    let field = |title: &str, text: String| markdown(format!("*{title}*\n{text}")).into();
    let lines = lines.into_iter().filter_map(|(title, line)| {
        let text = sentence(line?, MAX_FIELD_CHARS);
        (!text.is_empty()).then(|| field(title, text))
    });
    let acknowledged =
        incident.and_then(|incident| match (&incident.acknowledged_by, &incident.noted_before) {
            (Some(actor), _) => Some(escaped(&shown(actor), MAX_NAME_CHARS)),
            (None, Some(before)) => Some(escaped(&format!("nobody yet: {}", before.words()), MAX_NAME_CHARS)),
            (None, None) => None,
        });
    let acknowledged = acknowledged.map(|who| field("Acknowledged by", who));
    lines.chain(acknowledged).collect()
}

/// Where there is more to read: the incident while it is open, and then its report, which has it all.
fn links(incident: Option<&Incident>, place: &Place) -> Option<String> {
    let dashboard = place.dashboard_url.as_ref().and_then(|url| link(url, "Dashboard"));
    let runbook = incident.and_then(runbook).and_then(|url| link(&url, "Runbook"));
    let own = incident.and_then(|incident| {
        if incident.phase.is_closed() {
            link(&place.report_url(&incident.id), "Report")
        } else {
            link(&place.incident_url(&incident.id), "Incident")
        }
    });
    let id = incident.map(|incident| escaped(&shown(incident.id.as_str()), MAX_NAME_CHARS));
    let parts: Vec<_> = [dashboard, runbook, own, id].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// The runbook of the alert that it is about now.
fn runbook(incident: &Incident) -> Option<String> {
    let facts = incident.notices.iter().rev().filter_map(|notice| notice.fact.as_ref());
    let mut alerts = facts.filter_map(|fact| match fact {
        NoticeFact::GraceOpened { alert, .. } | NoticeFact::RollbackStarted { alert: Some(alert), .. } => {
            Some(alert)
        }
        _ => None,
    });
    alerts.find_map(|alert| alert.runbook_url.clone())
}

fn left_out(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 earlier message was left out: Slack could not be reached.".to_owned()),
        _ => Some(format!("{count} earlier messages were left out: Slack could not be reached.")),
    }
}
