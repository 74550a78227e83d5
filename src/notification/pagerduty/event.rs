//! The bodies of events, within PagerDuty's limits (Events API v2, reference notes on notifications,
//! section 2).

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::key::bounded;
use super::plan::needs_a_look;
use crate::incident::{Incident, NoticeKind, Phase};
use crate::notification::clip::clip;
use crate::notification::{Message, Place, Words, links};
use crate::text::shown;

/// The longest summary, in characters.
const MAX_SUMMARY_CHARS: usize = 1_024;

/// The longest of the short members. PagerDuty names no limit; they are columns of tables there.
const MAX_SHORT_CHARS: usize = 255;

/// The longest body is 512 KB; the members that are added later are short.
const MAX_BODY_BYTES: usize = 500_000;

/// How many alerts are shown, fewer where they would make the body too long. A storm has thousands.
const SHOWN_ALERTS: [usize; 4] = [10, 3, 1, 0];

/// Without routing key, action and dedup key.
pub(super) fn trigger(message: &Message, place: &Place) -> Value {
    let words = words(message, place);
    let details = details(message, place, &words);
    json!({
        "client": "Backstop",
        "client_url": message.subject.incident().map_or_else(
            || place.external_url.clone(),
            |incident| place.incident_url(&incident.id),
        ),
        "links": of_links(message, place),
        "payload": {
            "summary": clip(&words.glance(), MAX_SUMMARY_CHARS),
            "source": source(message, place),
            "severity": severity(message),
            "timestamp": time(message.notice.at),
            "component": short(message.subject.rollout().as_str()),
            "group": place.environment.as_deref().map(short),
            "class": message.notice.kind.as_str(),
            "custom_details": details,
        },
    })
}

/// Without the routing key.
pub(super) fn change(message: &Message, place: &Place) -> Value {
    let words = words(message, place);
    let stays_open = message.notice.kind == NoticeKind::AlertsEnded && needs_a_look(message);
    let summary = if stays_open {
        format!(
            "{}. The page stays open: something that was read back is wrong, and somebody has to look at it.",
            words.headline()
        )
    } else {
        words.glance()
    };
    json!({
        "links": of_links(message, place),
        "payload": {
            "summary": clip(&summary, MAX_SUMMARY_CHARS),
            "source": source(message, place),
            "timestamp": time(message.notice.at),
            "custom_details": details(message, place, &words),
        },
    })
}

/// A page that says it is a test. Its key has no time either: tests don't pile up.
pub(super) fn test(now: DateTime<Utc>, place: &Place) -> Value {
    let environment = place.environment.as_deref().unwrap_or("-");
    json!({
        "event_action": "trigger",
        "dedup_key": bounded(&format!("backstop/{environment}/test")),
        "client": "Backstop",
        "client_url": place.external_url,
        "payload": {
            "summary": "TEST of Backstop: nothing is wrong, and nothing is to be done. It resolves by itself.",
            "source": short(environment),
            "severity": "info",
            "timestamp": time(now),
            "class": "test",
        },
    })
}

/// What the notice says. One that pages only because an earlier one could not says how the incident
/// stands: that somebody took note is no reason to wake up.
fn words(message: &Message, place: &Place) -> Words {
    match message.notice.kind {
        // A page that comes late must not say that it burns where it no longer does.
        NoticeKind::Acknowledged | NoticeKind::RollbackStarted => Words::of_state(message, place),
        _ => Words::of(message, place),
    }
}

fn severity(message: &Message) -> &'static str {
    let failed = |incident: &Incident| matches!(incident.phase, Phase::Failed { .. });
    match message.notice.kind {
        NoticeKind::RollbackStarted | NoticeKind::WatchdogLost => "error",
        NoticeKind::Acknowledged if !message.subject.incident().is_some_and(failed) => "error",
        _ => "critical",
    }
}

fn source(message: &Message, place: &Place) -> String {
    let rollout = message.subject.rollout();
    match &place.environment {
        Some(environment) => short(&format!("{environment}/{rollout}")),
        None => short(rollout.as_str()),
    }
}

fn of_links(message: &Message, place: &Place) -> Value {
    let links = links(message, place).into_iter();
    links.map(|link| json!({ "href": link.url, "text": link.text })).collect()
}

/// What a person wants to know before they have opened anything else; as many alerts as fit.
fn details(message: &Message, place: &Place, words: &Words) -> Value {
    let mut fitting = SHOWN_ALERTS.iter().map(|most| with_alerts(message, place, words, *most));
    let fits = |details: &Value| details.to_string().len() <= MAX_BODY_BYTES;
    fitting.find(fits).unwrap_or_default()
}

fn with_alerts(message: &Message, place: &Place, words: &Words, most: usize) -> Value {
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() && value != "" {
            details.insert(name.to_owned(), value);
        }
    };
    put("environment", place.environment.as_deref().map(shown).into());
    put("rollout", shown(message.subject.rollout().as_str()).into());
    put("revision", shown(message.subject.revision().as_str()).into());
    put("what", words.what.plain().into());
    put("done", words.done.plain().into());
    put("safe_now", words.safe.plain().into());
    put("next", words.next.as_ref().map(crate::notification::Line::plain).into());
    put("share_percent", message.notice.share.map(|share| share.0).into());
    let Some(incident) = message.subject.incident() else { return details.into() };
    put("incident", shown(incident.id.as_str()).into());
    put("state", incident.phase.name().into());
    put("stage", message.notice.stage.or(incident.stage()).map(crate::incident::Stage::number).into());
    let cause = incident.cause();
    put("cause", shown(&cause.words).into());
    put("triggered_by", cause.trigger.word().into());
    put("actor", cause.trigger.actor().map(shown).into());
    put("verdict", incident.verification.as_ref().map(|verification| verification.verdict.as_str()).into());
    put("acknowledged_by", incident.acknowledged_by.as_deref().map(shown).into());
    put("alerts", of_alerts(incident, most));
    let left_out = incident.alerts.len().saturating_sub(most);
    put("alerts_left_out", if left_out > 0 { left_out.into() } else { Value::Null });
    details.into()
}

fn of_alerts(incident: &Incident, most: usize) -> Value {
    let alerts = incident.alerts.iter().take(most).map(|attached| {
        let alert = &attached.alert;
        let annotation = |name: &str| alert.annotations.get(name).map(|text| shown(text));
        json!({
            "name": shown(alert.name()),
            "severity": alert.severity().as_str(),
            "status": if alert.ends_at.is_none() { "firing" } else { "resolved" },
            "since": time(alert.starts_at),
            "summary": annotation("summary"),
            // The value is in it, as the shipped rules write it.
            "description": annotation("description"),
            "threshold": annotation("threshold"),
        })
    });
    alerts.collect()
}

fn short(text: &str) -> String {
    clip(&shown(text), MAX_SHORT_CHARS)
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
