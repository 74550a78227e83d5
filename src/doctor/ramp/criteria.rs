//! A rollout's criteria, each asked once as if its last stage ended now.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};

use crate::clock::{Clock, SystemClock};
use crate::commands::{chosen, find};
use crate::config::RolloutConfig;
use crate::finding::{Area, Check, Finding};
use crate::incident::{
    CommandCheck, Criterion, GateReason, GateVerdict, Judgement, Question, Revision, Share,
};
use crate::ramp::{Criteria, Judge, Metric, StageSpan, StagedCriterion};
use crate::signals::{Prometheus, known_metrics};
use crate::text::shown;

/// Questions that are asked together: a person's look must be no storm.
const AT_ONCE: usize = 4;

pub(super) async fn look(
    rollout: &RolloutConfig,
    judge: Option<Arc<dyn Judge>>,
    prometheus: Option<&Prometheus>,
) -> Vec<Finding> {
    let check = Check::new(Area::Ramp, &rollout.name, "criteria");
    let Some(judge) = judge else {
        let message = "The criteria can't be asked: a client can't be built.";
        return vec![check.warning(message, "Mend what is said of the configuration.")];
    };
    // Files and parsers take their time, and every other check runs on this thread.
    let of_rollout = rollout.clone();
    let loaded =
        tokio::task::spawn_blocking(move || of_rollout.ramp.criteria.load_with_needs(&of_rollout)).await;
    let loaded = loaded.map_err(|error| error.to_string());
    let criteria = match loaded.and_then(|loaded| loaded.map_err(|report| report.to_string())) {
        Ok(criteria) => criteria,
        Err(why) => {
            let message = format!("No ramp can start: {why}");
            return vec![check.warning(message, "Mend the file, and see `backstop check-config`.")];
        }
    };
    let needs = criteria.all.iter().filter_map(|one| one.needs.as_ref());
    let wanted = needs.flat_map(|needs| needs.metrics()).collect();
    let known = match prometheus {
        Some(prometheus) => known_metrics(prometheus, &wanted)
            .await
            .map_err(|error| format!("Prometheus can't be asked: {error}")),
        None => Err("no Prometheus is configured".to_owned()),
    };
    looked(check, &criteria, &judge, &made_up_span(rollout), known).await
}

/// `known` are the metrics that Prometheus has, or why nobody knows.
async fn looked(
    check: Check<'_>,
    criteria: &Criteria,
    judge: &Arc<dyn Judge>,
    span: &StageSpan,
    known: Result<BTreeSet<Metric>, String>,
) -> Vec<Finding> {
    let is_query = |one: &&StagedCriterion| matches!(one.criterion.question, Question::Query(_));
    let mut found = Vec::new();
    let unasked = match &known {
        Ok(_) => 0,
        Err(_) => criteria.all.iter().filter(is_query).count(),
    };
    // Once, and not for each of them.
    if let Err(why) = &known
        && unasked > 0
    {
        let message = format!("No ramp can start: {why}, and {unasked} criteria ask it.");
        found.push(check.warning(message, "Set url in [prometheus] to one that answers."));
    }
    let known = known.ok();
    let asked = criteria.all.iter().filter(|one| known.is_some() || !is_query(one));
    let looks: Vec<_> = asked.map(|one| one_of(check, one, judge, span, known.as_ref())).collect();
    let of_asked = looks.len();
    let looked: Vec<Option<Finding>> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    let fine = looked.iter().filter(|finding| finding.is_none()).count();
    found.extend(looked.into_iter().flatten());
    if fine > 0 {
        found.push(check.fine(format!("{fine} of {} criteria are as they should be.", of_asked + unasked)));
    }
    let off: Vec<_> = criteria.left_out.iter().map(|one| shown(&one.title)).collect();
    if !off.is_empty() {
        let remedy = "Write enabled = true in [[rollouts.ramp.criteria]] of each that you can answer.";
        found.push(check.note(format!("Not judged, since they are off: {}.", off.join(", ")), remedy));
    }
    found
}

/// The last stage, as if it ended now.
fn made_up_span(rollout: &RolloutConfig) -> StageSpan {
    let (now, duration) = (SystemClock.now(), rollout.ramp.last_stage_duration);
    let began_at = now - TimeDelta::from_std(duration).unwrap_or_default();
    StageSpan::new(began_at, now, u32::try_from(duration.as_secs()).unwrap_or(u32::MAX))
}

