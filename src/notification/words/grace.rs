//! What is said of a grace.

use super::said::{Said, of_alert, on_canary};
use super::{Line, Mark, full_stop};
use crate::incident::{AlertFact, Incident, Notice, NoticeFact, Reason, Severity};
use crate::text::shown;

const NOTHING_DONE: &str = "Nothing was changed.";

impl Said {
    pub(super) fn of_grace(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        let at_stake = |said: Self| said.done(NOTHING_DONE).safe(on_canary("Mostly", notice.share));
        match fact {
            NoticeFact::GraceOpened { alert, ends_at, is_over, shadow } => {
                let word = if *shadow { "SHADOW WARNING" } else { "WARNING" };
                let next = if *shadow {
                    Line::text("Would be rolled back at ")
                        .at(*ends_at)
                        .and(" unless it recovers. In shadow mode nothing is done.")
                } else if *is_over {
                    Line::text("Rolls back now unless it is gone: its grace was over at ")
                        .at(*ends_at)
                        .and(".")
                } else {
                    Line::text("Rolls back at ").at(*ends_at).and(" unless it recovers or somebody holds it.")
                };
                let mut what = of_alert(alert);
                if let Some(why) = incident.and_then(why_a_grace) {
                    what = format!("{}. {why}", what.trim_end_matches('.'));
                }
                at_stake(Self::new(Mark::Yellow, word, what)).next(next).about(Some(alert))
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
                at_stake(still_about(who, Mark::Yellow, "HELD", incident)).next(next)
            }
            NoticeFact::GraceResumed { actor, ends_at } => {
                let next = match ends_at {
                    Some(ends_at) if *ends_at > notice.at => {
                        Line::text("Rolls back at ").at(*ends_at).and(" unless it recovers.")
                    }
                    _ => Line::text("The alerts are asked for now: rolls back unless they are gone."),
                };
                let who = format!("{} ended the hold", shown(actor));
                at_stake(still_about(who, Mark::Yellow, "WARNING", incident)).next(next)
            }
            NoticeFact::GraceCancelled { reason } => {
                let (word, safe) = match reason {
                    Reason::NoCanary => ("NO CANARY", "Yes. The canary has no traffic any more."),
                    Reason::ResolvedConfirmed => {
                        ("RECOVERED", "Yes. Its alerts were asked for and are gone.")
                    }
                    _ => {
                        ("RECOVERED", "Not known for sure. Its alerts have resolved, and nobody confirms it.")
                    }
                };
                let what = match alert(incident) {
                    Some(alert) => format!("No rollback for {}", shown(&alert.name)),
                    None => "No rollback".to_owned(),
                };
                Self::new(Mark::Green, word, what).done(NOTHING_DONE).safe(safe)
            }
            _ => Self::new(Mark::Yellow, "NOTE", fact.sentence(notice.at)),
        }
    }
}

/// Why a grace runs for what is acted upon at once else.
fn why_a_grace(incident: &Incident) -> Option<&'static str> {
    let of_a_critical = incident.opened.severity == Severity::Critical;
    match incident.opened.reason {
        Reason::OlderThanCanary if of_a_critical => {
            Some("It fires since before this canary and may be about the one before, so it gets a grace")
        }
        Reason::OlderThanResolve if of_a_critical => {
            Some("It is older than its own end and may be a late message, so it gets a grace")
        }
        _ => None,
    }
}

/// Whoever reads of a hold hours later has to see what it is about.
fn still_about(who: String, mark: Mark, word: &'static str, incident: Option<&Incident>) -> Said {
    let who = full_stop(who);
    match alert(incident) {
        Some(alert) => Said::new(mark, word, format!("{who} {}", of_alert(alert))).about(Some(alert)),
        None => Said::new(mark, word, who),
    }
}

/// The alert for which the grace opened.
fn alert(incident: Option<&Incident>) -> Option<&AlertFact> {
    let mut facts = incident?.notices.iter().rev().filter_map(|notice| notice.fact.as_ref());
    facts.find_map(|fact| match fact {
        NoticeFact::GraceOpened { alert, .. } => Some(alert),
        _ => None,
    })
}
