//! The record of a ramp that has ended: the protocol's lines with what was seen, then how each stage was passed.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::incident::{EvidenceFile, Judgement, Promotion, Ramp, RampPhase, Shortened, StageRecord};
use crate::text::shown;

/// The version of the JSON's shape.
const SCHEMA_VERSION: u32 = 1;

/// The JSON document. Listings read those of older versions too: a new member needs a default.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    schema_version: u32,
    ramp: Ramp,
    /// What lies beside it.
    files: Vec<EvidenceFile>,
}

/// The record for tools. What it says must not depend on the record: a second try would give other bytes.
pub(in crate::evidence) fn ramp_json(ramp: &Ramp) -> String {
    let files = ramp.stages.iter().flat_map(|record| record.evidence.clone()).collect();
    let ramp = Ramp { evidence: Vec::new(), evidence_problems: Vec::new(), ..ramp.clone() };
    match serde_json::to_string_pretty(&Document { schema_version: SCHEMA_VERSION, ramp, files }) {
        Ok(text) => text + "\n",
        // Texts, numbers and times always encode; should that ever change, the text file still has it all.
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    }
}

/// The ramp that a record is about; `None` where it is none.
pub(in crate::evidence) fn ramp_of_json(json: &[u8]) -> Option<Ramp> {
    serde_json::from_slice(json).ok().map(|document: Document| document.ramp)
}

/// The record for people: of a success the protocol's `canary_success_<date>_<time>.txt`, of another end the
/// same lines. `None`: it has not ended.
#[must_use]
pub fn render_ramp(ramp: &Ramp) -> Option<String> {
    let (ended_at, how) = (ramp.ended_at?, how_it_ended(&ramp.phase)?);
    let in_all = ramp.plan.stages.len();
    let passed = ramp.stages.iter().filter(|record| record.is_passed_by_its_gates()).count();
    // What keeps "5/5" from being the whole truth is named in the same line.
    let by_persons: String = ramp.by_persons().iter().map(|what| format!(", {what}")).collect();
    let is_success = ramp.phase == RampPhase::Succeeded;
    let mut lines = vec![
        format!("Canary Deployment: {how}"),
        format!("Version: {}", shown(ramp.plan.revision.as_str())),
        format!("Started: {}", time(ramp.started_at)),
        format!("{}: {}", if is_success { "Completed" } else { "Ended" }, time(ended_at)),
        format!("Duration: {} minutes", (ended_at - ramp.started_at).num_minutes()),
        format!("Stages: {passed}/{in_all} PASS{by_persons}"),
        format!("Rollbacks: {}", rollbacks(&ramp.phase)),
        format!("Evidence: {}", files(ramp)),
        String::new(),
    ];
    if !is_success {
        lines.push(format!("Why: {}", ramp.phase.sentence()));
    }
    lines.extend([
        format!("Ramp: {}", shown(ramp.id.as_str())),
        format!("Started By: {} through {}", shown(&ramp.started_by), shown(&ramp.started_through)),
        format!("Plan: SHA-256 {}", ramp.plan_sha256),
    ]);
    if let Some(words) = &ramp.again_because {
        lines.push(format!("Ramped Again After A Rollback Because: {}", shown(words)));
    }
    lines.extend(ramp.warnings.iter().map(|warning| format!("Warned: {}", shown(warning))));
    for record in &ramp.stages {
        lines.push(String::new());
        lines.extend(stage(ramp, record));
    }
    lines.extend(course(ramp));
    Some(lines.join("\n") + "\n")
}

fn course(ramp: &Ramp) -> Vec<String> {
    if ramp.course.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "What Happened:".to_owned()];
    let said = ramp.course.happened.iter();
    lines.extend(said.map(|happening| format!("  {}  {}", time(happening.at), shown(&happening.what))));
    if ramp.course.left_out > 0 {
        lines.push(format!("  and {} more, in the journal", ramp.course.left_out));
    }
    lines
}

