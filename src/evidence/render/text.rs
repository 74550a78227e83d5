//! The text that people read. Every foreign text in it passes through [`crate::text::shown`], so that
//! each line is one that we wrote.

use chrono::{DateTime, SecondsFormat, Utc};

use super::Version;
use crate::incident::{
    Alert, AttachedAlert, Bounded, Cause, EvidenceFile, Incident, Labels, NoteEntry, SnapshotPoint,
    StepRecord, Verification,
};
use crate::text::shown as line;

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn optional(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// The text. Its first four lines are the protocol's ("Manual Rollback"), and say what the rollback
/// began for, not what the incident opened with.
#[must_use]
pub fn render_text(incident: &Incident, version: Version, files: &[EvidenceFile]) -> String {
    let complete = version == Version::Complete;
    let cause = incident.cause();
    let mut lines = four_lines(incident, &cause);
    lines.extend(incident.further_causes().map(|further| format!("Also: {}", also(further))));
    lines.push(String::new());
    lines.extend(head(incident, &cause, version));
    section(&mut lines, "Alerts", incident.alerts.iter().flat_map(|attached| alert(attached)));
    section(&mut lines, "Steps", steps(incident, version));
    section(&mut lines, "Verification", verification(incident.verification.as_ref(), complete));
    let snapshots = incident.snapshots.iter();
    section(
        &mut lines,
        "Snapshots",
        snapshots.map(|(when, body, error)| snapshot(*when, body.is_some(), error.as_deref())),
    );
    let notices = bounded(&incident.notices, |notice| {
        vec![format!("{} {}", time(notice.at), line(&notice.sentence()))]
    });
    section(&mut lines, "Reported To People", notices);
    section(&mut lines, "Decisions", bounded(&incident.notes, |note| vec![decision(note)]));
    section(
        &mut lines,
        "Files",
        files.iter().map(|file| format!("{} {}", line(&file.sha256), line(&file.name))),
    );
    lines.push("Check that nothing was changed: backstop evidence verify".to_owned());
    lines.join("\n") + "\n"
}

fn four_lines(incident: &Incident, cause: &Cause) -> Vec<String> {
    let executed_at = incident.rollback_started_at.unwrap_or(incident.opened_at);
    let stage = match (cause.stage, cause.share) {
        (Some(stage), Some(share)) => format!("{} ({share})", stage.number()),
        (Some(stage), None) => stage.number().to_string(),
        (None, _) => "unknown".to_owned(),
    };
    vec![
        format!("Rollback Executed: {}", executed_at.format("%a %b %e %H:%M:%S UTC %Y")),
        format!("Stage: {stage}"),
        format!("Reason: {}", line(&cause.words)),
        format!("Triggered By: {}", cause.trigger),
    ]
}

fn also(cause: &Cause) -> String {
    format!("{}, {} ({}), {}", line(&cause.words), cause.trigger, cause.reason.meaning(), time(cause.at))
}

fn head(incident: &Incident, cause: &Cause, version: Version) -> Vec<String> {
    let id = line(incident.id.as_str());
    let (state, none_then, written) = match version {
        Version::First { at } => {
            let at = at.map_or_else(|| "when this was written".to_owned(), |at| format!("at {}", time(at)));
            (
                format!("State {at}"),
                " when this was written",
                format!(
                    "first, written as the rollback ran ({at}), and replaced once, when the incident closes; what came since: backstop incident show {id}"
                ),
            )
        }
        Version::Complete => ("State".to_owned(), "", "complete".to_owned()),
    };
    let verdict = incident.verification.as_ref().map_or_else(
        || format!("none{none_then}"),
        |verification| format!("{} ({})", verification.verdict.as_str(), verification.verdict.sentence()),
    );
    vec![
        format!("Why: {}", cause.reason.meaning()),
        format!("Share It Rested On: {}", cause.share_words()),
        format!("Incident: {id}"),
        format!("Rollout: {}", line(incident.rollout.as_str())),
        format!("Revision: {}", line(incident.revision().as_str())),
        format!("Severity: {}", incident.severity.as_str()),
        format!("{state}: {}", line(&incident.phase.sentence())),
        format!("Verdict: {verdict}"),
        format!("Opened: {}, for {}", time(incident.opened_at), line(&incident.opened.cause)),
        format!("Grace Ended: {}", grace_ended(incident)),
        format!("Closed: {}", incident.closed_at.map_or_else(|| format!("not{none_then}"), time)),
        format!("Acknowledged By: {}", acknowledged(incident, none_then)),
        format!("This File: {written}"),
    ]
}

fn acknowledged(incident: &Incident, none_then: &str) -> String {
    match (&incident.acknowledged_by, &incident.noted_before) {
        (Some(actor), _) => line(actor),
        (None, Some(before)) => format!("nobody{none_then}: {}", before.words()),
        (None, None) => format!("nobody{none_then}"),
    }
}

/// When the grace really ended: a critical or a person may have ended it before its time.
fn grace_ended(incident: &Incident) -> String {
    let planned = incident.grace_ends_at;
    let ended = incident.rollback_started_at.or(incident.closed_at);
    match (ended, planned) {
        (Some(ended), Some(planned)) if ended < planned => {
            format!("{}, before its time, which was {}", time(ended), time(planned))
        }
        _ => optional(planned),
    }
}

/// The steps that ended, and the one that was begun and of which nothing more is recorded.
fn steps(incident: &Incident, version: Version) -> Vec<String> {
    let mut lines = bounded(&incident.steps, step);
    if let Some(begun_at) = incident.step_begun_at {
        let rest = match version {
            Version::First { .. } if !incident.phase.is_closed() => {
                " and had not ended when this was written: its requests are not listed here"
            }
            Version::First { .. } | Version::Complete => {
                "; it was broken off before its end was recorded, so requests MAY HAVE BEEN SENT: look at the system itself"
            }
        };
        lines.push(format!("- a step was begun at {}{rest}", time(begun_at)));
    }
    lines
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

/// The entries of a list, and where some were left out of its middle.
fn bounded<T>(entries: &Bounded<T>, render: impl Fn(&T) -> Vec<String>) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some((_, count)) = entries.left_out().filter(|(place, _)| *place == index) {
            lines.push(format!("({count} more, which the database holds)"));
        }
        lines.extend(render(entry));
    }
    lines
}

