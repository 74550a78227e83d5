//! The text that people read and the JSON that tools read. Pure: the same incident gives the same bytes.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::EvidenceSummary;
use crate::incident::{Alert, EvidenceFile, Incident, StepRecord, Verification, WhenTaken};
use crate::text::shown as line;

/// The version of the JSON's shape.
const SCHEMA_VERSION: u32 = 1;

/// The JSON document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    schema_version: u32,
    complete: bool,
    incident: Incident,
    files: Vec<EvidenceFile>,
}

impl Document {
    pub(super) fn summary(&self, name: &str) -> EvidenceSummary {
        let incident = &self.incident;
        EvidenceSummary {
            name: name.to_owned(),
            incident: incident.id.to_string(),
            rollout: incident.rollout.to_string(),
            executed_at: incident.rollback_started_at.unwrap_or(incident.opened_at),
            reason: incident.cause().words,
            state: incident.phase.name().to_owned(),
            verdict: incident.verification.as_ref().map(|v| v.verdict.as_str().to_owned()),
        }
    }
}

/// What the evidence says must not depend on the evidence: an incident that knows of its own first
/// files would render otherwise on a second try.
fn without_evidence(incident: &Incident) -> Incident {
    Incident { evidence: Vec::new(), evidence_complete: false, ..incident.clone() }
}

pub(super) fn render_json(incident: &Incident, complete: bool, files: &[EvidenceFile]) -> String {
    let incident = without_evidence(incident);
    let document = Document { schema_version: SCHEMA_VERSION, complete, incident, files: files.to_vec() };
    match serde_json::to_string_pretty(&document) {
        Ok(text) => text + "\n",
        // Texts, numbers and times always encode; should that ever change, the text file still has it all.
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    }
}