/// What there is to say of a criterion; nothing where all is well.
async fn one_of(
    check: Check<'_>,
    one: &StagedCriterion,
    judge: &Arc<dyn Judge>,
    span: &StageSpan,
    known: Option<&BTreeSet<Metric>>,
) -> Option<Finding> {
    let criterion = &one.criterion;
    match &criterion.question {
        Question::Approval => None,
        // It may take minutes, and do something: whether it could be run is all that is looked at.
        Question::Command(command) => judged_program(check, criterion, command),
        Question::Query(_) => {
            if let Some(finding) = judged_metrics(check, one, known) {
                return Some(finding);
            }
            judged(check, criterion, &judge.judged(criterion, span).await)
        }
        Question::Http(_) | Question::Logs(_) => {
            // Of no revision: doctor looks before there is one, and a made-up name would find nothing.
            let named = criterion.filled(&Revision::new("x"), Share::ALL);
            if named.is_ok_and(|named| names_the_revision(criterion, &named)) {
                let message =
                    format!("{}: it names the revision, so it is not asked before a ramp.", title(criterion));
                return Some(check.note(message, "See its verdict as a ramp starts."));
            }
            judged(check, criterion, &judge.judged(criterion, span).await)
        }
    }
}

/// Whether it is another question with another revision.
fn names_the_revision(criterion: &Criterion, filled: &Criterion) -> bool {
    let other = criterion.filled(&Revision::new("y"), Share::ALL);
    other.is_ok_and(|other| other.question != filled.question)
}

fn title(criterion: &Criterion) -> String {
    shown(&criterion.title)
}

/// How to go on without it.
fn turn_off(criterion: &Criterion) -> String {
    format!(
        "or write [[rollouts.ramp.criteria]] with name = {:?} and enabled = false.",
        criterion.name.as_str()
    )
}

/// Metrics without which there is no answer, and counters that may be misspelt.
fn judged_metrics(
    check: Check<'_>,
    one: &StagedCriterion,
    known: Option<&BTreeSet<Metric>>,
) -> Option<Finding> {
    let (needs, known) = (one.needs.as_ref()?, known?);
    let missing = needs.missing(known);
    if missing.is_empty() {
        return None;
    }
    let title = title(&one.criterion);
    if needs.are_met_by(known) {
        let message = format!(
            "{title}: Prometheus has no {missing}. That is as it should be for a counter that is born with its first error; if its name is another one, nothing will be seen."
        );
        return Some(check.note(
            message,
            format!("Compare the name with the application's metrics, {}", turn_off(&one.criterion)),
        ));
    }
    let message = format!("{title}: no ramp can start, since Prometheus has no {missing}.");
    let remedy =
        format!("Give it to Prometheus, name another metric in its query, {}", turn_off(&one.criterion));
    Some(check.warning(message, remedy))
}

fn judged(check: Check<'_>, criterion: &Criterion, judgement: &Judgement) -> Option<Finding> {
    let (title, detail) = (title(criterion), shown(&judgement.detail));
    match (judgement.verdict, judgement.reason) {
        (GateVerdict::Pass, _) => None,
        (GateVerdict::Fail, _) => Some(check.note(
            format!("{title}: it would hold a ramp now: {detail}."),
            "See whether that is right before a ramp starts.",
        )),
        // With their metrics there, what is empty is the canary's part.
        (GateVerdict::Unknown, GateReason::NoData) if matches!(criterion.question, Question::Query(_)) => {
            Some(check.note(
                format!(
                    "{title}: nothing answers it now. That is right while no canary has run for long enough."
                ),
                "Compare its query with the labels of a canary's series, once there is one.",
            ))
        }
        (GateVerdict::Unknown, GateReason::TooFewSamples | GateReason::Gaps | GateReason::TooEarly) => {
            Some(check.note(
                format!("{title}: it can't be judged now: {detail}."),
                "See that a stage gets enough requests, and that its targets are scraped without gaps.",
            ))
        }
        (GateVerdict::Unknown, _) => Some(check.warning(
            format!("{title}: it can't be judged: {detail}."),
            format!("Mend that, {}", turn_off(criterion)),
        )),
    }
}

fn judged_program(check: Check<'_>, criterion: &Criterion, command: &CommandCheck) -> Option<Finding> {
    let environment = chosen(&command.environment, &command.variables);
    let program = command.argv.first().map_or("", String::as_str);
    let found = find(program, environment.get("PATH"), command.directory.as_deref().map(Path::new));
    let missing = command.environment.iter().filter(|name| environment.get(name).is_none());
    let missing: Vec<_> = missing.map(String::as_str).collect();
    let title = title(criterion);
    match found {
        Err(error) => Some(check.warning(
            format!("{title}: {error}."),
            format!(
                "Install it, correct argv, directory or PATH of {:?}, {}",
                criterion.name.as_str(),
                turn_off(criterion)
            ),
        )),
        Ok(_) if !missing.is_empty() => Some(check.note(
            format!("{title}: this environment has no {}.", missing.join(", ")),
            "Set them for the service, where they are meant to be secrets or places: doctor sees its own.",
        )),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests;
