//! What every notice says is put together of: which fact is told where, and the halves of sentences
//! that they share.

use super::{Line, Mark};
use crate::incident::{AlertFact, Incident, Notice, NoticeFact, Share};
use crate::text::shown;

/// What a fact says, before it is said of what.
pub(super) struct Said {
    pub(super) mark: Mark,
    pub(super) word: &'static str,
    pub(super) what: Line,
    pub(super) done: Line,
    pub(super) safe: Line,
    pub(super) next: Option<Line>,
    pub(super) detail: Option<String>,
}

impl Said {
    pub(super) fn new(mark: Mark, word: &'static str, what: impl Into<Line>) -> Self {
        let (done, safe) = (Line::default(), Line::default());
        Self { mark, word, what: what.into(), done, safe, next: None, detail: None }
    }

    pub(super) fn done(self, done: impl Into<Line>) -> Self {
        Self { done: done.into(), ..self }
    }

    pub(super) fn safe(self, safe: impl Into<Line>) -> Self {
        Self { safe: safe.into(), ..self }
    }

    pub(super) fn next(self, next: impl Into<Line>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// More to read of the alert.
    pub(super) fn about(self, alert: Option<&AlertFact>) -> Self {
        let detail = alert.map(|alert| shown(&alert.description)).filter(|text| !text.is_empty());
        Self { detail, ..self }
    }

    pub(super) fn of(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        match fact {
            NoticeFact::GraceOpened { .. }
            | NoticeFact::GraceHeld { .. }
            | NoticeFact::GraceResumed { .. }
            | NoticeFact::GraceCancelled { .. } => Self::of_grace(fact, notice, incident),
            NoticeFact::RollbackStarted { .. }
            | NoticeFact::WouldRollBack { .. }
            | NoticeFact::RepeatedRollback(_)
            | NoticeFact::RollbackEnded { .. }
            | NoticeFact::RollbackNotVerified { .. }
            | NoticeFact::RollbackFailed { .. }
            | NoticeFact::RollbackWaits { .. }
            | NoticeFact::RollbackOverdue { .. }
            | NoticeFact::AlertsEnded => Self::of_rollback(fact, notice, incident),
            NoticeFact::Acknowledged { .. }
            | NoticeFact::IncidentSuperseded { .. }
            | NoticeFact::IncidentClosed { .. }
            | NoticeFact::EvidenceProblem { .. }
            | NoticeFact::Escalated { .. }
            | NoticeFact::ChannelFailed { .. }
            | NoticeFact::PublicUpdateLate { .. }
            | NoticeFact::WatchdogLost { .. }
            | NoticeFact::WatchdogBack => Self::of_note(fact, notice, incident),
            NoticeFact::Ramp(fact) => Self::of_ramp(fact, notice),
        }
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        if text.is_empty() { Self::default() } else { Self::text(text) }
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The alert in half a sentence, with what it measured against which limit where its rule says so.
pub(super) fn of_alert(alert: &AlertFact) -> String {
    let name = shown(&alert.name);
    let summary = shown(alert.summary.trim().trim_end_matches('.'));
    let limit = alert.threshold.as_ref().map(|limit| format!(" (limit {})", shown(limit)));
    let limit = limit.unwrap_or_default();
    if summary.is_empty() { format!("{name}{limit}") } else { format!("{name}: {summary}{limit}") }
}

/// How much of the traffic is at stake, after a first word that says whether that is safe.
pub(super) fn on_canary(word: &str, share: Option<Share>) -> String {
    match share {
        Some(Share::ZERO) => "Not known. At the last reading the canary had no traffic.".to_owned(),
        Some(share) => format!("{word}. At the last reading {share} of the traffic was on the canary."),
        None => "Not known. The canary's share of the traffic could not be read.".to_owned(),
    }
}

/// Words as the beginning of a sentence.
pub(super) fn capital(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}