fn alert(attached: &AttachedAlert) -> Vec<String> {
    let Alert { fingerprint, starts_at, ends_at, labels, annotations, generator_url, .. } = &attached.alert;
    let mut lines = vec![
        format!("- {} ({})", line(attached.alert.name()), attached.alert.severity().as_str()),
        format!(
            "  fingerprint {}, fired {}, resolved {}",
            line(fingerprint.as_str()),
            time(*starts_at),
            optional(*ends_at)
        ),
        format!("  labels {}", pairs(labels)),
    ];
    for (name, value) in annotations {
        lines.push(format!("  annotation {}: {}", line(name), line(value)));
    }
    if !generator_url.is_empty() {
        lines.push(format!("  source: {}", line(generator_url)));
    }
    lines.push(format!("  received {}: {}", time(attached.received_at), attached.reason.meaning()));
    lines
}

fn pairs(pairs: &Labels) -> String {
    let shown = pairs.iter().map(|(name, value)| format!("{}=\"{}\"", line(name), line(value)));
    shown.collect::<Vec<_>>().join(", ")
}

fn step(step: &StepRecord) -> Vec<String> {
    let duration = (step.ended_at - step.started_at).num_milliseconds();
    let mut lines = vec![format!(
        "- {}; {} to {}, {duration} ms",
        step.sentence(),
        time(step.started_at),
        time(step.ended_at)
    )];
    if let Some(share) = step.share_before {
        let listed = if step.begun_late_by().is_some() { " that is listed here" } else { "" };
        lines.push(format!("  just before the first request{listed} the canary had {share}"));
    }
    for (index, attempt) in step.attempts.iter().enumerate() {
        let status =
            attempt.answer.status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
        let read_back = match attempt.read_back {
            Some(share) => share.to_string(),
            None if attempt.read_failed => "it could not be read".to_owned(),
            None => "not read".to_owned(),
        };
        lines.push(format!("  {}. {} {}", index + 1, time(attempt.started_at), line(&attempt.request)));
        lines.push(format!(
            "     answer {} {status}: {}",
            time(attempt.ended_at),
            line(&attempt.answer.text)
        ));
        lines.push(format!("     read back: {read_back}; {}", attempt.words()));
    }
    lines
}

fn verification(verification: Option<&Verification>, complete: bool) -> Vec<String> {
    let Some(verification) = verification else {
        let text = if complete { "never reached" } else { "not ended when this was written" };
        return vec![text.to_owned()];
    };
    let mut lines = vec![format!(
        "{}: {}; {} to {}",
        verification.verdict.as_str(),
        verification.verdict.sentence(),
        time(verification.started_at),
        time(verification.ended_at)
    )];
    for check in &verification.checks {
        let (name, outcome) = (check.name.words(), check.outcome.words());
        lines.push(format!("- {name}: {outcome}: {}", line(&check.detail)));
    }
    lines
}

fn snapshot(when: SnapshotPoint, taken: bool, error: Option<&str>) -> String {
    match taken {
        true => format!("metrics {} the rollback: taken", when.as_str()),
        false => {
            let error = line(error.unwrap_or("not known why"));
            format!("metrics {} the rollback: not taken: {error}", when.as_str())
        }
    }
}

/// The decision's sentence, with the name that the log and the metrics have for its reason.
fn decision(note: &NoteEntry) -> String {
    let reason = note.reason.map_or_else(String::new, |reason| format!(" [{reason}]"));
    format!("{} {}{reason}", time(note.at), line(&note.text))
}

#[cfg(test)]
mod tests;
