use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::incident::{Event, RampEvent, RampPlan, RampStarted, StoredAs};
use crate::picture::draw;
use crate::pipeline::fixtures::name;
use crate::pipeline::ramp_evidence::fixtures::{constant, criterion, id, plan, start};
use crate::ramp::{Gate, judge_answer};

#[test]
fn every_question_to_prometheus_has_a_panel_in_every_stage_with_what_its_stage_says_of_it() {
    let ramp = ramp_of(plan());
    let span = StageSpan::new(start(), start() + TimeDelta::minutes(15), 900);
    let answer = |criterion: &Criterion| match &criterion.question {
        Question::Query(query) => Answer::Range(constant(query, &span)),
        _ => unreachable!("all ask Prometheus"),
    };
    let gate = |criterion: Criterion| {
        let answer = answer(&criterion);
        Gate { judgement: judge_answer(&answer, &criterion, &span), answer, criterion }
    };
    let round = Round { span: span.clone(), gates: vec![gate(criterion("p95"))], kept: Vec::new() };
    let others = not_asked(&ramp, &round);
    assert_eq!(others.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["lag"]);
    let others: Vec<_> = others.into_iter().map(|one| (one, answer(one))).collect();
    let drawn = picture(&ramp, &ramp.stages[0], &round, &others);
    let panels: Vec<_> =
        drawn.panels.iter().map(|panel| (panel.title.as_str(), panel.note.as_deref())).collect();
    let passes = Some("passes: 0.5 s < 1 s; 0 of 57 values outside");
    assert_eq!(panels, [("p95 < 1 s", passes), ("lag < 1 s", Some("not asked in this stage"))]);
    assert_eq!(drawn.title, "spark-trading-ramp-20261124-030000: stage 1 of 2");
    assert!(draw(&drawn).expect("drawn").starts_with(b"\x89PNG"));
}

#[test]
fn a_counter_is_drawn_by_what_it_is_judged_by() {
    let span = StageSpan::new(start(), start() + TimeDelta::seconds(60), 900);
    let Question::Query(query) = criterion("errors").question else { unreachable!("it is a query") };
    let query = RangeQuery { since_stage_began: true, window_seconds: 0, ..query };
    let first = start().timestamp();
    #[expect(clippy::cast_precision_loss, reason = "a time of this century")]
    let series = |values: &[f64]| Series {
        labels: BTreeMap::new(),
        points: (0..).map(|number: i64| (first + number * 15) as f64).zip(values.iter().copied()).collect(),
    };
    let series = vec![series(&[700.0, 700.0, 702.0, 702.0, 1.0])];
    let answer = RangeAnswer { series, ..RangeAnswer::default() };
    let grown = crate::ramp::judged_growth(&answer, &query, &span).expect("a counter");
    assert_eq!(grown.iter().map(|(_, value)| *value).collect::<Vec<_>>(), [0.0, 0.0, 2.0, 2.0, 3.0]);
    let not_a_counter = RangeQuery { since_stage_began: false, ..query };
    assert_eq!(crate::ramp::judged_growth(&answer, &not_a_counter, &span), None);
}

fn ramp_of(plan: RampPlan) -> Ramp {
    let started = RampStarted {
        plan: Arc::new(plan),
        plan_sha256: String::new(),
        actor: "ada".to_owned(),
        through: "command line".to_owned(),
        again_because: None,
        warnings: Vec::new(),
    };
    let mut state = crate::incident::RolloutState::default();
    let event = Event::Ramp { ramp: id(), happened: RampEvent::Started(started) };
    state.apply(&StoredAs { at: start(), rollout: name(), incident: None, event });
    Ramp::clone(&state.ramp.expect("a ramp"))
}
