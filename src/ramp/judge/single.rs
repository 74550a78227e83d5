//! Verdicts on what is asked for one answer: an API, a log, a program.

use chrono::{DateTime, Utc};

use super::Finding;
use crate::incident::{GateReason, GateVerdict, HttpCheck, LogCheck};
use crate::ramp::{CommandAnswer, HttpAnswer, LogAnswer, StageSpan};
use crate::text::kept;

pub(super) fn http(answer: &HttpAnswer, check: &HttpCheck, span: &StageSpan) -> Finding {
    if let Some(finding) = unusable(answer.asked_at, answer.error.as_deref(), span) {
        return finding;
    }
    let Some(status) = answer.status else {
        return Finding::unknown(GateReason::NoAnswer, "no answer came");
    };
    if status != check.status {
        let detail = format!("status {status}, and it has to be {}", check.status);
        return failed(GateReason::NotAsExpected, None, detail);
    }
    let Some(pointer) = &check.pointer else {
        return passed(None, format!("status {status}"));
    };
    let Some(found) = &answer.pointed else {
        return failed(GateReason::NotAsExpected, None, format!("status {status}, and nothing at {pointer}"));
    };
    let found_words = kept(&found.to_string());
    match &check.expected {
        Some(expected) if expected != found => {
            let expected = kept(&expected.to_string());
            let detail = format!("{pointer} is {found_words}, and has to be {expected}");
            failed(GateReason::NotAsExpected, found.as_f64(), detail)
        }
        Some(_) | None => passed(found.as_f64(), format!("{pointer} is {found_words}")),
    }
}

pub(super) fn logs(answer: &LogAnswer, check: &LogCheck, span: &StageSpan) -> Finding {
    if let Some(finding) = unusable(answer.asked_at, answer.error.as_deref(), span) {
        return finding;
    }
    let Some(lines) = answer.lines else {
        return Finding::unknown(GateReason::NoData, "nobody said how many lines match");
    };
    #[expect(clippy::cast_precision_loss, reason = "no log has so many lines")]
    let value = Some(lines as f64);
    if lines > check.at_most {
        let detail = format!("{lines} lines match, and at most {} may", check.at_most);
        failed(GateReason::TooManyLines, value, detail)
    } else {
        passed(value, format!("{lines} lines match, and {} may", check.at_most))
    }
}

pub(super) fn command(answer: &CommandAnswer, span: &StageSpan) -> Finding {
    // Unlike an API that can't be asked, a program that doesn't end says something of itself.
    if let Some(finding) = unusable(answer.asked_at, None, span) {
        return finding;
    }
    let said = answer.last_line.as_ref().map(|line| format!(": {}", kept(line))).unwrap_or_default();
    match (answer.exit_code, &answer.error) {
        (Some(0), None) => passed(None, format!("it ended with 0{said}")),
        (Some(1), None) => failed(GateReason::CommandFailed, None, format!("it ended with 1{said}")),
        (_, Some(error)) => Finding::unknown(GateReason::CommandUnclear, format!("{}{said}", kept(error))),
        (Some(code), None) => {
            let detail = format!("it ended with {code}, which says neither yes nor no{said}");
            Finding::unknown(GateReason::CommandUnclear, detail)
        }
        (None, None) => {
            Finding::unknown(GateReason::CommandUnclear, format!("it did not end by itself{said}"))
        }
    }
}

/// An answer of before the stage says nothing of it: the canary had another share then.
fn unusable(asked_at: DateTime<Utc>, error: Option<&str>, span: &StageSpan) -> Option<Finding> {
    if asked_at < span.began_at {
        return Some(Finding::unknown(GateReason::NotAsked, "it was last asked before the stage began"));
    }
    error.map(|error| Finding::unknown(GateReason::NoAnswer, kept(error)))
}

fn passed(value: Option<f64>, detail: String) -> Finding {
    Finding { verdict: GateVerdict::Pass, reason: GateReason::Within, value, detail }
}

fn failed(reason: GateReason, value: Option<f64>, detail: String) -> Finding {
    Finding { verdict: GateVerdict::Fail, reason, value, detail }
}
