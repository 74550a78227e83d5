//! The incident's report: what happened, what was done, whether it is safe, and what is left to ask.
//! For whoever reads it the next morning, and as numbers for the post-mortem.
//!
//! A view over the incident, never a second truth, and pure: the same incident gives the same bytes.
//! [`Report`] holds what is said, as JSON has it; the Markdown says the same in the sections of a
//! [`Template`] that a company may edit. Every text in it counts as foreign, because any of them may
//! quote one, and is escaped on its way.

mod impact;
mod markdown;
mod people;
mod questions;
mod sections;
mod summary;
mod template;
mod timeline;
mod times;

pub use impact::{Impact, Until};
pub use people::{Deed, MessageReport, TakenNote, ToldChannel};
pub use summary::{Safe, Summary};
pub use template::{PLACEHOLDERS, Template, TemplateError};
pub use timeline::{Entry, EntryKind};
pub use times::Times;

use serde::Serialize;

use crate::incident::{AttachedAlert, Cause, EvidenceFile, Incident, StepRecord, Verification};

/// The version of the JSON's shape. Members may be added to it; one that is renamed, removed or means
/// something else makes it the next.
pub const SCHEMA_VERSION: u32 = 1;

/// What is reported about one incident. As JSON it is the post-mortem's data: times are RFC 3339 in
/// UTC, spans are seconds, and what is not known is `null`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub schema_version: u32,
    /// The incident's id.
    pub incident: String,
    pub rollout: String,
    /// The revision on canary when it opened.
    pub revision: String,
    /// `critical`, `warning` or `unknown`.
    pub severity: &'static str,
    /// Where it stands, by name, as in the API.
    pub state: &'static str,
    /// Whether nothing more will be done. If not, this is how it stood when it was asked for.
    pub is_closed: bool,
    /// The stage 1 to 5 of the ramp, if known.
    pub stage: Option<u8>,
    pub title: String,
    pub summary: Summary,
    pub times: Times,
    pub impact: Impact,
    pub timeline: Vec<Entry>,
    pub alerts: Vec<AlertReport>,
    /// What the rollback began for, the first that acted first; what it opened with where none began.
    pub causes: Vec<Cause>,
    /// The steps with every attempt that is still known.
    pub steps: Vec<StepRecord>,
    pub verification: Option<Verification>,
    pub people: Vec<Deed>,
    pub messages: Vec<MessageReport>,
    /// Who first said to have seen it.
    pub taken_note: Option<TakenNote>,
    pub evidence: Evidence,
    pub open_questions: Vec<String>,
    pub follow_ups: Vec<String>,
}

/// An alert of the incident; all texts are foreign.
#[derive(Debug, Clone, Serialize)]
pub struct AlertReport {
    pub name: String,
    pub severity: &'static str,
    pub fingerprint: String,
    pub starts_at: chrono::DateTime<chrono::Utc>,
    pub received_at: chrono::DateTime<chrono::Utc>,
    /// When it resolved; none while it fires, as far as is known.
    pub ends_at: Option<chrono::DateTime<chrono::Utc>>,
    pub summary: Option<String>,
    /// Where the shipped rules put the value.
    pub description: Option<String>,
    pub threshold: Option<String>,
    pub runbook_url: Option<String>,
    /// Why it belongs to the incident, by name.
    pub reason: &'static str,
}

/// The evidence of the rollback.
#[derive(Debug, Clone, Serialize)]
pub struct Evidence {
    /// Whether these are the last files of it.
    pub is_complete: bool,
    pub files: Vec<EvidenceFile>,
}

impl Report {
    /// What there is to report about the incident as it stands.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        let cause = incident.cause();
        let times = Times::of(incident);
        let (open_questions, follow_ups) = questions::of(incident);
        let causes = if incident.causes.is_empty() { vec![cause.clone()] } else { incident.causes.to_vec() };
        Self {
            schema_version: SCHEMA_VERSION,
            incident: incident.id.to_string(),
            rollout: incident.rollout.to_string(),
            revision: incident.revision().to_string(),
            severity: incident.severity.as_str(),
            state: incident.phase.name(),
            is_closed: incident.phase.is_closed(),
            stage: cause.stage.map(crate::incident::Stage::number),
            title: summary::title(incident),
            summary: Summary::of(incident),
            impact: Impact::of(incident),
            times,
            timeline: timeline::of(incident),
            alerts: incident.alerts.iter().map(|attached| AlertReport::of(attached)).collect(),
            causes,
            steps: incident.steps.to_vec(),
            verification: incident.verification.clone(),
            people: people::deeds(incident),
            messages: people::messages(incident),
            taken_note: people::taken_note(incident),
            evidence: Evidence { is_complete: incident.evidence_complete, files: incident.evidence.clone() },
            open_questions,
            follow_ups,
        }
    }

    /// As JSON, for tools.
    #[must_use]
    pub fn json(&self) -> String {
        match serde_json::to_string_pretty(self) {
            Ok(text) => text + "\n",
            // Texts, numbers and times always encode.
            Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
        }
    }

    /// As Markdown, for people.
    #[must_use]
    pub fn markdown(&self, template: &Template) -> String {
        template.fill(|placeholder| sections::section(self, placeholder))
    }
}

impl AlertReport {
    fn of(attached: &AttachedAlert) -> Self {
        let alert = &attached.alert;
        let annotation = |name: &str| alert.annotations.get(name).filter(|text| !text.is_empty()).cloned();
        Self {
            name: alert.name().to_owned(),
            severity: alert.severity().as_str(),
            fingerprint: alert.fingerprint.to_string(),
            starts_at: alert.starts_at,
            received_at: attached.received_at,
            ends_at: alert.ends_at,
            summary: annotation("summary"),
            description: annotation("description"),
            threshold: annotation("threshold"),
            runbook_url: annotation("runbook_url"),
            reason: attached.reason.as_str(),
        }
    }
}

#[cfg(test)]
mod tests;
