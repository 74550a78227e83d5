//! A ramp in lines for a terminal.

use chrono::{DateTime, Utc};

use crate::cli::status::{ago, due, time};
use crate::cli::style;
use crate::incident::{GateVerdict, HoldReason};
use crate::text::shown;
use crate::web::{CriterionView, RampView};

/// The ramp whole: the first line says where it stands, the others are below it.
pub(in crate::cli) fn ramp_lines(ramp: &RampView) -> Vec<String> {
    let mut lines = progress_lines(ramp);
    lines.push(format!("  stages: {}", stages(ramp)));
    let (id, who) = (shown(&ramp.id), shown(&ramp.started_by));
    let through = shown(&ramp.started_through);
    lines.push(format!("  {id}, started {} by {who} ({through})", since_when(ramp.started_at, ramp.now)));
    lines.extend(ramp.warnings.iter().map(|text| style::warning(&format!("  warned: {}", shown(text)))));
    lines.extend(ramp.evidence.iter().map(|file| format!("  evidence {}", shown(&file.name))));
    let problems = ramp.evidence_problems.iter();
    lines.extend(problems.map(|text| style::warning(&format!("  evidence: {}", shown(text)))));
    if !ramp.durable {
        lines.push(style::alarm(
            "  NOT STORED: the store can't be written; if Backstop ends before it can, this is forgotten",
        ));
    }
    lines
}

/// Its stage, what holds it, how long it lasts, and each criterion.
pub(in crate::cli) fn progress_lines(ramp: &RampView) -> Vec<String> {
    let mut lines = vec![headline(ramp), format!("  {}", shown(&ramp.state_sentence))];
    if let Some(detail) = &ramp.hold_detail {
        let since = ramp.holds_since.map(|since| format!("since {}: ", since_when(since, ramp.now)));
        lines.push(format!("  {}{}", since.unwrap_or_default(), shown(detail)));
    }
    if ramp.is_running {
        lines.push(format!("  {}", time_left(ramp)));
        lines.extend(people(ramp));
        lines.extend(ramp.criteria.iter().map(criterion));
    }
    lines
}

/// What `backstop status` says of a ramp that has ended: how, and when.
pub(in crate::cli) fn ended_line(ramp: &RampView) -> String {
    let when = ramp.ended_at.map(|at| format!(", {}", since_when(at, ramp.now))).unwrap_or_default();
    format!("last ramp, of {}{when}: {}", shown(&ramp.revision), shown(&ramp.state_sentence))
}

fn headline(ramp: &RampView) -> String {
    let stage = format!("stage {} of {} ({} %)", ramp.stage, ramp.stages_total, ramp.share_percent);
    format!("ramp of {}  {stage}  {}", shown(&ramp.revision), state(ramp))
}

fn state(ramp: &RampView) -> String {
    let words = shown(&ramp.state).replace('_', " ");
    let needs_a_person = |reason: &HoldReason| {
        matches!(reason, HoldReason::CriterionFails | HoldReason::ApprovalMissing | HoldReason::Paused)
    };
    match ramp.state.as_str() {
        "rolled_back" | "aborted" | "ended_outside" => style::alarm(&words),
        "stage_holding" if ramp.holds.iter().any(needs_a_person) => style::alarm(&words),
        "stage_holding" => style::warning(&words),
        "succeeded" | "stage_running" => style::good(&words),
        _ => words,
    }
}

fn since_when(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ({})", time(at), ago(now - at))
}

fn time_left(ramp: &RampView) -> String {
    match (ramp.stage_began_at, ramp.stage_ends_at, ramp.stage_seconds_left) {
        (None, ..) => "its share is not read back yet, so its time has not begun".to_owned(),
        (Some(_), None, Some(left)) => format!("its clock stands still: {left} s are left"),
        (Some(_), Some(ends_at), Some(1..)) => {
            format!("it can be left {}", due(ends_at, ramp.now))
        }
        (Some(began_at), ..) => {
            format!("it has lasted its time; it began {}", since_when(began_at, ramp.now))
        }
    }
}

/// What people said to it.
fn people(ramp: &RampView) -> Vec<String> {
    let because = |words: &Option<String>| {
        words.as_ref().map(|words| format!(": {}", shown(words))).unwrap_or_default()
    };
    let mut lines = Vec::new();
    if let Some(paused) = &ramp.paused {
        lines.push(style::warning(&format!(
            "  paused by {}{}",
            shown(&paused.actor),
            because(&paused.words)
        )));
    }
    if let Some(promotion) = &ramp.promotion {
        let to = if promotion.is_full { "to the last stage" } else { "to the next stage" };
        let in_spite_of: Vec<_> = promotion.in_spite_of.iter().map(|reason| reason.meaning()).collect();
        let spite = if in_spite_of.is_empty() {
            String::new()
        } else {
            format!(" in spite of this: {}", in_spite_of.join(" "))
        };
        let (who, words) = (shown(&promotion.actor), because(&promotion.words));
        lines.push(format!("  promoted {to} by {who}{words}{spite}"));
    }
    match &ramp.approval {
        Some(approval) => {
            let (who, through) = (shown(&approval.actor), shown(&approval.through));
            lines.push(format!("  approved by {who} ({through})"));
        }
        None if ramp.needs_approval => {
            lines.push(style::warning("  it needs a person's approval at its end: backstop rollout approve"));
        }
        None => {}
    }
    lines
}

fn criterion(criterion: &CriterionView) -> String {
    let verdict = match criterion.verdict {
        GateVerdict::Pass => style::good("passes "),
        GateVerdict::Fail => style::alarm("FAILS  "),
        GateVerdict::Unknown => style::warning("unknown"),
    };
    let detail = if criterion.detail.is_empty() { criterion.reason.meaning() } else { &criterion.detail };
    format!("  {verdict}  {}: {}", shown(&criterion.title), shown(detail))
}

fn stages(ramp: &RampView) -> String {
    let stages = ramp.stages.iter().enumerate().map(|(number, stage)| {
        let share = stage.share_percent;
        match stage.passed_at {
            Some(at) => format!("{share} % passed at {}", at.format("%H:%M:%S UTC")),
            None if number + 1 == ramp.stage && ramp.is_running => format!("{share} % now"),
            None => format!("{share} %"),
        }
    });
    stages.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
