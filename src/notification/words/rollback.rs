//! What is said of a rollback.

use super::said::{Said, capital, of_alert, on_canary};
use super::{Line, Mark, full_stop};
use crate::incident::{Incident, Notice, NoticeFact, Repeated, Trigger, Verdict};
use crate::text::shown;

const IS_OFF: &str = "The canary has 0 % of the traffic.";

impl Said {
    pub(super) fn of_rollback(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        match fact {
            NoticeFact::RollbackStarted { cause, alert, due_at, .. } => {
                let what = match (&cause.trigger, alert) {
                    (Trigger::Manual { actor }, _) => {
                        format!("{} asked for it: {}", shown(actor), shown(&cause.words))
                    }
                    (Trigger::Automatic, Some(alert)) => of_alert(alert),
                    (Trigger::Automatic, None) => shown(&cause.words),
                };
                Self::new(Mark::Red, "ROLLING BACK", what)
                    .done("The canary's traffic is being set to 0 %.")
                    .safe(on_canary("Not yet", notice.share))
                    .next(Line::text("Done, or reported as failed, by ").at(*due_at).and("."))
                    .about(alert.as_ref())
            }
            NoticeFact::RepeatedRollback(repeated) => {
                let what = match repeated {
                    Repeated::Other { revision, minutes_ago } => {
                        format!("{} was rolled back {minutes_ago} minutes ago", shown(revision.as_str()))
                    }
                    Repeated::Today(count) => format!("This is rollback {count} within a day"),
                };
                Self::new(Mark::Red, "AGAIN", what)
                    .done("It is rolled back all the same.")
                    .safe("Not known. Something else than the canary is likely to be wrong.")
                    .next("Look for what else has changed.")
            }
            NoticeFact::RollbackEnded { verdict } => {
                let safe = match verdict {
                    Verdict::Verified => {
                        "Yes. The traffic was read back as off the canary, and all else that is checked is as it should be."
                    }
                    Verdict::Inconclusive | Verdict::NotVerified => {
                        "Yes, as far as could be read. The traffic was read back as off the canary; not all else could be read."
                    }
                };
                Self::new(Mark::Green, "ROLLED BACK", began_for(incident)).done(IS_OFF).safe(safe)
            }
            NoticeFact::RollbackNotVerified { wrong } => {
                let wrong = shown(wrong.join("; ").trim_end_matches('.'));
                Self::new(Mark::Red, "ROLLED BACK, BUT LOOK AT IT", began_for(incident))
                    .done(IS_OFF)
                    .safe(format!("Not known. The traffic was read back as off the canary, but {wrong}."))
                    .next("Nothing more is done: a person has to look.")
            }
            NoticeFact::RollbackFailed { attempt, detail, retry_at, .. } => {
                let next = match retry_at {
                    Some(retry_at) => Line::text("Tried again at ").at(*retry_at).and("."),
                    None => Line::text(
                        "NOT tried again: set the canary's traffic to 0 % by hand, then close the incident.",
                    ),
                };
                let detail = shown(detail.trim_end_matches('.'));
                Self::new(Mark::Red, "ROLLBACK FAILED", format!("Attempt {attempt} failed: {detail}"))
                    .done("The canary may still have its traffic.")
                    .safe(on_canary("No", notice.share))
                    .next(next)
            }
            NoticeFact::RollbackWaits { waiting } => {
                let what = waiting.sentence().trim_end_matches('.');
                Self::new(Mark::Red, "ROLLBACK WAITS", what)
                    .done("The canary keeps its traffic for now.")
                    .safe(on_canary("No", notice.share))
                    .next("Get a pod of the stable version ready: the rollback goes on as soon as one is.")
            }
            NoticeFact::RollbackOverdue { since, stands } => {
                let minutes = (notice.at - *since).num_minutes();
                Self::new(Mark::Red, "ROLLBACK OVERDUE", format!("It has not ended after {minutes} minutes"))
                    .done(full_stop(capital(stands)))
                    .safe(on_canary("Not known", notice.share))
                    .next("Look at the canary's traffic yourself.")
            }
            NoticeFact::AlertsEnded => {
                Self::new(Mark::Green, "ALERTS ENDED", "Every alert of the rollback has ended")
                    .done(IS_OFF)
                    .safe("Yes.")
            }
            _ => Self::new(Mark::Red, "NOTE", fact.sentence(notice.at)),
        }
    }
}

fn began_for(incident: Option<&Incident>) -> String {
    let Some(incident) = incident else { return String::new() };
    let cause = incident.cause();
    let words = shown(cause.words.trim_end_matches('.'));
    match &cause.trigger {
        Trigger::Automatic => format!("It was for {words}"),
        Trigger::Manual { actor } => format!("{} asked for it: {words}", shown(actor)),
    }
}
