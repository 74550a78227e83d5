//! The record of a ramp that succeeded: the protocol's lines with what was seen, then how each stage was passed.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::incident::{GateVerdict, HoldReason, Judgement, Ramp, StageRecord};
use crate::text::shown;

/// The text of `canary_success_<date>_<time>.txt`. `None`: it has not succeeded.
#[must_use]
pub fn render_success(ramp: &Ramp) -> Option<String> {
    let completed_at = ramp.ended_at.filter(|_| ramp.phase == crate::incident::RampPhase::Succeeded)?;
    let in_all = ramp.plan.stages.len();
    let passed = ramp.stages.iter().filter(|record| is_passed_by_its_gates(record)).count();
    let mut lines = vec![
        "Canary Deployment: SUCCESS ✅".to_owned(),
        format!("Version: {}", shown(ramp.plan.revision.as_str())),
        format!("Started: {}", time(ramp.started_at)),
        format!("Completed: {}", time(completed_at)),
        format!("Duration: {} minutes", (completed_at - ramp.started_at).num_minutes()),
        format!("Stages: {passed}/{in_all} PASS{}", not_by_gates(ramp, passed)),
        // A ramp ends with its first rollback.
        "Rollbacks: 0".to_owned(),
        format!("Evidence: {}", files(ramp)),
        String::new(),
        format!("Ramp: {}", shown(ramp.id.as_str())),
        format!("Started By: {} through {}", shown(&ramp.started_by), shown(&ramp.started_through)),
        format!("Plan: SHA-256 {}", ramp.plan_sha256),
    ];
    if let Some(words) = &ramp.again_because {
        lines.push(format!("Ramped Again After A Rollback Because: {}", shown(words)));
    }
    lines.extend(ramp.warnings.iter().map(|warning| format!("Warned: {}", shown(warning))));
    for record in &ramp.stages {
        lines.push(String::new());
        lines.extend(stage(record));
    }
    Some(lines.join("\n") + "\n")
}

/// Whether nobody had to overrule what its criteria said.
fn is_passed_by_its_gates(record: &StageRecord) -> bool {
    let overruled = record.promotion.as_ref().is_some_and(|promotion| !promotion.in_spite_of.is_empty());
    record.passed_at.is_some() && !overruled
}

/// What keeps "5/5" from being true is named in the same line.
fn not_by_gates(ramp: &Ramp, passed: usize) -> String {
    let (entered, in_all) = (ramp.stages.len(), ramp.plan.stages.len());
    let mut said = Vec::new();
    if entered > passed {
        said.push(format!("{} by a person's word", entered - passed));
    }
    if in_all > entered {
        said.push(format!("{} skipped by a person", in_all - entered));
    }
    if said.is_empty() { String::new() } else { format!(", {}", said.join(", ")) }
}

fn files(ramp: &Ramp) -> String {
    let names = ramp.stages.iter().flat_map(|record| &record.evidence).map(|file| shown(&file.name));
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn stage(record: &StageRecord) -> Vec<String> {
    let optional = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), time);
    let mut lines = vec![format!(
        "Stage {} ({}): from {} to {}",
        record.stage + 1,
        record.share,
        optional(record.began_at),
        optional(record.passed_at)
    )];
    if record.paused_seconds > 0 {
        lines.push(format!("  its clock stood still for {} s", record.paused_seconds));
    }
    lines.extend(record.judgements.values().map(|judgement| format!("  {}", gate(judgement))));
    if let Some(approval) = &record.approval {
        let (actor, through) = (shown(&approval.actor), shown(&approval.through));
        lines.push(format!("  approved by {actor} through {through} at {}", time(approval.at)));
    }
    if let Some(promotion) = &record.promotion {
        let mut line = format!("  promoted by {}", shown(&promotion.actor));
        if !promotion.in_spite_of.is_empty() {
            let reasons: Vec<_> = promotion.in_spite_of.iter().copied().map(HoldReason::meaning).collect();
            line.push_str(&format!(", in spite of this: {}", reasons.join(" ")));
        }
        if let Some(words) = &promotion.words {
            line.push_str(&format!(" Why: {}", shown(words)));
        }
        lines.push(line);
    }
    lines
}

fn gate(judgement: &Judgement) -> String {
    let verdict = match judgement.verdict {
        GateVerdict::Pass => "PASS",
        GateVerdict::Fail => "FAIL",
        GateVerdict::Unknown => "UNKNOWN",
    };
    format!("{verdict} {}: {}", shown(judgement.criterion.as_str()), shown(&judgement.detail))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
