//! From an answer to a verdict. A pure function: the same answer, question and stage give the same verdict
//! a year later, from the evidence.

mod growth;
mod range;
mod single;
mod words;

use super::freshness::too_old;
use super::{Answer, ApprovalAnswer, StageSpan};
use crate::incident::{Criterion, GateReason, GateVerdict, Judgement, Question};

pub use range::{judge_range, judged_growth};

/// A verdict with its reason, of a criterion that need not be named.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub verdict: GateVerdict,
    pub reason: GateReason,
    /// The last value, in the question's unit.
    pub value: Option<f64>,
    /// What was seen, for people: half a sentence without a full stop.
    pub detail: String,
}

impl Finding {
    fn unknown(reason: GateReason, detail: impl Into<String>) -> Self {
        Self { verdict: GateVerdict::Unknown, reason, value: None, detail: detail.into() }
    }
}

/// What an answer says of a criterion, at a time of a stage.
#[must_use]
pub fn judge_answer(answer: &Answer, criterion: &Criterion, span: &StageSpan) -> Judgement {
    let finding = match (&criterion.question, answer) {
        (Question::Query(query), Answer::Range(answer)) => judge_range(answer, query, span),
        (Question::Http(check), Answer::Http(answer)) => single::http(answer, check, span),
        (Question::Logs(check), Answer::Logs(answer)) => single::logs(answer, check, span),
        (Question::Command(_), Answer::Command(answer)) => single::command(answer, span),
        (Question::Approval, Answer::Approval(answer)) => approval(answer),
        (
            Question::Query(_)
            | Question::Http(_)
            | Question::Logs(_)
            | Question::Command(_)
            | Question::Approval,
            _,
        ) => Finding::unknown(GateReason::NoAnswer, "the answer is to a question of another kind"),
    };
    // What failed long ago is not known to be better; what passed then is not known to be as good.
    let old = too_old(answer, criterion, span).filter(|_| finding.verdict == GateVerdict::Pass);
    let finding = old.map_or(finding, |words| Finding::unknown(GateReason::AskedTooLongAgo, words));
    let Finding { verdict, reason, value, detail } = finding;
    Judgement { criterion: criterion.name.clone(), verdict, reason, value, detail, judged_at: span.now }
}

fn approval(answer: &ApprovalAnswer) -> Finding {
    match &answer.approved_by {
        Some(who) => Finding {
            verdict: GateVerdict::Pass,
            reason: GateReason::Approved,
            value: None,
            detail: format!("{who} approved it"),
        },
        None => Finding::unknown(GateReason::NotApproved, "no person has approved it yet"),
    }
}

#[cfg(test)]
mod tests;
