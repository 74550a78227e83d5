//! What is said of a rollback.

use super::said::{Said, capital, of_alert, on_canary};
use super::{Line, Mark, full_stop};
use crate::incident::{
    AlertFact, Cause, Incident, Notice, NoticeFact, Pause, Repeated, Share, Trigger, Verdict,
};
use crate::text::shown;

const IS_OFF: &str = "The canary has 0 % of the traffic.";

impl Said {
    pub(super) fn of_rollback(fact: &NoticeFact, notice: &Notice, incident: Option<&Incident>) -> Self {
        match fact {
            NoticeFact::WouldRollBack { cause, alert } => {
                Self::new(Mark::Yellow, "SHADOW: WOULD ROLL BACK", of_cause(cause, alert.as_ref()))
                    .done("In shadow mode nothing is done.")
                    .safe(on_canary("No", notice.share))
                    .about(alert.as_ref())
            }
            NoticeFact::RollbackStarted { cause, alert, due_at, .. } => {
                Self::new(Mark::Red, "ROLLING BACK", of_cause(cause, alert.as_ref()))
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
                let said = Self::new(Mark::Green, "ROLLED BACK", began_for(incident)).done(IS_OFF).safe(safe);
                if incident.is_some_and(Incident::has_firing_alert) {
                    said.next("You are told when its alerts have ended; a page stays open until then.")
                } else {
                    said
                }
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
                    Some(retry_at) => Line::text("It will be tried again at ")
                        .at(*retry_at)
                        .and(", and then every few minutes."),
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
                let (done, safe) = match waiting {
                    Pause::NobodyServes => {
                        ("The canary's pods stay for now.", "No. Nobody is served.".to_owned())
                    }
                    _ => ("The canary keeps its traffic for now.", on_canary("No", notice.share)),
                };
                Self::new(Mark::Red, "ROLLBACK WAITS", what)
                    .done(done)
                    .safe(safe)
                    .next("Get a pod of the stable version ready: the rollback goes on as soon as one is.")
            }
            NoticeFact::RollbackOverdue { since, stands } => {
                let minutes = (notice.at - *since).num_minutes();
                Self::new(Mark::Red, "ROLLBACK OVERDUE", format!("It has not ended after {minutes} minutes"))
                    .done(full_stop(capital(stands)))
                    .safe(on_canary("Not known", notice.share))
                    .next("Look at the canary's traffic yourself.")
            }
            NoticeFact::AlertsEnded => alerts_ended(notice, incident),
            _ => Self::new(Mark::Red, "NOTE", fact.sentence(notice.at)),
        }
    }
}

/// What is said once the alerts have ended: no more than verification and the last reading allow.
fn alerts_ended(notice: &Notice, incident: Option<&Incident>) -> Said {
    let had_alerts = incident.is_none_or(|incident| !incident.alerts.is_empty());
    let what = if had_alerts { "Every alert of the rollback has ended" } else { "No alert fires" };
    let said = |mark, safe: &str| Said::new(mark, "ALERTS ENDED", what).safe(safe);
    let verdict = incident.and_then(|incident| incident.verification.as_ref()).map(|seen| seen.verdict);
    match (notice.share, verdict) {
        (Some(share), _) if share > Share::ZERO => {
            said(Mark::Yellow, "Not known. The canary has traffic again.").done(format!(
                "The canary has {share} of the traffic again: it was raised after the rollback."
            ))
        }
        (_, Some(Verdict::NotVerified)) => said(
            Mark::Yellow,
            "Not known. Something that was read back is wrong, and only a person can say that it is well.",
        )
        .done(IS_OFF)
        .next("Look at what verification found: see the incident's report."),
        (Some(_), Some(Verdict::Verified)) => said(Mark::Green, "Yes.").done(IS_OFF),
        (Some(_), _) => {
            said(Mark::Green, "Yes, as far as could be read. Not all else could be read back.").done(IS_OFF)
        }
        (None, _) => said(Mark::Green, "Yes, as far as could be read. The canary's share can't be read now.")
            .done("The traffic was taken off the canary."),
    }
}

fn began_for(incident: Option<&Incident>) -> String {
    let Some(incident) = incident else { return String::new() };
    let cause = incident.cause();
    let alert = cause.alert.as_ref().and_then(|alert| incident.alerts.find(alert));
    let alert = alert.map(|attached| AlertFact::of(&attached.alert));
    match &cause.trigger {
        Trigger::Automatic => format!("It was for {}", of_cause(&cause, alert.as_ref())),
        Trigger::Manual { .. } => of_cause(&cause, None),
    }
}

/// What made a rollback begin: the alert with its value and limit, or who asked and why.
fn of_cause(cause: &Cause, alert: Option<&AlertFact>) -> String {
    let words = || shown(cause.words.trim_end_matches('.'));
    match (&cause.trigger, alert) {
        (Trigger::Manual { actor }, _) => format!("{} asked for it: {}", shown(actor), words()),
        (Trigger::Automatic, Some(alert)) => of_alert(alert),
        (Trigger::Automatic, None) => words(),
    }
}
