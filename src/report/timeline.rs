//! What happened, in its order.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::incident::{Attempt, Deliveries, Incident, Notice, NoticeKind, Telling};

/// The alerts of which the beginning is a line of its own.
const MOST_BEGINNINGS: usize = 5;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// An alert began, by its own word.
    Alert,
    /// Something was decided, or came in.
    Decision,
    /// A request was sent, with its answer.
    Request,
    /// People were told, with what became of it on each channel.
    Notice,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub at: DateTime<Utc>,
    pub kind: EntryKind,
    /// A sentence, which may quote foreign text.
    pub text: String,
}

pub(super) fn of(incident: &Incident) -> Vec<Entry> {
    let alerts = incident.alerts.iter().take(MOST_BEGINNINGS).map(|attached| Entry {
        at: attached.alert.starts_at,
        kind: EntryKind::Alert,
        text: format!("{} began, by its own word", attached.alert.name()),
    });
    let notes = incident.notes.iter().map(|note| {
        let text = note.text.clone();
        Entry { at: note.at, kind: EntryKind::Decision, text }
    });
    let attempts = incident.steps.iter().flat_map(|step| &step.attempts).map(request);
    let notices = incident.notices.iter().filter_map(|notice| told(notice, &incident.deliveries));
    let mut entries: Vec<_> = alerts.chain(notes).chain(attempts).chain(notices).collect();
    // Stable: what was decided stands before what was said about it in the same instant.
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn request(attempt: &Attempt) -> Entry {
    let milliseconds = (attempt.ended_at - attempt.started_at).num_milliseconds().max(0);
    let status = attempt.answer.status.map_or_else(|| "no status".to_owned(), |status| status.to_string());
    let read = attempt.read_back.map_or_else(String::new, |share| format!("; read back: {share}"));
    let answer = attempt.answer.text.trim();
    let answer = if answer.is_empty() { String::new() } else { format!(" It said: {answer}") };
    let words = attempt.words();
    let text = format!("{}: {status} in {milliseconds} ms, {words}{read}.{answer}", attempt.request);
    Entry { at: attempt.started_at, kind: EntryKind::Request, text }
}

/// A notice with whom it reached. One that says what a decision's own line says, and goes to nobody,
/// adds nothing.
fn told(notice: &Notice, deliveries: &Deliveries) -> Option<Entry> {
    let told = notice.id.into_iter().flat_map(|id| deliveries.of(id));
    let told: Vec<_> = told.map(|(channel, telling)| format!("{channel} {}", in_words(telling))).collect();
    let repeats = has_a_decision(notice.kind);
    if repeats && told.is_empty() {
        return None;
    }
    let what = if repeats { notice.kind.meaning().to_owned() } else { notice.sentence() };
    let whom = if told.is_empty() { "nobody".to_owned() } else { told.join(", ") };
    let text = format!("Notice: {} Told: {whom}", sentence(&what));
    Some(Entry { at: notice.at, kind: EntryKind::Notice, text })
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn in_words(telling: Telling<'_>) -> String {
    let at = telling.at().format("%H:%M:%S");
    let tries = match telling.attempts() {
        0 | 1 => String::new(),
        many => format!(" (try {many})"),
    };
    match telling.as_str() {
        "sent" => format!("{at}{tries}"),
        "waiting" => "NOT YET".to_owned(),
        "superseded" => "not, because a later one says how it stands".to_owned(),
        _ => "NOT, given up".to_owned(),
    }
}

/// Whether a decision's own line says the same.
fn has_a_decision(kind: NoticeKind) -> bool {
    match kind {
        NoticeKind::GraceOpened
        | NoticeKind::GraceHeld
        | NoticeKind::GraceResumed
        | NoticeKind::GraceCancelled
        | NoticeKind::RollbackStarted
        | NoticeKind::WouldRollBack
        | NoticeKind::RollbackEnded
        | NoticeKind::RollbackFailed
        | NoticeKind::RollbackWaits
        | NoticeKind::Acknowledged
        | NoticeKind::IncidentSuperseded
        | NoticeKind::IncidentClosed => true,
        NoticeKind::RollbackNotVerified
        | NoticeKind::RollbackOverdue
        | NoticeKind::AlertsEnded
        | NoticeKind::Escalated
        | NoticeKind::ChannelFailed
        | NoticeKind::PublicUpdateLate
        | NoticeKind::EvidenceProblem
        | NoticeKind::RepeatedRollback
        | NoticeKind::WatchdogLost
        | NoticeKind::WatchdogBack
        | NoticeKind::RampStarted
        | NoticeKind::RampStageBegan
        | NoticeKind::RampHolds
        | NoticeKind::RampHoldsTooLong
        | NoticeKind::RampGoesOn
        | NoticeKind::RampSucceeded
        | NoticeKind::RampEnded
        | NoticeKind::RampRecordProblem => false,
    }
}
