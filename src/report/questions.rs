//! What the record leaves open, and what follows: read off the incident, nothing is guessed.

use super::people::{failure, taken_note};
use super::times::{time_utc, times};
use crate::incident::{
    CheckOutcome, DeliveryEnd, Incident, NoticeFact, Phase, Reason, Repeated, SnapshotPoint, StepOutcome,
    Trigger, Verification,
};

/// Questions, and what to do, each once and in the order they were found.
#[derive(Default)]
struct Open {
    questions: Vec<String>,
    follow_ups: Vec<String>,
}

impl Open {
    fn ask(&mut self, question: impl Into<String>) {
        let question = question.into();
        if !self.questions.contains(&question) {
            self.questions.push(question);
        }
    }

    fn follow(&mut self, follow_up: impl Into<String>) {
        let follow_up = follow_up.into();
        if !self.follow_ups.contains(&follow_up) {
            self.follow_ups.push(follow_up);
        }
    }
}

pub(super) fn of(incident: &Incident) -> (Vec<String>, Vec<String>) {
    let mut open = Open::default();
    first_of_all(&mut open, incident);
    about_the_decision(&mut open, incident);
    about_the_steps(&mut open, incident);
    if let Some(verification) = &incident.verification {
        about_the_verification(&mut open, verification);
    }
    about_its_end(&mut open, incident);
    about_people(&mut open, incident);
    about_the_record(&mut open, incident);
    (open.questions, open.follow_ups)
}

/// What follows from every incident of its kind (protocol, Incident Response).
fn first_of_all(open: &mut Open, incident: &Incident) {
    let (cause, revision) = (incident.cause(), incident.revision());
    if incident.has_rolled_back() {
        open.follow("Schedule the post-mortem");
        open.follow(match cause.trigger {
            Trigger::Automatic => {
                format!("Find the cause of {} before {revision} goes on canary again", cause.words)
            }
            Trigger::Manual { .. } => {
                format!("Find what is wrong with {revision} before it goes on canary again: {}", cause.words)
            }
        });
    } else if matches!(incident.phase, Phase::Cancelled { .. }) {
        open.follow(format!("Find out why {} fired and went away by itself", cause.words));
    }
}

fn about_the_decision(open: &mut Open, incident: &Incident) {
    let cause = incident.cause();
    if cause.share.is_none() && cause.reason != Reason::NoCanary {
        open.ask(
            "How much of the traffic was on the canary? The share could not be read when it was decided.",
        );
        open.follow("Make the share readable: rollouts.traffic.read_url");
    }
    match cause.reason {
        Reason::Unverified | Reason::NobodyToAsk | Reason::MissedWhileDown => {
            open.ask(format!("Did the alert still fire as the rollback began? {}", cause.reason.meaning()));
        }
        _ => {}
    }
    let clocks_differ = incident.alerts.iter().any(|known| known.alert.starts_at > known.received_at);
    let was_set = incident.notes.iter().any(|note| note.event == "clock_stepped");
    if clocks_differ || was_set {
        open.ask("By how much are the times off? An alert began after it was received, or the clock was set meanwhile.");
        open.follow("Compare the clocks of Backstop, Prometheus and Alertmanager");
    }
    for notice in incident.notices.iter() {
        match &notice.fact {
            Some(NoticeFact::RepeatedRollback(Repeated::Other { revision, minutes_ago })) => {
                open.ask(format!(
                    "What else is wrong? {revision} was rolled back {minutes_ago} minutes before."
                ));
            }
            Some(NoticeFact::RepeatedRollback(Repeated::Today(count))) => {
                open.ask(format!("What else is wrong? It was rollback {count} within a day."));
            }
            _ => {}
        }
    }
}

fn about_the_steps(open: &mut Open, incident: &Incident) {
    if let Some(begun_at) = incident.step_begun_at {
        open.ask(format!(
            "What was sent after {}? A step was begun then, and its end is not recorded.",
            time_utc(begun_at)
        ));
    }
    if incident.steps.iter().any(|step| step.begun_late_by().is_some()) {
        open.ask("What did an earlier process send? A step began late after its decision.");
    }
    let failed = incident.steps.iter().filter(|step| !step.outcome.is_done()).count();
    if failed > 0 {
        let last = incident.steps.iter().rev().find(|step| !step.outcome.is_done());
        let answer = last.and_then(|step| step.attempts.last()).map(|attempt| attempt.answer.words());
        let answer = answer.unwrap_or_else(|| "no attempt could be made".to_owned());
        open.ask(format!("Why was a step not carried out, {}? Its last answer: {answer}", times(failed)));
        open.follow("Mend what sets the canary's traffic");
    }
    let unread = incident.steps.iter().any(|step| step.outcome == StepOutcome::DoneUnread);
    if unread && incident.reaction().read_off_at.is_none() {
        open.ask("Was the traffic off? It was acknowledged, and nothing that was read shows it.");
    }
    if incident.failures.contains_key(&Reason::TrafficReturned) {
        open.ask("Who put traffic on the canary again after it was off?");
    }
}

