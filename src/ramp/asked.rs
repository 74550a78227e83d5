//! Who asks a criterion's question.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Answer, StageSpan, judge_answer};
use crate::incident::{Criterion, Judgement};

/// One question asked: its answer, and what of it is kept beside the answer. What it says follows from the answer
/// by [`judge_answer`], and nothing else: evidence is judged again by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub answer: Answer,
    /// The output of a program, the lines of a log.
    pub kept: Option<KeptFile>,
}

/// A file for a stage's evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Without a folder, such as `contract_spot_stage_25.txt`.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Asks the questions of one kind of system. Bounded in time and size; what goes wrong is in the answer.
#[async_trait]
pub trait Judge: Send + Sync + Debug {
    /// Asks what the criterion asks, as of the span's now.
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked;

    /// Asks, and says what the answer says.
    async fn judged(&self, criterion: &Criterion, span: &StageSpan) -> Judgement {
        judge_answer(&self.ask(criterion, span).await.answer, criterion, span)
    }
}

impl Asked {
    /// An answer beside which nothing is kept.
    #[must_use]
    pub fn bare(answer: Answer) -> Self {
        Self { answer, kept: None }
    }
}

/// Stands for a system that is not configured: each of its answers is that, and the criterion unknown.
#[derive(Debug, Clone)]
pub struct NobodyAnswers {
    /// What to do about it, in words.
    pub why: String,
}

#[async_trait]
impl Judge for NobodyAnswers {
    async fn ask(&self, criterion: &Criterion, span: &StageSpan) -> Asked {
        Asked::bare(Answer::failed(&criterion.question, self.why.clone(), span.now))
    }
}