fn how_it_ended(phase: &RampPhase) -> Option<&'static str> {
    match phase {
        RampPhase::Starting
        | RampPhase::StageRunning
        | RampPhase::StageHolding { .. }
        | RampPhase::Finishing => None,
        RampPhase::Succeeded => Some("SUCCESS ✅"),
        RampPhase::RolledBack { .. } => Some("ROLLED BACK"),
        RampPhase::Aborted { .. } => Some("ABORTED"),
        RampPhase::EndedOutside { .. } => Some("ENDED BY SOMEBODY ELSE"),
    }
}

/// A ramp ends with its first rollback.
fn rollbacks(phase: &RampPhase) -> String {
    match phase {
        RampPhase::RolledBack { incident } | RampPhase::Aborted { incident: Some(incident), .. } => {
            format!("1, incident {}", shown(incident.as_str()))
        }
        RampPhase::Aborted { incident: None, .. }
        | RampPhase::Starting
        | RampPhase::StageRunning
        | RampPhase::StageHolding { .. }
        | RampPhase::Finishing
        | RampPhase::Succeeded
        | RampPhase::EndedOutside { .. } => "0".to_owned(),
    }
}

fn files(ramp: &Ramp) -> String {
    // They lie beside the record.
    let own = |name: &str| shown(name.rsplit('/').next().unwrap_or(name));
    let names: Vec<_> =
        ramp.stages.iter().flat_map(|record| &record.evidence).map(|file| own(&file.name)).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn stage(ramp: &Ramp, record: &StageRecord) -> Vec<String> {
    let optional = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), time);
    let mut lines = vec![format!(
        "Stage {} ({}): from {} to {}{}",
        record.stage + 1,
        record.share,
        optional(record.began_at),
        optional(record.passed_at),
        record.promotion.as_ref().map_or_else(String::new, |promotion| by_a_person(ramp, record, promotion)),
    )];
    if record.paused_seconds > 0 {
        lines.push(format!("  its clock stood still for {} s", record.paused_seconds));
    }
    lines.extend(record.judgements.values().map(|judgement| format!("  {}", gate(judgement))));
    if let Some(approval) = &record.approval {
        let (actor, through) = (shown(&approval.actor), shown(&approval.through));
        lines.push(format!("  approved by {actor} through {through} at {}", time(approval.at)));
    }
    if let Some(promotion) = record.promotion.as_ref().filter(|promotion| !promotion.in_spite_of.is_empty()) {
        let reasons = promotion.in_spite_of.iter().map(|reason| reason.meaning().to_owned());
        let of_criteria = promotion.in_spite_of_criteria.iter();
        let criteria =
            of_criteria.map(|(name, verdict)| format!("{}: {}", shown(name.as_str()), verdict.in_capitals()));
        let all: Vec<_> = reasons.chain(criteria).collect();
        lines.push(format!("  overruled was this: {}", all.join(" ")));
    }
    lines.extend(record.evidence_problems.iter().map(|problem| format!("  evidence: {}", shown(problem))));
    lines
}

/// What a person made of a stage, for the end of its line: who reads that line alone must not take it for one that
/// lasted its time and passed by itself.
fn by_a_person(ramp: &Ramp, record: &StageRecord, promotion: &Promotion) -> String {
    let minutes = |span: TimeDelta| match (span.num_minutes(), span.num_seconds() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} minutes"),
        (minutes, seconds) => format!("{minutes} minutes {seconds} s"),
    };
    let mut did = Vec::new();
    if let Some(Shortened { lasted, planned }) = ramp.shortened(record) {
        did.push(format!("SHORTENED from {} to {}", minutes(planned), minutes(lasted)));
    }
    if record.is_overruled() {
        did.push("OVERRULED".to_owned());
    }
    if promotion.is_full {
        did.push("sent to the last stage at once".to_owned());
    }
    // Where it changed nothing, too: it was asked for.
    let did = if did.is_empty() { "promoted".to_owned() } else { did.join(" and ") };
    let at = record.promoted_at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
    let why = promotion.words.as_ref().map_or_else(|| "no reason given".to_owned(), |words| shown(words));
    format!(", {did} by {}{at}: {why}", shown(&promotion.actor))
}

fn gate(judgement: &Judgement) -> String {
    let verdict = judgement.verdict.in_capitals();
    format!("{verdict} {}: {}", shown(judgement.criterion.as_str()), shown(&judgement.detail))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
