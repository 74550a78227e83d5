//! What a notice says, in the same words in every channel: what happened, what was done, whether it is
//! safe now, and what comes next. Times stay times, because channels show them in their own way.

use chrono::{DateTime, Utc};

use super::{Message, Place, Subject};
use crate::incident::{AlertFact, Incident, Notice, NoticeFact, Reason, Repeated, Share, Trigger, Verdict};
use crate::text::shown;

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

    /// How the subject stands: what its last notice says that is about where it stands.
    #[must_use]
    pub fn of_state(message: &Message, place: &Place) -> Self {
        let notices = message.subject.incident().map(|incident| &incident.notices);
        let upto =
            |notice: &&Notice| notice.id <= message.notice.id && notice.fact.as_ref().is_some_and(stands);
        let last = notices.and_then(|notices| notices.iter().rev().find(upto));
        Self::of_notice(last.unwrap_or(&message.notice), &message.subject, place)
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
        let next = self.next.as_ref().map_or_else(String::new, |next| format!(" {}", next.plain()));
        format!("{} {}: {}. {}{next}", self.word, self.about, self.what.plain(), self.safe.plain())
    }

    /// The headline, without its mark.
    #[must_use]
    pub fn headline(&self) -> String {
        format!("{}: {}", self.word, self.about)
    }
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

struct Said {
    mark: Mark,
    word: &'static str,
    what: Line,
    done: Line,
    safe: Line,
    next: Option<Line>,
    detail: Option<String>,
}

impl Said {
    fn new(mark: Mark, word: &'static str, what: Line) -> Self {
        let (done, safe) = (Line::text("Nothing was changed."), Line::default());
        Self { mark, word, what, done, safe, next: None, detail: None }
    }

    fn done(self, done: impl Into<String>) -> Self {
        Self { done: Line::text(done), ..self }
    }

    fn safe(self, safe: impl Into<String>) -> Self {
        Self { safe: Line::text(safe), ..self }
    }

    fn next(self, next: Line) -> Self {
        Self { next: Some(next), ..self }
    }

    fn about(self, alert: Option<&AlertFact>) -> Self {
        let detail = alert.map(|alert| shown(&alert.description)).filter(|text| !text.is_empty());
        Self { detail, ..self }
    }

    fn of(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        match fact {
            NoticeFact::GraceOpened { .. }
            | NoticeFact::GraceHeld { .. }
            | NoticeFact::GraceResumed { .. }
            | NoticeFact::GraceCancelled { .. } => Self::of_grace(fact, notice),
            NoticeFact::RollbackStarted { .. }
            | NoticeFact::RollbackEnded { .. }
            | NoticeFact::RollbackNotVerified { .. }
            | NoticeFact::RollbackFailed { .. }
            | NoticeFact::RollbackOverdue { .. } => Self::of_rollback(fact, notice, incident),
            other => Self::of_rest(other, notice, incident),
        }
    }

    fn of_grace(fact: &NoticeFact, notice: &Notice) -> Self {
        let on_canary = on_canary("Mostly", notice.share);
        match fact {
            NoticeFact::GraceOpened { alert, ends_at, is_over } => {
                let next = if *is_over {
                    Line::text("Rolls back now unless it is gone: its grace was over at ")
                        .at(*ends_at)
                        .and(".")
                } else {
                    Line::text("Rolls back at ").at(*ends_at).and(" unless it recovers or somebody holds it.")
                };
                Self::new(Mark::Yellow, "WARNING", Line::text(of_alert(alert)))
                    .safe(on_canary)
                    .next(next)
                    .about(Some(alert))
            }
            NoticeFact::GraceHeld { actor, reason, until } => {
                let who = if reason.is_of_a_person() {
                    format!("{} holds the rollback", shown(actor))
                } else {
                    format!("The rollback is on hold. {}", reason.meaning())
                };
                let next = Line::text("No rollback before ")
                    .at(*until)
                    .and(", unless a critical alert fires. Then the alerts are asked for again.");
                Self::new(Mark::Yellow, "HELD", Line::text(who.trim_end_matches('.')))
                    .safe(on_canary)
                    .next(next)
            }
            NoticeFact::GraceResumed { actor, ends_at } => {
                let next = match ends_at {
                    Some(ends_at) if *ends_at > notice.at => {
                        Line::text("Rolls back at ").at(*ends_at).and(" unless it recovers.")
                    }
                    _ => Line::text("The alerts are asked for now: rolls back unless they are gone."),
                };
                Self::new(Mark::Yellow, "WARNING", Line::text(format!("{} ended the hold", shown(actor))))
                    .safe(on_canary)
                    .next(next)
            }
            NoticeFact::GraceCancelled { reason } => {
                let (word, safe) = match reason {
                    Reason::NoCanary => ("NO CANARY", "Yes. The canary has no traffic any more."),
                    Reason::ResolvedConfirmed => {
                        ("RECOVERED", "Yes. Its alerts were asked for and are gone.")
                    }
                    _ => {
                        ("RECOVERED", "As far as is known: its alerts have resolved, and nobody confirms it.")
                    }
                };
                Self::new(Mark::Green, word, Line::text("No rollback")).safe(safe)
            }
            _ => Self::new(Mark::Yellow, "NOTE", Line::default()),
        }
    }

