//! What was done and seen: steps, attempts, read-backs, checks. Stored as they happened.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Observation, Share, Step};

/// How a step, or one attempt at it, came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Acknowledged, and read back as wanted.
    Done,
    /// Acknowledged, and not read back: there is nowhere to read, or reading failed.
    DoneUnread,
    /// Acknowledged, but the read-back says otherwise: not believed.
    NotEffective,
    Failed,
    /// Sent, and no answer came: it may have been applied.
    Unknown,
    /// Not sent: what it depended on held no longer.
    NotNow,
}

impl StepOutcome {
    /// Whether the rollback may go on to verification.
    #[must_use]
    pub fn is_done(self) -> bool {
        match self {
            Self::Done | Self::DoneUnread => true,
            Self::NotEffective | Self::Failed | Self::Unknown | Self::NotNow => false,
        }
    }
}

/// What an outside system answered, free of secrets, cut to a bounded length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status, if an answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The body, or the error in words.
    pub text: String,
}

/// One request of a step, with its answer and what was read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When the request was sent.
    pub started_at: DateTime<Utc>,
    /// When its answer, or the end of waiting for it, came.
    pub ended_at: DateTime<Utc>,
    /// What was asked, such as `POST http://…/rollout {"feature":…}`.
    pub request: String,
    pub answer: Answer,
    /// What was read back afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_back: Option<Share>,
    /// All that was read back, where that is more than the share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observation>,
    /// Whether there is a place to read it back, and reading failed; the answer's text says why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_failed: bool,
    pub outcome: StepOutcome,
}

/// A step with all its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    pub step: Step,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub attempts: Vec<Attempt>,
    pub outcome: StepOutcome,
    /// The share just before the first request, if it could be read within a moment: somebody may
    /// have changed it since the reading that the decision rested on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_before: Option<Share>,
    /// When the rollback attempt that it belongs to was decided on, filled in as the step is folded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
}

/// A step begins within the half second that a commit may take and the moment that reading the share
/// may take. One that began later was begun before by a process that ended: nobody recorded what that
/// one had sent.
const BEGUN_AGAIN_AFTER: TimeDelta = TimeDelta::milliseconds(1_500);

impl StepRecord {
    /// Of a step that was decided and is not the thing to do any more: nothing was sent.
    #[must_use]
    pub fn not_begun(step: Step, now: DateTime<Utc>, share_before: Option<Share>) -> Self {
        let (attempts, outcome, decided_at) = (Vec::new(), StepOutcome::NotNow, None);
        Self { step, started_at: now, ended_at: now, attempts, outcome, share_before, decided_at }
    }

    /// How long after its decision it began, where that is so late that an earlier process may have
    /// begun it before.
    #[must_use]
    pub fn begun_late_by(&self) -> Option<TimeDelta> {
        let late = self.started_at - self.decided_at?;
        (late > BEGUN_AGAIN_AFTER).then_some(late)
    }
}

/// What a verification looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// The canary's share read from the traffic system is 0 %.
    TrafficShare,
    /// In a cluster: the stable version has its replicas, and they get requests.
    StablePods,
    /// healthz `.version` equals the stable version.
    StableVersion,
    /// Every critical or warning expression of the incident is below its threshold.
    AlertExpression,
    /// No request reaches the canary, by its own counter.
    CanaryRequests,
    /// The application's metrics can be read.
    Metrics,
}

impl CheckName {
    /// The text used in JSON, logs and evidence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrafficShare => "traffic_share",
            Self::StablePods => "stable_pods",
            Self::StableVersion => "stable_version",
            Self::AlertExpression => "alert_expression",
            Self::CanaryRequests => "canary_requests",
            Self::Metrics => "metrics",
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    Pass,
    Fail,
    /// Could not be read, or no data: never counted as healthy.
    Unknown,
    /// No source is configured: left out, and named.
    NotConfigured,
    /// What it is about is gone, and nothing measures it any more: left out, and never counted as healthy.
    Gone,
}

impl CheckOutcome {
    /// The text used in JSON, logs and evidence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::NotConfigured => "not_configured",
            Self::Gone => "gone",
        }
    }
}

/// What one check of a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: CheckName,
    pub outcome: CheckOutcome,
    /// What was seen, in words and numbers.
    pub detail: String,
}

/// The verdict of a verification (design, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that is configured was read and is right.
    Verified,
    /// Something read back is wrong.
    NotVerified,
    /// What could be read is right; something could not be read.
    Inconclusive,
}

impl Verdict {
    /// The text used in JSON, logs, metrics and evidence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotVerified => "not_verified",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The checks of a verification as they stood when the verdict was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub verdict: Verdict,
    pub checks: Vec<Check>,
}

impl Verification {
    /// Whether the traffic was read back as off the canary: the share itself or, where the share
    /// can't be read, the stable version answering.
    #[must_use]
    pub fn traffic_read_back_off(&self) -> bool {
        let outcome = |name| self.checks.iter().find(|check| check.name == name).map(|check| check.outcome);
        match outcome(CheckName::TrafficShare) {
            Some(CheckOutcome::Pass) => true,
            Some(CheckOutcome::NotConfigured) | None => {
                outcome(CheckName::StableVersion) == Some(CheckOutcome::Pass)
            }
            Some(CheckOutcome::Fail | CheckOutcome::Unknown | CheckOutcome::Gone) => false,
        }
    }
}

/// The SHA-256 of these bytes, in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes stored beside the events, found by their SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    pub bytes: u64,
}

/// Which of the two metrics snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotPoint {
    Before,
    /// As the incident closed.
    After,
}

impl SnapshotPoint {
    /// The text used in file names and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// One evidence file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFile {
    /// Name inside the evidence directory.
    pub name: String,
    /// SHA-256 in lower-case hex.
    pub sha256: String,
    /// The directory that it lies in; none where that was not recorded (the configured one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
}

impl EvidenceFile {
    /// A file in the directory that is being written.
    #[must_use]
    pub fn new(name: String, sha256: String) -> Self {
        Self { name, sha256, directory: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verification(share: CheckOutcome, version: CheckOutcome) -> Verification {
        let at = DateTime::UNIX_EPOCH;
        let check = |name, outcome| Check { name, outcome, detail: String::new() };
        let checks = vec![check(CheckName::TrafficShare, share), check(CheckName::StableVersion, version)];
        Verification { started_at: at, ended_at: at, verdict: Verdict::Inconclusive, checks }
    }

    #[test]
    fn an_answer_in_words_has_its_status_whatever_its_body() {
        let words = |status, text: &str| Answer { status, text: text.to_owned() }.words();
        assert_eq!(words(Some(503), ""), "status 503");
        assert_eq!(words(Some(503), " \n"), "status 503");
        assert_eq!(words(Some(403), "{\"error\":\"no\"}"), "status 403: {\"error\":\"no\"}");
        assert_eq!(words(None, "no route to host"), "no route to host");
        assert_eq!(words(None, ""), "no answer");
    }

    #[test]
    fn traffic_is_read_back_by_the_share_and_by_the_version_only_where_no_share_is_configured() {
        use CheckOutcome::{Fail, NotConfigured, Pass, Unknown};
        for (share, version, off) in [
            (Pass, Pass, true),
            (Pass, Unknown, true),
            (Fail, Pass, false),
            (Unknown, Pass, false),
            (NotConfigured, Pass, true),
            (NotConfigured, Unknown, false),
            (NotConfigured, NotConfigured, false),
        ] {
            assert_eq!(verification(share, version).traffic_read_back_off(), off, "{share:?} {version:?}");
        }
    }
}
