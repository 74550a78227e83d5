//! The plan that a ramp was started with, which nothing of its evidence may depart from.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::GatesFile;
use crate::incident::{Criterion, Question, Ramp, RampPlan, StageRecord, sha256_hex};
use crate::text::shown;

/// The SHA-256 of a plan in hex: of its JSON without any space.
///
/// # Errors
/// When a member can't be written as JSON.
pub fn plan_sha256(plan: &RampPlan) -> Result<String, serde_json::Error> {
    serde_json::to_string(plan).map(|json| sha256_hex(json.as_bytes()))
}

/// Why the plan in a ramp's record is not the one that the ramp was started with; `None`: it is.
///
/// The text that lies there is what counts: a plan that is read and written again could lose what it was
/// changed by, and a newer program writes members that the frozen one had not.
#[must_use]
pub fn changed_plan(record: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Record<'a> {
        #[serde(borrow)]
        ramp: OfRamp<'a>,
    }
    #[derive(Deserialize)]
    struct OfRamp<'a> {
        #[serde(borrow)]
        plan: &'a RawValue,
        plan_sha256: String,
    }
    let Record { ramp } = match serde_json::from_str(record) {
        Ok(record) => record,
        Err(error) => return Some(format!("it is no record of a ramp ({error})")),
    };
    let found = sha256_hex(compact(ramp.plan.get()).as_bytes());
    (found != ramp.plan_sha256).then(|| {
        let named = shown(&ramp.plan_sha256);
        format!("its plan has the SHA-256 {found}, and {named} is the one that the ramp was started with")
    })
}

/// JSON without the spaces between its tokens.
fn compact(json: &str) -> String {
    let (mut in_text, mut is_escaped) = (false, false);
    let is_kept = |&c: &char| {
        let is_space = !in_text && c.is_ascii_whitespace();
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = in_text,
            '"' => in_text = !in_text,
            _ => {}
        }
        !is_space
    };
    json.chars().filter(is_kept).collect()
}

impl GatesFile {
    /// In what these gates depart from the plan of the ramp that they name, in sentences: a threshold that was
    /// changed after the fact lets a verdict follow again from its answer.
    #[must_use]
    pub fn departures_from(&self, ramp: &Ramp) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, here: &str, there: &str| {
            if here != there {
                found.push(format!("its {what} is {}, and the ramp's is {}", shown(here), shown(there)));
            }
        };
        compare("ramp's id", self.ramp.as_str(), ramp.id.as_str());
        compare("revision", self.revision.as_str(), ramp.plan.revision.as_str());
        compare("plan_sha256", &self.plan_sha256, &ramp.plan_sha256);
        let Some((place, stage)) =
            self.stage.checked_sub(1).and_then(|place| Some((place, ramp.plan.stages.get(place)?)))
        else {
            found.push(format!("it is of stage {}, and the plan has {}", self.stage, ramp.plan.stages.len()));
            return found;
        };
        compare("share", &self.share.to_string(), &stage.share.to_string());
        compare(
            "duration_seconds",
            &self.span.duration_seconds.to_string(),
            &stage.duration_seconds.to_string(),
        );
        for gate in &self.gates {
            let name = &gate.criterion.name;
            match stage.criteria.iter().find(|planned| planned.name == *name) {
                Some(planned) => found.extend(differences(&gate.criterion, planned)),
                None => found.push(format!("{} is no criterion of its stage", shown(name.as_str()))),
            }
        }
        let is_gone =
            |planned: &&Criterion| self.gates.iter().all(|gate| gate.criterion.name != planned.name);
        // Then each of its criteria has an answer. A rollback, or a person, may have come before all had one.
        if ramp.record_of(place).is_some_and(StageRecord::is_passed_by_its_gates) {
            let gone = stage.criteria.iter().filter(is_gone);
            found.extend(
                gone.map(|planned| format!("{} is not among its gates", shown(planned.name.as_str()))),
            );
        }
        found
    }
}

/// What a criterion says otherwise than the plan, each member by its name.
fn differences(here: &Criterion, planned: &Criterion) -> Vec<String> {
    if here == planned {
        return Vec::new();
    }
    let (name, here, planned) = (shown(here.name.as_str()), members(here), members(planned));
    let names: BTreeSet<_> = here.iter().chain(&planned).map(|(member, _)| member).collect();
    let of = |members: &[(String, String)], wanted: &str| {
        let found = members.iter().find(|(member, _)| member == wanted);
        found.map_or_else(|| "nothing".to_owned(), |(_, value)| shown(value))
    };
    let differing = names.into_iter().map(|member| (member, of(&here, member), of(&planned, member)));
    let differing = differing.filter(|(_, here, planned)| here != planned);
    differing
        .map(|(member, here, planned)| format!("{name}: its {member} is {here}, and the plan's is {planned}"))
        .collect()
}

/// A criterion's members and its question's by name, as they are written in evidence; a bound as people write it.
fn members(criterion: &Criterion) -> Vec<(String, String)> {
    let mut members = Vec::new();
    let Ok(Value::Object(mut whole)) = serde_json::to_value(criterion) else { return members };
    if let Some(Value::Object(question)) = whole.remove("question") {
        whole.extend(question);
    }
    if let Question::Query(query) = &criterion.question {
        whole.remove("bound");
        members.push(("threshold".to_owned(), format!("{} {}", query.bound.sign(), query.bound.threshold())));
    }
    let text = |value: Value| if let Value::String(text) = value { text } else { value.to_string() };
    members.extend(whole.into_iter().map(|(name, value)| (name, text(value))));
    members
}

#[cfg(test)]
mod tests;