    fn of_rollback(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        match fact {
            NoticeFact::RollbackStarted { cause, alert, due_at, .. } => {
                let what = match (&cause.trigger, alert) {
                    (Trigger::Manual { actor }, _) => {
                        format!("{} asked for it: {}", shown(actor), shown(&cause.words))
                    }
                    (Trigger::Automatic, Some(alert)) => of_alert(alert),
                    (Trigger::Automatic, None) => shown(&cause.words),
                };
                Self::new(Mark::Red, "ROLLING BACK", Line::text(what))
                    .done("The canary's traffic is being set to 0 %.")
                    .safe(on_canary("Not yet", notice.share))
                    .next(Line::text("Done, or reported as failed, by ").at(*due_at).and("."))
                    .about(alert.as_ref())
            }
            NoticeFact::RollbackEnded { verdict } => {
                let safe = match verdict {
                    Verdict::Verified => {
                        "Yes. The traffic was read back as off the canary, and everything that is configured was read and is as it should be."
                    }
                    Verdict::Inconclusive | Verdict::NotVerified => {
                        "Yes, as far as could be read. The traffic was read back as off the canary; not everything else that matters could be read."
                    }
                };
                Self::new(Mark::Green, "ROLLED BACK", Line::text(began_for(incident)))
                    .done("The canary has 0 % of the traffic.")
                    .safe(safe)
            }
            NoticeFact::RollbackNotVerified { wrong } => {
                Self::new(Mark::Red, "ROLLED BACK, BUT LOOK AT IT", Line::text(began_for(incident)))
                    .done("The canary has 0 % of the traffic; nothing more is done.")
                    .safe(format!(
                        "Not known. The traffic was read back as off the canary, but {}.",
                        shown(&wrong.join("; "))
                    ))
                    .next(Line::text("Nothing, before a person looks."))
            }
            NoticeFact::RollbackFailed { attempt, detail, retry_at, .. } => {
                let next = match retry_at {
                    Some(retry_at) => Line::text("Tried again at ").at(*retry_at).and("."),
                    None => Line::text(
                        "NOT tried again: set the canary's traffic to 0 % by hand, then close the incident.",
                    ),
                };
                let what = format!("Attempt {attempt} did not take the traffic off: {}", shown(detail));
                Self::new(Mark::Red, "ROLLBACK FAILED", Line::text(what.trim_end_matches('.')))
                    .done("The canary may still have its traffic.")
                    .safe(on_canary("No", notice.share))
                    .next(next)
            }
            NoticeFact::RollbackOverdue { since, stands } => {
                let minutes = (notice.at - *since).num_minutes();
                Self::new(
                    Mark::Red,
                    "ROLLBACK OVERDUE",
                    Line::text(format!("It has not ended after {minutes} minutes")),
                )
                .done(format!("It stands so: {stands}."))
                .safe(on_canary("Not known", notice.share))
                .next(Line::text("Look at the canary's traffic yourself."))
            }
            _ => Self::new(Mark::Red, "NOTE", Line::default()),
        }
    }

