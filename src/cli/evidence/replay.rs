//! `backstop evidence replay`: judges stages again by what was recorded, and compares.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Outcome;
use crate::cli::output::{Output, fail, print, print_json};
use crate::evidence::{AgainstPlan, RecordedGates, recorded_gates};
use crate::incident::{Criterion, Judgement, Question};
use crate::ramp::{GatesFile, Replayed};
use crate::text::shown;

/// Prints every criterion with what was recorded and what follows again. Fails where one differs.
pub(super) fn run(path: &Path, output: Output) -> Outcome {
    let found = match recorded_gates(path) {
        Ok(found) => found,
        Err(error) => return fail(error.in_full(), Outcome::Failed),
    };
    match output {
        Output::Json => print_json(&found.iter().map(file_json).collect::<Vec<_>>()),
        Output::Text if found.is_empty() => {
            print(format!("no gates of a stage in {}", shown(&path.display().to_string())));
        }
        Output::Text => {
            found.iter().for_each(|file| print(file_text(file)));
            print(verdict(&found));
        }
    }
    let Count { differing, departing, unread, .. } = count(&found);
    match (differing + departing + unread, found.len()) {
        (0, 0) => Outcome::NothingToDo,
        (0, _) => Outcome::Done,
        _ => Outcome::Failed,
    }
}

#[derive(Debug, Default)]
struct Count {
    criteria: usize,
    differing: usize,
    /// Files that are others than the plan of their ramp.
    departing: usize,
    /// Files without a ramp's record beside them.
    alone: usize,
    /// Files that are no record of gates.
    unread: usize,
}

fn count(found: &[RecordedGates]) -> Count {
    found.iter().fold(Count::default(), |count, file| match &file.gates {
        Ok(gates) => Count {
            criteria: count.criteria + gates.gates.len(),
            differing: count.differing + gates.replay().filter(|one| !one.agrees()).count(),
            departing: count.departing + usize::from(matches!(file.plan, AgainstPlan::Departs(_))),
            alone: count.alone + usize::from(file.plan == AgainstPlan::NoRecord),
            ..count
        },
        Err(_) => Count { unread: count.unread + 1, ..count },
    })
}

/// The last line, which says all that the exit code does.
fn verdict(found: &[RecordedGates]) -> String {
    let Count { criteria, differing, departing, alone, unread } = count(found);
    let unread = if unread > 0 { format!(", {unread} files can't be read") } else { String::new() };
    let agree = match differing {
        0 => "every verdict follows again from its answer".to_owned(),
        count => format!("{count} DIFFER: the answer, the verdict or the program is another one"),
    };
    let plan = match (departing, alone) {
        (0, 0) => ", and each was asked as its ramp's plan has it".to_owned(),
        (0, alone) => {
            format!(", and {alone} files have no ramp's record beside them to compare the plan with")
        }
        (departing, _) => {
            format!(", {departing} files DEPART from their ramp's plan: restore them from a copy")
        }
    };
    format!("{} files, {criteria} criteria: {agree}{plan}{unread}", found.len())
}

fn file_text(file: &RecordedGates) -> String {
    let path = shown(&file.path.display().to_string());
    let gates = match &file.gates {
        Ok(gates) => gates,
        Err(why) => return format!("{path}: {}", shown(why)),
    };
    let GatesFile { ramp, revision, stage, share, span, .. } = gates;
    let judged = span.now.format("%Y-%m-%d %H:%M:%S UTC");
    let (ramp, revision) = (shown(ramp.as_str()), shown(revision.as_str()));
    let mut lines = vec![format!("{path}: {ramp}, {revision}, stage {stage} ({share}), judged at {judged}")];
    lines.extend(
        departures(file).iter().map(|departure| format!("  DEPARTS  from its plan: {}", shown(departure))),
    );
    lines.extend(gates.replay().map(|one| gate_text(&one)));
    lines.join("\n")
}

fn departures(file: &RecordedGates) -> &[String] {
    match &file.plan {
        AgainstPlan::Departs(departures) => departures,
        AgainstPlan::NoRecord | AgainstPlan::AsPlanned => &[],
    }
}

fn gate_text(one: &Replayed<'_>) -> String {
    let title = shown(&one.criterion.title);
    let seen = shown(&one.again.detail);
    let late = one.asked_late_by.map_or_else(String::new, |late| {
        format!("; ASKED {} s AFTER that time: it says how things were then", late.num_seconds().max(1))
    });
    if one.agrees() {
        return format!("  same     {:<8}{title}: {seen}{late}", one.again.verdict.in_capitals());
    }
    let (recorded, again) = (said(one.recorded), said(&one.again));
    format!("  DIFFERS  {title}: recorded {recorded}; now {again}: {seen}{late}")
}

fn said(judgement: &Judgement) -> String {
    format!("{} ({})", judgement.verdict.in_capitals(), judgement.reason.meaning().trim_end_matches('.'))
}

fn file_json(file: &RecordedGates) -> Value {
    let path = file.path.display().to_string();
    match &file.gates {
        Err(error) => json!({ "file": path, "error": error }),
        Ok(gates) => json!({
            "file": path,
            "ramp": gates.ramp,
            "revision": gates.revision,
            "plan_sha256": gates.plan_sha256,
            "plan_compared": file.plan != AgainstPlan::NoRecord,
            "departures": departures(file),
            "stage": gates.stage,
            "share_percent": gates.share.0,
            "judged_at": gates.span.now,
            "criteria": gates.replay().map(|one| gate_json(&one)).collect::<Vec<_>>(),
        }),
    }
}

fn gate_json(one: &Replayed<'_>) -> Value {
    let judgement = |judgement: &Judgement| {
        json!({
            "verdict": judgement.verdict,
            "reason": judgement.reason,
            "value": judgement.value,
            "detail": judgement.detail,
        })
    };
    let Criterion { name, title, question, .. } = one.criterion;
    let query = if let Question::Query(query) = question { Some(query) } else { None };
    json!({
        "name": name,
        "title": title,
        "sign": query.map(|query| query.bound.sign()),
        "threshold": query.map(|query| query.bound.threshold()),
        "unit": query.map(|query| query.unit),
        "recorded": judgement(one.recorded),
        "again": judgement(&one.again),
        "agrees": one.agrees(),
        "asked_late_seconds": one.asked_late_by.map(|late| late.num_seconds().max(1)),
    })
}

#[cfg(test)]
mod tests;
