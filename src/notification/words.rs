//! What a notice says, in the same words in every channel: what happened, what was done, whether it is
//! safe now, and what comes next. Times stay times, because channels show them in their own way.

mod grace;
mod notes;
mod ramp;
mod rollback;
mod said;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

use super::{Message, Place, Subject};
use crate::incident::{Notice, NoticeFact};
use crate::text::shown;
use said::Said;

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Harmless already.
    Text(String),
    Time(DateTime<Utc>),
}

/// A sentence or two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(pub Vec<Piece>);

impl Line {
    fn text(text: impl Into<String>) -> Self {
        Self(vec![Piece::Text(text.into())])
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn and(mut self, text: impl Into<String>) -> Self {
        self.0.push(Piece::Text(text.into()));
        self
    }

    fn at(mut self, at: DateTime<Utc>) -> Self {
        self.0.push(Piece::Time(at));
        self
    }

    /// With its times as `14:18:20 UTC`.
    #[must_use]
    pub fn plain(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Time(at) => at.format("%H:%M:%S UTC").to_string(),
        });
        pieces.collect()
    }
}

/// What the eye sees first; always beside a word, never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Green,
    Yellow,
    Red,
}

impl Mark {
    /// As a character.
    #[must_use]
    pub fn emoji(self) -> &'static str {
        match self {
            Self::Green => "🟢",
            Self::Yellow => "🟡",
            Self::Red => "🔴",
        }
    }
}

/// A message without its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub mark: Mark,
    /// One or two words in capitals, such as `ROLLING BACK`.
    pub word: &'static str,
    /// What it is about, such as `spark-trading v1.4.0 on prod-eu`.
    pub about: String,
    /// What happened, in half a sentence: the alert with value and limit, or who asked.
    pub what: Line,
    /// What was done about it.
    pub done: Line,
    /// Whether people are safe now, beginning with yes, no or not known.
    pub safe: Line,
    /// What comes next, and when; none where nothing does.
    pub next: Option<Line>,
    /// More to read, where there is some: an alert's description.
    pub detail: Option<String>,
}

impl Words {
    /// What the message's notice says.
    #[must_use]
    pub fn of(message: &Message, place: &Place) -> Self {
        Self::of_notice(&message.notice, &message.subject, place)
    }

    /// How the subject stands: what its last notice says that is about where it stands. After an outage
    /// that is a later one than the message's own: what was so then is not how it stands.
    #[must_use]
    pub fn of_state(message: &Message, place: &Place) -> Self {
        let notices = message.subject.incident().map(|incident| &incident.notices);
        let is_about_it = |notice: &&Notice| notice.fact.as_ref().is_some_and(stands);
        let last = notices.and_then(|notices| notices.iter().rev().find(is_about_it));
        Self::of_notice(last.unwrap_or(&message.notice), &message.subject, place)
    }

    /// Whether how the subject stands is what this very notice says.
    #[must_use]
    pub fn are_of_state(message: &Message) -> bool {
        let Some(incident) = message.subject.incident() else { return true };
        let is_about_it = |notice: &&Notice| notice.fact.as_ref().is_some_and(stands);
        let last = incident.notices.iter().rev().find(is_about_it);
        last.is_some_and(|last| last.id == message.notice.id)
    }

    fn of_notice(notice: &Notice, subject: &Subject, place: &Place) -> Self {
        let on = place.environment.as_ref().map_or_else(String::new, |name| format!(" on {}", shown(name)));
        let about =
            format!("{} {}{on}", shown(subject.rollout().as_str()), shown(subject.revision().as_str()));
        let said = match &notice.fact {
            Some(fact) => Said::of(fact, notice, subject.incident()),
            None => Said::new(Mark::Yellow, "NOTE", Line::text(shown(&notice.text))),
        };
        let Said { mark, word, what, done, safe, next, detail } = said;
        Self { mark, word, about, what, done, safe, next, detail }
    }

    /// The line for a lock screen: everything in one.
    #[must_use]
    pub fn glance(&self) -> String {
        let lines = [
            ("", Some(&self.what)),
            ("", Some(&self.done)),
            ("Safe now? ", Some(&self.safe)),
            ("", self.next.as_ref()),
        ];
        let sentences = lines.into_iter().filter_map(|(title, line)| {
            let line = full_stop(line?.plain());
            (!line.is_empty()).then(|| format!("{title}{line}"))
        });
        let said: Vec<_> = sentences.collect();
        format!("{} {}: {}", self.word, self.about, said.join(" "))
    }

    /// The headline, without its mark.
    #[must_use]
    pub fn headline(&self) -> String {
        format!("{}: {}", self.word, self.about)
    }
}

/// A sentence with its end.
fn full_stop(sentence: String) -> String {
    let is_whole = sentence.is_empty() || sentence.ends_with(['.', '!', '?', '…']);
    if is_whole { sentence } else { sentence + "." }
}

/// Whether a notice is about where the incident stands.
fn stands(fact: &NoticeFact) -> bool {
    !matches!(
        fact,
        NoticeFact::Acknowledged { .. }
            | NoticeFact::EvidenceProblem { .. }
            | NoticeFact::ChannelFailed { .. }
            | NoticeFact::PublicUpdateLate { .. }
            | NoticeFact::RepeatedRollback(_)
            | NoticeFact::Escalated { .. }
            | NoticeFact::AlertsEnded
    )
}
