//! What is posted. A member may be added; none is taken away or changes its meaning within a version.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::incident::{Alert, AlertFact, Incident, Stage};
use crate::notification::{Line, Mark, Message, Place, Words};
use crate::text::kept;

/// The version of the shape.
const VERSION: u32 = 1;

/// The alerts that are listed; the incident's page and its evidence have all.
const MOST_ALERTS: usize = 20;

/// The labels of an alert that are listed. Alerts carry some ten.
const MOST_LABELS: usize = 50;

pub(super) fn of_message(message: &Message, place: &Place) -> Value {
    let words = Words::of(message, place);
    json!({
        "version": VERSION,
        "delivery": message.id(),
        "test": false,
        "environment": place.environment,
        "rollout": message.subject.rollout(),
        "revision": message.subject.revision(),
        "notice": of_notice(message),
        "words": of_words(&words),
        "incident": message.subject.incident().map(|incident| of_incident(incident, place)),
    })
}

pub(super) fn test(delivery: &str, place: &Place) -> Value {
    json!({
        "version": VERSION,
        "delivery": delivery,
        "test": true,
        "environment": place.environment,
        "rollout": null,
        "revision": null,
        "notice": null,
        "words": null,
        "incident": null,
    })
}

/// The fact as it is stored, its texts as they came.
fn of_notice(message: &Message) -> Value {
    let notice = &message.notice;
    json!({
        "number": notice.id.map(|id| id.0),
        "kind": notice.kind.as_str(),
        "at": time(notice.at),
        "wakes_somebody": notice.kind.pages(),
        "stage": notice.stage.map(Stage::number),
        "share_percent": notice.share.map(|share| share.0),
        "left_out_before": message.left_out,
        "fact": notice.fact,
    })
}

/// For people: harmless as one line of plain text. Who makes HTML or Markdown of it escapes it.
fn of_words(words: &Words) -> Value {
    let mark = match words.mark {
        Mark::Green => "green",
        Mark::Yellow => "yellow",
        Mark::Red => "red",
    };
    json!({
        "mark": mark,
        "word": words.word,
        "about": words.about,
        "what": words.what.plain(),
        "done": words.done.plain(),
        "safe_now": words.safe.plain(),
        "next": words.next.as_ref().map(Line::plain),
        "detail": words.detail,
        "in_one_line": words.glance(),
    })
}

fn of_incident(incident: &Incident, place: &Place) -> Value {
    let cause = incident.cause();
    let alerts = incident.alerts.iter().take(MOST_ALERTS).map(|attached| of_alert(&attached.alert));
    json!({
        "id": incident.id,
        "url": place.incident_url(&incident.id),
        "state": incident.phase.name(),
        "severity": incident.severity.as_str(),
        "stage": incident.stage().map(Stage::number),
        "share_percent": incident.share().map(|share| share.0),
        "opened_at": time(incident.opened_at),
        "closed_at": incident.closed_at.map(time),
        "grace_ends_at": incident.grace_ends_at.map(time),
        "rollback_started_at": incident.rollback_started_at.map(time),
        "triggered_by": cause.trigger.word(),
        "actor": cause.trigger.actor(),
        "reason": cause.reason.as_str(),
        "cause": cause.words,
        "verdict": incident.verification.as_ref().map(|verification| verification.verdict.as_str()),
        "acknowledged_by": incident.acknowledged_by,
        "evidence": incident.evidence.iter().map(|file| &file.name).collect::<Vec<_>>(),
        "alerts": alerts.collect::<Vec<_>>(),
        "alerts_in_all": incident.alerts.len(),
    })
}

/// Its texts cut as in the notice's fact: annotations have no limit at their source.
fn of_alert(alert: &Alert) -> Value {
    let AlertFact { name, summary, description, threshold, runbook_url, starts_at } = AlertFact::of(alert);
    let labels = alert.labels.iter().take(MOST_LABELS);
    let labels = labels.map(|(name, value)| (kept(name), Value::from(kept(value))));
    json!({
        "fingerprint": alert.fingerprint,
        "name": name,
        "severity": alert.severity().as_str(),
        "starts_at": time(starts_at),
        "ends_at": alert.ends_at.map(time),
        "labels": labels.collect::<Map<_, _>>(),
        "summary": summary,
        "description": description,
        "threshold": threshold,
        "runbook_url": runbook_url,
    })
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
