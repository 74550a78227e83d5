//! The text that people read and the JSON that tools read. Pure: the same incident gives the same bytes.

mod ramp;
mod text;

pub use ramp::render_ramp;
pub(super) use ramp::{ramp_json, ramp_of_json};
pub use text::render_text;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::EvidenceSummary;
use crate::incident::{Cause, EvidenceFile, Incident, IncidentId};

/// The version of the JSON's shape.
const SCHEMA_VERSION: u32 = 1;

/// Which of its two versions the evidence of a rollback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Written while the incident was open. It may never be replaced (the process ends, a rollback
    /// fails for good), so what it says of the present it says as of then; `None` where an earlier
    /// version of Backstop recorded no time.
    First { at: Option<DateTime<Utc>> },
    /// Written once the incident was closed: nothing changes after that.
    Complete,
}

impl Version {
    /// The version that is written at `now`.
    #[must_use]
    pub fn written(complete: bool, now: DateTime<Utc>) -> Self {
        if complete { Self::Complete } else { Self::First { at: Some(now) } }
    }
}

/// The JSON document. Listings read those of older versions too: a new member needs a default.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    schema_version: u32,
    complete: bool,
    /// When a first version was written: its incident is as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written_at: Option<DateTime<Utc>>,
    /// What the rollback began for; evidence of earlier versions has only the incident's opening.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    incident: Incident,
    files: Vec<EvidenceFile>,
}

impl Document {
    fn version(&self) -> Version {
        if self.complete { Version::Complete } else { Version::First { at: self.written_at } }
    }

    pub(super) fn summary(&self, name: &str) -> EvidenceSummary {
        let incident = &self.incident;
        EvidenceSummary {
            name: name.to_owned(),
            incident: incident.id.to_string(),
            rollout: incident.rollout.to_string(),
            executed_at: incident.rollback_started_at.unwrap_or(incident.opened_at),
            reason: incident.cause().words,
            state: incident.phase.name().to_owned(),
            complete: self.complete,
            written_at: self.written_at,
            verdict: incident.verification.as_ref().map(|v| v.verdict.as_str().to_owned()),
        }
    }
}

/// What the evidence says must not depend on the evidence: an incident that knows of its own first
/// files would render otherwise on a second try.
fn without_evidence(incident: &Incident) -> Incident {
    Incident { evidence: Vec::new(), evidence_complete: false, ..incident.clone() }
}

pub(super) fn render_json(incident: &Incident, version: Version, files: &[EvidenceFile]) -> String {
    let written_at = if let Version::First { at } = version { at } else { None };
    let incident = without_evidence(incident);
    let document = Document {
        schema_version: SCHEMA_VERSION,
        complete: version == Version::Complete,
        written_at,
        cause: Some(incident.cause()),
        incident,
        files: files.to_vec(),
    };
    match serde_json::to_string_pretty(&document) {
        Ok(text) => text + "\n",
        // Texts, numbers and times always encode; should that ever change, the text file still has it all.
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    }
}

/// The text that goes with a JSON document; `None` where it is none.
pub(super) fn text_of_json(json: &[u8]) -> Option<String> {
    let document: Document = serde_json::from_slice(json).ok()?;
    Some(render_text(&document.incident, document.version(), &document.files))
}

/// The incident that a JSON document says it is about.
pub(super) fn owner(json: &[u8]) -> Option<IncidentId> {
    let document: Document = serde_json::from_slice(json).ok()?;
    Some(document.incident.id)
}