fn about_the_verification(open: &mut Open, verification: &Verification) {
    for check in &verification.checks {
        let (what, detail) = (check.name.words(), &check.detail);
        match check.outcome {
            CheckOutcome::Fail => {
                open.ask(format!("Why is this wrong: {what}? {detail}"));
                open.follow(format!("Look at {what}"));
            }
            CheckOutcome::Unknown => {
                open.ask(format!("How is this: {what}? It could not be read: {detail}"));
                open.follow(format!("Make it readable: {what}"));
            }
            CheckOutcome::NotConfigured => {
                open.ask(format!("How is this: {what}? Nothing is configured to read it."));
            }
            // Asked again nothing would answer: the canary's pods are gone.
            CheckOutcome::Pass | CheckOutcome::Gone => {}
        }
    }
}

fn about_its_end(open: &mut Open, incident: &Incident) {
    let read_off = incident.reaction().read_off_at.is_some();
    match &incident.phase {
        Phase::Cancelled { reason: Reason::ResolvedUnconfirmed } => {
            open.ask("Were the alerts really gone? They resolved by message, and nobody was asked.");
            open.follow("Configure alertmanager.urls and prometheus.url, so that it can be confirmed");
        }
        Phase::Closed { actor, .. } if incident.has_rolled_back() && !read_off => {
            open.ask(format!("Was the traffic off as {actor} closed it? Nothing that was read says so."));
        }
        Phase::Superseded { by } if incident.has_rolled_back() && !read_off => {
            open.ask(format!(
                "Was the traffic ever off, before {by} came on canary? Nothing that was read says so."
            ));
        }
        Phase::Superseded { by } => {
            open.ask(format!("Does {by} have the same fault? Nothing was done to it."));
        }
        Phase::Failed { .. } => {
            open.ask("Is the traffic off the canary now? Nothing that was read says so.");
            open.follow("Take the traffic off by hand, and close the incident");
        }
        _ => {}
    }
    let ended = incident.phase.is_closed() && incident.has_rolled_back();
    for attached in
        incident.alerts.iter().filter(|attached| ended && attached.alert.ends_at.is_none()).take(5)
    {
        open.ask(format!("Does {} still fire? No message says that it ended.", attached.alert.name()));
    }
}

fn about_people(open: &mut Open, incident: &Incident) {
    for (channel, queue) in &incident.deliveries.queues {
        let given_up = queue.delivered.iter().filter_map(|delivered| match &delivered.end {
            DeliveryEnd::GivenUp(error) => Some(error),
            DeliveryEnd::Sent | DeliveryEnd::Superseded => None,
        });
        let waiting = queue.waiting.iter().rev().find_map(|waiting| waiting.last_error.as_ref());
        let reported = failure(incident, channel);
        if let Some(error) = given_up.clone().next_back() {
            let count = times(given_up.count());
            open.ask(format!("Who did not know? {channel} was not told, {count} and for good: {error}"));
        } else if let Some(error) = waiting {
            open.ask(format!("Who does not know yet? Messages wait for {channel}: {error}"));
        } else if let Some(error) = reported {
            open.ask(format!("Who knew late? {channel} could not be told for some time: {error}"));
        } else {
            continue;
        }
        let ended = queue.delivered.iter().rev().find(|last| last.end != DeliveryEnd::Superseded);
        let is_down = ended.is_some_and(|last| last.end != DeliveryEnd::Sent);
        if is_down || waiting.is_some() {
            open.follow(format!("Mend the channel {channel}: backstop notify test --channel {channel}"));
        }
    }
    let told = incident.deliveries.queues.values().any(|queue| queue.first_sent_at().is_some());
    if told && incident.has_rolled_back() && taken_note(incident).is_none() {
        open.ask("Did anybody see it? Nobody took note.");
    }
}

fn about_the_record(open: &mut Open, incident: &Incident) {
    for notice in incident.notices.iter() {
        if let Some(NoticeFact::EvidenceProblem { problems }) = &notice.fact {
            open.ask(format!("Is the evidence whole? {problems}"));
            open.follow("Run backstop evidence verify");
        }
    }
    for (when, body, error) in &incident.snapshots {
        if body.is_none() {
            let error = error.as_deref().unwrap_or("not known why");
            let when = match when {
                SnapshotPoint::Before => "before the rollback",
                SnapshotPoint::After => "after it",
            };
            open.ask(format!("What did the metrics show {when}? They could not be read: {error}"));
        }
    }
    if incident.phase.is_closed() && incident.has_rolled_back() && !incident.evidence_complete {
        open.ask("Where is the complete evidence? It is not written yet.");
    }
    let left_out = [incident.notes.left_out(), incident.notices.left_out(), incident.steps.left_out()];
    let left_out: u64 = left_out.into_iter().flatten().map(|(_, count)| count).sum();
    if left_out > 0 {
        open.ask(format!("{left_out} entries are not in this report: the database holds them."));
    }
}
