//! What is said beside: who has it, who does not know, what Backstop can't see.

use super::said::{Said, capital, on_canary};
use super::{Line, Mark, full_stop};
use crate::incident::{Incident, Notice, NoticeFact};
use crate::text::shown;

impl Said {
    pub(super) fn of_note(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        let stands =
            incident.map(|incident| full_stop(capital(&incident.phase.sentence()))).unwrap_or_default();
        match fact {
            NoticeFact::Acknowledged { actor } => {
                Self::new(Mark::Yellow, "ACKNOWLEDGED", format!("{} has it", shown(actor))).done(stands)
            }
            NoticeFact::IncidentSuperseded { by, instead_of, was } => {
                let (new, old) = (shown(by.as_str()), shown(instead_of.as_str()));
                Self::new(Mark::Yellow, "CLOSED", format!("{new} is on canary now instead of {old}"))
                    .done(format!("Before, it was {}. Nothing is done to {new}.", was.trim_end_matches('.')))
                    .safe(on_canary("Not known", notice.share))
            }
            NoticeFact::IncidentClosed { actor, words } => {
                let words = shown(words.trim_end_matches('.'));
                Self::new(Mark::Yellow, "CLOSED", format!("{} closed it: {words}", shown(actor)))
                    .done("Nothing more is done for it.")
                    .safe(on_canary("Not known", notice.share))
            }
            NoticeFact::EvidenceProblem { problems } => {
                Self::new(Mark::Yellow, "EVIDENCE PROBLEM", capital(&shown(problems.trim_end_matches('.'))))
                    .done(stands)
                    .next("Look at the evidence's folder.")
            }
            NoticeFact::Escalated { level, since, acknowledged_by } => {
                let minutes = (notice.at - *since).num_minutes();
                let who = match acknowledged_by {
                    Some(actor) => format!("{} has acknowledged it", shown(actor)),
                    None => "nobody has acknowledged it".to_owned(),
                };
                let word = if level.0 >= 3 { "ESCALATED TO LEVEL 3" } else { "ESCALATED TO LEVEL 2" };
                Self::new(Mark::Red, word, format!("It has not ended after {minutes} minutes, and {who}"))
                    .done(stands)
                    .safe(on_canary("No", notice.share))
                    .next("Take the lead, or say who has it.")
            }
            NoticeFact::ChannelFailed { channel, error, is_tried, .. } => {
                let (channel, error) = (shown(channel.as_str()), shown(error.trim_end_matches('.')));
                let tried = if *is_tried { "It is still tried." } else { "It is not tried again." };
                Self::new(Mark::Red, "NOT EVERYBODY KNOWS", format!("{channel} can't be told: {error}"))
                    .done(tried)
                    .next(format!("Tell those who rely on {channel}."))
            }
            NoticeFact::PublicUpdateLate { channel, due_at } => {
                let what = format!("{} has no public update yet, and it is due by ", shown(channel.as_str()));
                Self::new(Mark::Red, "STATUS PAGE LATE", Line::text(what).at(*due_at))
                    .done("It is still tried.")
                    .next("Look at the page, and write the update by hand if it is not there.")
            }
            NoticeFact::WatchdogLost { silent_seconds } => {
                Self::new(Mark::Red, "BLIND", format!("No Watchdog for {silent_seconds} s"))
                    .done("Nothing is rolled back for it, and nothing is cancelled.")
                    .safe("Not known. Alerts may not reach Backstop.")
                    .next("Check Prometheus and Alertmanager.")
            }
            NoticeFact::WatchdogBack => {
                let what = "The Watchdog is heard again, or no canary runs that needs it";
                Self::new(Mark::Green, "SEEING AGAIN", what).safe("Yes, as far as Backstop can see.")
            }
            _ => Self::new(Mark::Yellow, "NOTE", capital(&fact.sentence(notice.at))),
        }
    }
}