/// The text that goes with a JSON document; `None` where it is none.
pub(super) fn text_of_json(json: &[u8]) -> Option<String> {
    let document: Document = serde_json::from_slice(json).ok()?;
    Some(render_text(&document.incident, document.complete, &document.files))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn optional(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// The text. Its first four lines are the protocol's ("Manual Rollback").
#[must_use]
pub fn render_text(incident: &Incident, complete: bool, files: &[EvidenceFile]) -> String {
    let executed_at = incident.rollback_started_at.unwrap_or(incident.opened_at);
    let cause = incident.cause();
    let stage = match (cause.stage, cause.share) {
        (Some(stage), Some(share)) => format!("{} ({share})", stage.number()),
        (Some(stage), None) => stage.number().to_string(),
        (None, _) => "unknown".to_owned(),
    };
    let mut lines = vec![
        format!("Rollback Executed: {}", executed_at.format("%a %b %e %H:%M:%S UTC %Y")),
        format!("Stage: {stage}"),
        format!("Reason: {}", line(&cause.words)),
        format!("Triggered By: {}", cause.trigger),
        String::new(),
    ];
    lines.extend(head(incident, complete));
    section(
        &mut lines,
        "Alerts",
        incident.alerts.iter().flat_map(|attached| {
            let mut of_alert = alert(&attached.alert);
            of_alert.push(format!(
                "  received {}, attached as {}",
                time(attached.received_at),
                attached.reason
            ));
            of_alert
        }),
    );
    section(&mut lines, "Steps", incident.steps.iter().flat_map(step));
    section(&mut lines, "Verification", verification(incident.verification.as_ref(), complete));
    section(
        &mut lines,
        "Snapshots",
        incident.snapshots.iter().map(|(when, body, error)| snapshot(*when, body.is_some(), error)),
    );
    section(
        &mut lines,
        "Notifications",
        incident.notices.iter().map(|(at, kind, text)| format!("{} {kind}: {}", time(*at), line(text))),
    );
    section(
        &mut lines,
        "Decisions",
        incident.notes.iter().map(|note| {
            let reason = note.reason.map_or_else(String::new, |reason| format!(" [{reason}]"));
            format!("{} {}{reason} {}", time(note.at), note.event, line(&note.text)).trim_end().to_owned()
        }),
    );
    section(&mut lines, "Files", files.iter().map(|file| format!("{} {}", file.sha256, file.name)));
    lines.push("Check that nothing was changed: backstop evidence verify".to_owned());
    lines.join("\n") + "\n"
}

fn head(incident: &Incident, complete: bool) -> Vec<String> {
    let verdict = incident.verification.as_ref().map_or("none yet", |v| v.verdict.as_str());
    let written = if complete {
        "complete"
    } else {
        "first, written as the rollback ran; it is completed as verification ends"
    };
    vec![
        format!("Incident: {}", incident.id),
        format!("Rollout: {}", incident.rollout),
        format!("Revision: {}", line(incident.revision().as_str())),
        format!("Severity: {}", incident.severity.as_str()),
        format!("State: {}", incident.phase.name()),
        format!("Verdict: {verdict}"),
        format!("Opened: {}", time(incident.opened_at)),
        format!("Grace Ended: {}", optional(incident.grace_ends_at)),
        format!("Closed: {}", optional(incident.closed_at)),
        format!("This File: {written}"),
    ]
}

fn section(lines: &mut Vec<String>, title: &str, content: impl IntoIterator<Item = String>) {
    lines.push(String::new());
    lines.push(format!("== {title}"));
    let before = lines.len();
    lines.extend(content);
    if lines.len() == before {
        lines.push("none".to_owned());
    }
}

fn alert(alert: &Alert) -> Vec<String> {
    let mut lines = vec![
        format!("- {} ({})", line(alert.name()), alert.severity().as_str()),
        format!(
            "  fingerprint {}, fired {}, resolved {}",
            alert.fingerprint,
            time(alert.starts_at),
            optional(alert.ends_at)
        ),
    ];
    let pairs = |pairs: &std::collections::BTreeMap<String, String>| {
        pairs
            .iter()
            .map(|(name, value)| format!("{}={:?}", line(name), line(value)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    lines.push(format!("  labels {}", pairs(&alert.labels)));
    for (name, value) in &alert.annotations {
        lines.push(format!("  {}: {}", line(name), line(value)));
    }
    if !alert.generator_url.is_empty() {
        lines.push(format!("  source: {}", line(&alert.generator_url)));
    }
    lines
}

fn step(step: &StepRecord) -> Vec<String> {
    let duration = (step.ended_at - step.started_at).num_milliseconds();
    let mut lines = vec![format!(
        "- {}: {:?}, {} to {}, {duration} ms",
        step.step.as_str(),
        step.outcome,
        time(step.started_at),
        time(step.ended_at)
    )];
    for (index, attempt) in step.attempts.iter().enumerate() {
        let status =
            attempt.answer.status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
        let read_back = attempt.read_back.map_or_else(|| "not read".to_owned(), |share| share.to_string());
        lines.push(format!("  {}. {} {}", index + 1, time(attempt.started_at), line(&attempt.request)));
        lines.push(format!(
            "     answer {} {status}: {}",
            time(attempt.ended_at),
            line(&attempt.answer.text)
        ));
        lines.push(format!("     read back: {read_back}; outcome {:?}", attempt.outcome));
    }
    lines
}

fn verification(verification: Option<&Verification>, complete: bool) -> Vec<String> {
    let Some(verification) = verification else {
        let text = if complete { "never reached" } else { "not ended when this was written" };
        return vec![text.to_owned()];
    };
    let mut lines = vec![format!(
        "verdict {}, {} to {}",
        verification.verdict.as_str(),
        time(verification.started_at),
        time(verification.ended_at)
    )];
    for check in &verification.checks {
        lines.push(format!("- {}: {}: {}", check.name.as_str(), check.outcome.as_str(), line(&check.detail)));
    }
    lines
}

fn snapshot(when: WhenTaken, taken: bool, error: &Option<String>) -> String {
    match (taken, error) {
        (true, _) => format!("metrics {}: taken", when.as_str()),
        (false, error) => {
            format!("metrics {}: not taken: {}", when.as_str(), line(error.as_deref().unwrap_or("unknown")))
        }
    }
}
