//! What a stage was left with: each question, its answer and what that said. Part of the stage's evidence, and
//! judged again from it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{Answer, StageSpan, judge_answer};
use crate::incident::{Criterion, Judgement, RampId, Revision, Share};

/// The version of the shape; one that is newer is refused, since its answers may mean something else.
const VERSION: u32 = 1;

/// The longest file that is read. A stage of an hour has 240 points for each of some ten questions, each point
/// thirty bytes; a hold over a weekend has 5,000.
pub const MAX_GATES_FILE_BYTES: u64 = 16 << 20;

/// The gates of one stage, as `gates_stage_<percent>.json` has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatesFile {
    pub version: u32,
    pub ramp: RampId,
    pub revision: Revision,
    /// Of the plan that the ramp was started with.
    pub plan_sha256: String,
    /// From 1.
    pub stage: usize,
    pub share: Share,
    pub span: StageSpan,
    pub gates: Vec<Gate>,
}

/// One question of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub criterion: Criterion,
    pub answer: Answer,
    pub judgement: Judgement,
}

impl Gate {
    /// How long after the time that it is judged as of its answer was asked for; `None`: not after. An API and a
    /// program can only say how things are, and a process that starts again asks them after their stage's end.
    #[must_use]
    pub fn asked_late_by(&self, span: &StageSpan) -> Option<TimeDelta> {
        let late = self.answer.asked_at()? - span.now;
        (late > TimeDelta::zero()).then_some(late)
    }
}

/// A gate that was judged again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed<'a> {
    pub criterion: &'a Criterion,
    pub recorded: &'a Judgement,
    pub again: Judgement,
    /// See [`Gate::asked_late_by`].
    pub asked_late_by: Option<TimeDelta>,
}

/// Why a file's gates can't be judged again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatesFileError {
    /// Another file of the evidence, or one that was changed.
    #[error("it is no record of a stage's gates ({0}): name a gates_stage_<percent>.json")]
    NotGates(String),
    #[error("it has version {0}, and this program knows {VERSION}: use the newer program that wrote it")]
    Newer(u32),
}

impl GatesFile {
    /// The record of a stage's gates.
    #[must_use]
    pub fn new(
        (ramp, revision, plan_sha256): (RampId, Revision, String),
        (stage, share): (usize, Share),
        span: StageSpan,
        gates: Vec<Gate>,
    ) -> Self {
        Self { version: VERSION, ramp, revision, plan_sha256, stage, share, span, gates }
    }

    /// The record in these bytes.
    ///
    /// # Errors
    /// When it is none, or one of a newer program.
    pub fn read(bytes: &[u8]) -> Result<Self, GatesFileError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let not_gates = |error: serde_json::Error| GatesFileError::NotGates(error.to_string());
        let Versioned { version } = serde_json::from_slice(bytes).map_err(not_gates)?;
        if version > VERSION {
            return Err(GatesFileError::Newer(version));
        }
        serde_json::from_slice(bytes).map_err(not_gates)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When a member can't be written as JSON.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Every gate judged again, by its recorded question, answer and time alone.
    pub fn replay(&self) -> impl Iterator<Item = Replayed<'_>> {
        self.gates.iter().map(|gate| Replayed {
            criterion: &gate.criterion,
            recorded: &gate.judgement,
            again: judge_answer(&gate.answer, &gate.criterion, &self.span),
            asked_late_by: gate.asked_late_by(&self.span),
        })
    }
}

impl Replayed<'_> {
    /// Whether the same verdict follows, for the same reason.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let Judgement { criterion, verdict, reason, .. } = &self.again;
        (criterion, verdict, reason)
            == (&self.recorded.criterion, &self.recorded.verdict, &self.recorded.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::GateVerdict;
    use crate::ramp::fixtures;

    fn file(value: f64) -> GatesFile {
        fixtures::gates("r-ramp-1", (2, 5), "API P95 < 200 ms", value)
    }

    #[test]
    fn a_stages_gates_come_back_from_their_file_and_are_judged_as_they_were() {
        for (value, verdict) in
            [(0.1, GateVerdict::Pass), (0.2, GateVerdict::Fail), (f64::NAN, GateVerdict::Unknown)]
        {
            let bytes = file(value).bytes().expect("JSON");
            let read = GatesFile::read(&bytes).expect("gates");
            assert_eq!(read.bytes().expect("JSON"), bytes);
            let replayed: Vec<_> = read.replay().collect();
            assert_eq!(replayed.len(), 1);
            assert!(replayed[0].agrees(), "{replayed:?}");
            assert_eq!(replayed[0].again.verdict, verdict, "{value}");
        }
    }

    #[test]
    fn a_verdict_an_answer_or_a_threshold_that_was_changed_later_no_longer_agrees() {
        let changes: [(&str, &str); 3] = [
            ("\"verdict\":\"fail\"", "\"verdict\":\"pass\""),
            ("\"0.3\"", "\"0.1\""),
            ("\"below\":0.2", "\"below\":0.4"),
        ];
        let text = String::from_utf8(file(0.3).bytes().expect("JSON")).expect("text");
        for (was, is) in changes {
            assert!(text.contains(was), "{was}: {text}");
            let changed = GatesFile::read(text.replace(was, is).as_bytes()).expect("gates");
            assert!(changed.replay().all(|gate| !gate.agrees()), "{was} -> {is}");
        }
    }

    #[test]
    fn what_is_no_record_of_gates_is_refused_with_what_to_name() {
        for bytes in [&b"Rollback Executed:"[..], b"", b"{}", br#"{"version":1}"#] {
            let error = GatesFile::read(bytes).expect_err("no gates");
            assert!(error.to_string().contains("gates_stage_"), "{error}");
        }
        let newer = GatesFile::read(br#"{"version":2,"of":"the future"}"#);
        assert_eq!(newer, Err(GatesFileError::Newer(2)));
    }
}