    fn of_rest(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        let stands = incident.map(|incident| incident.phase.sentence()).unwrap_or_default();
        let sentence = |text: String| Line::text(text.trim_end_matches('.').to_owned());
        let note =
            |mark, word| Self::new(mark, word, sentence(fact.sentence(notice.at))).done(capital(&stands));
        match fact {
            NoticeFact::RepeatedRollback(repeated) => {
                let what = match repeated {
                    Repeated::Other { revision, minutes_ago } => {
                        format!("{} was rolled back {minutes_ago} minutes ago", shown(revision.as_str()))
                    }
                    Repeated::Today(count) => format!("Rollback {count} within a day"),
                };
                Self::new(Mark::Red, "AGAIN", Line::text(what))
                    .done("It is rolled back all the same.")
                    .safe("Not known. Something else than the canary is likely to be wrong.")
            }
            NoticeFact::Escalated { level, since, acknowledged_by } => {
                let minutes = (notice.at - *since).num_minutes();
                let who = match acknowledged_by {
                    Some(actor) => format!("{} took note of it and has not ended it", shown(actor)),
                    None => "nobody has taken note of it".to_owned(),
                };
                let what = format!("After {minutes} minutes {who}");
                let word = if level.0 >= 3 { "ESCALATED TO LEVEL 3" } else { "ESCALATED TO LEVEL 2" };
                Self::new(Mark::Red, word, Line::text(what))
                    .done(capital(&stands))
                    .safe(on_canary("No", notice.share))
                    .next(Line::text("Take the lead, or say who has it."))
            }
            NoticeFact::AlertsEnded => {
                Self::new(Mark::Green, "ALERTS ENDED", sentence(fact.sentence(notice.at)))
                    .done("The canary has 0 % of the traffic.")
                    .safe("Yes.")
            }
            NoticeFact::IncidentClosed { .. } => note(Mark::Green, "CLOSED"),
            NoticeFact::IncidentSuperseded { .. } => note(Mark::Yellow, "CLOSED"),
            NoticeFact::Acknowledged { .. } => note(Mark::Yellow, "TAKEN NOTE"),
            NoticeFact::EvidenceProblem { .. } => note(Mark::Yellow, "EVIDENCE"),
            NoticeFact::ChannelFailed { .. } => note(Mark::Red, "NOT EVERYBODY KNOWS"),
            NoticeFact::PublicUpdateLate { .. } => note(Mark::Red, "STATUS PAGE LATE"),
            NoticeFact::WatchdogLost { .. } => note(Mark::Red, "BLIND")
                .done("Nothing is rolled back for it, and nothing is cancelled.")
                .safe("Not known. Alerts may not reach Backstop."),
            NoticeFact::WatchdogBack => {
                note(Mark::Green, "SEEING AGAIN").done("").safe("Alerts reach Backstop again.")
            }
            _ => note(Mark::Yellow, "NOTE"),
        }
    }
}

/// The alert in half a sentence, with what it measured against which limit where its rule says so.
fn of_alert(alert: &AlertFact) -> String {
    let name = shown(&alert.name);
    let summary = shown(alert.summary.trim().trim_end_matches('.'));
    let limit = alert.threshold.as_ref().map(|limit| format!(" (limit {})", shown(limit)));
    let limit = limit.unwrap_or_default();
    if summary.is_empty() { format!("{name}{limit}") } else { format!("{name}: {summary}{limit}") }
}

fn began_for(incident: Option<&Incident>) -> String {
    let Some(incident) = incident else { return String::new() };
    let cause = incident.cause();
    match &cause.trigger {
        Trigger::Automatic => format!("It began for {}", shown(&cause.words)),
        Trigger::Manual { actor } => format!("{} asked for it: {}", shown(actor), shown(&cause.words)),
    }
}

/// How much of the traffic is at stake, after a first word that says whether that is safe.
fn on_canary(word: &str, share: Option<Share>) -> String {
    match share {
        Some(Share::ZERO) => format!("{word}. At the last reading the canary had no traffic."),
        Some(share) => format!("{word}. At the last reading {share} of the traffic was on the canary."),
        None => "Not known. The canary's share of the traffic could not be read.".to_owned(),
    }
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let Some(first) = chars.next() else { return String::new() };
    let end = if sentence.ends_with('.') { "" } else { "." };
    first.to_uppercase().chain(chars).collect::<String>() + end
}
