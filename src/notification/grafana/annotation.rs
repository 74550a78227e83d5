//! Annotations as Grafana takes them (`POST` and `PATCH /api/annotations`). Times are in milliseconds.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::incident::{NoticeFact, NoticeKind};
use crate::notification::clip::clip;
use crate::notification::{Message, Place, Words, links};

/// Tags that each of ours carries; the second is the protocol's dashboard's.
pub(super) const OURS: [&str; 2] = ["backstop", "spark-canary"];

/// The longest text. Grafana has no limit; it is shown in a box beside the mouse.
const MAX_TEXT_CHARS: usize = 1_000;

/// The longest value of a tag: columns of 100 characters in Grafana's database.
const MAX_TAG_CHARS: usize = 100;

/// What a region is about. Its tag is what the dashboard colours by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Warning,
    Rollback,
}

impl Kind {
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Rollback => "rollback",
        }
    }

    /// Under which its id is remembered.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Warning => "warning_id",
            Self::Rollback => "rollback_id",
        }
    }

    /// Under which it is remembered that it has its end.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Warning => "warning_ended",
            Self::Rollback => "rollback_ended",
        }
    }
}

/// One of the kinds, ours, and the incident's, by which it is found again.
pub(super) fn tags(kind: Kind, message: &Message) -> Vec<String> {
    let incident = clip(message.subject.id(), MAX_TAG_CHARS);
    let [ours, canary] = OURS;
    vec![ours.to_owned(), canary.to_owned(), kind.tag().to_owned(), format!("inc:{incident}")]
}

/// A region that begins; it has no end yet.
pub(super) fn begun(kind: Kind, message: &Message, place: &Place, dashboard_uid: Option<&str>) -> Value {
    let mut annotation = json!({
        "time": began_at(kind, message).timestamp_millis(),
        "tags": tags(kind, message),
        "text": text(message, place),
    });
    if let Some(uid) = dashboard_uid {
        annotation["dashboardUID"] = uid.into();
    }
    annotation
}

/// The end of a region, and what came of it.
pub(super) fn ended(kind: Kind, message: &Message, place: &Place) -> Value {
    let rolled_back_at = message.subject.incident().and_then(|incident| incident.rollback_started_at);
    // A grace ends where the rollback begins, however late that is told.
    let at = rolled_back_at.filter(|_| kind == Kind::Warning).unwrap_or(message.notice.at);
    // Never before its beginning: the clock may have been set back.
    let at = at.max(began_at(kind, message));
    json!({ "timeEnd": at.timestamp_millis(), "text": text(message, place) })
}

/// One that no dashboard colours.
pub(super) fn test(now: DateTime<Utc>, dashboard_uid: Option<&str>) -> Value {
    let mut annotation = json!({
        "time": now.timestamp_millis(),
        "tags": [OURS[0], "test"],
        "text": "A test of Backstop. It may be deleted.",
    });
    if let Some(uid) = dashboard_uid {
        annotation["dashboardUID"] = uid.into();
    }
    annotation
}

/// By the incident, not by the notice: one that is told late is about the same time.
fn began_at(kind: Kind, message: &Message) -> DateTime<Utc> {
    let Some(incident) = message.subject.incident() else { return message.notice.at };
    match kind {
        Kind::Rollback => incident.rollback_started_at.unwrap_or(message.notice.at),
        Kind::Warning => {
            let opened = |fact: &NoticeFact| fact.kind() == NoticeKind::GraceOpened;
            let mut notices = incident.notices.iter();
            let opened = notices.find(|notice| notice.fact.as_ref().is_some_and(opened));
            opened.map_or(incident.opened_at, |notice| notice.at)
        }
    }
}

/// Grafana shows it as HTML: what could be a tag or a link of somebody else is escaped.
fn text(message: &Message, place: &Place) -> String {
    let words = Words::of(message, place);
    let text = html(&clip(&words.glance(), MAX_TEXT_CHARS));
    let link = links(message, place).into_iter().find(|link| link.text == "Incident");
    let link = link.map(|link| format!("\n<a href=\"{}\">Incident</a>", html(&link.url)));
    text + &link.unwrap_or_default()
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
