//! The picture of a stage: a panel for each of the plan's questions to Prometheus, from its range answers.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::{Criterion, GateVerdict, Judgement, Question, Ramp, RangeQuery, StageRecord};
use crate::picture::{Line, MAX_PANELS, MAX_POINTS, Panel, Picture};
use crate::ramp::{Answer, RangeAnswer, Round, Series, StageSpan, judged_growth};

/// Whether there is anything to draw: a plan may ask Prometheus nothing.
pub(super) fn are_wanted(ramp: &Ramp) -> bool {
    ramp.plan.criteria().any(is_query)
}

fn is_query(criterion: &Criterion) -> bool {
    matches!(criterion.question, Question::Query(_))
}

/// The plan's questions to Prometheus that the round has no answer to: those of other stages. Who compares two
/// stages wants the same panels in both.
pub(super) fn not_asked<'a>(ramp: &'a Ramp, round: &Round) -> Vec<&'a Criterion> {
    let known: BTreeSet<_> = round.gates.iter().map(|gate| &gate.criterion.name).collect();
    let others = ramp.plan.criteria().filter(|one| is_query(one) && !known.contains(&one.name));
    others.take(MAX_PANELS).collect()
}

/// What is to be drawn of a stage: its gates first, then what was asked for the picture alone.
pub(super) fn picture(
    ramp: &Ramp,
    record: &StageRecord,
    round: &Round,
    others: &[(&Criterion, Answer)],
) -> Picture {
    let gates = round.gates.iter();
    let judged = gates.map(|gate| (&gate.criterion, &gate.answer, note(&gate.judgement)));
    let others =
        others.iter().map(|(criterion, answer)| (*criterion, answer, "not asked in this stage".to_owned()));
    let span = &round.span;
    let panels = judged.chain(others).filter_map(|(criterion, answer, note)| {
        panel(criterion, answer, note, span).map(|panel| (panel, step_of(criterion, span)))
    });
    let (panels, steps): (Vec<_>, Vec<_>) = panels.take(MAX_PANELS).unzip();
    let (stage, in_all) = (record.stage + 1, ramp.plan.stages.len());
    Picture {
        title: format!("{}: stage {stage} of {in_all}", crate::text::shown(ramp.id.as_str())),
        subtitle: format!("{} at {}", crate::text::shown(ramp.plan.revision.as_str()), record.share),
        from: span.began_at,
        to: span.now,
        // The longest, or every point of that answer would look like a gap.
        step: steps.into_iter().max().unwrap_or(TimeDelta::seconds(i64::from(span.step_seconds))),
        panels,
    }
}

fn step_of(criterion: &Criterion, span: &StageSpan) -> TimeDelta {
    let grid = match &criterion.question {
        Question::Query(query) => span.grid(query),
        Question::Http(_) | Question::Logs(_) | Question::Command(_) | Question::Approval => None,
    };
    TimeDelta::seconds(grid.map_or(i64::from(span.step_seconds), |grid| grid.step))
}

/// `None`: it has no values over time.
fn panel(criterion: &Criterion, answer: &Answer, note: String, span: &StageSpan) -> Option<Panel> {
    let (Question::Query(query), Answer::Range(answer)) = (&criterion.question, answer) else { return None };
    let note = match &answer.error {
        Some(error) => format!("{note} · {}", crate::text::shown(error)),
        None => note,
    };
    Some(Panel {
        title: crate::text::shown(&criterion.title),
        unit: query.unit,
        series: lines(answer, query, span),
        threshold: Some(query.bound),
        note: Some(note),
    })
}

/// A counter is drawn as it is judged, by its growth since the stage began: its own value has no threshold.
fn lines(answer: &RangeAnswer, query: &RangeQuery, span: &StageSpan) -> Vec<Line> {
    if let Some(grown) = judged_growth(answer, query, span) {
        let points =
            grown.into_iter().filter_map(|(at, value)| Some((DateTime::from_timestamp(at, 0)?, value)));
        let line =
            Line { name: "since the stage began".to_owned(), points: points.take(MAX_POINTS).collect() };
        return if line.points.is_empty() { Vec::new() } else { vec![line] };
    }
    answer.series.iter().map(line).collect()
}

fn line(series: &Series) -> Line {
    let labels = series.labels.iter().map(|(name, value)| format!("{name}={value}"));
    let name = crate::text::shown(&labels.collect::<Vec<_>>().join(","));
    let points = series.points.iter().filter_map(|&(at, value)| Some((time(at)?, value)));
    Line { name, points: points.take(MAX_POINTS).collect() }
}

/// Prometheus writes seconds with milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "it saturates, and is no time then")]
fn time(unix_seconds: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis((unix_seconds * 1_000.0).round() as i64)
}

fn note(judgement: &Judgement) -> String {
    let verdict = match judgement.verdict {
        GateVerdict::Pass => "passes",
        GateVerdict::Fail => "FAILS",
        GateVerdict::Unknown => "can't be judged",
    };
    format!("{verdict}: {}", crate::text::shown(&judgement.detail))
}

#[cfg(test)]
mod tests;
