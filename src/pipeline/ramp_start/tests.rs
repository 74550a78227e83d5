//! What a person is told, and has to confirm, by what Prometheus knows.

use std::collections::BTreeSet;

use super::*;
use crate::incident::{Bound, CriterionName, OnFail, RangeQuery, Share, Unit};
use crate::ramp::detection_floor::Statistic;
use crate::ramp::{Criteria, LeftOut, Needs, StartQuestions};

fn of_spark(name: &str) -> Metric {
    Metric { whose: "job=\"spark\"".to_owned(), name: name.to_owned() }
}

fn offer() -> RampOffer {
    let query = RangeQuery {
        expression: "(errors or 0 * requests) / requests".to_owned(),
        bound: Bound::Below(0.01),
        unit: Unit::Ratio,
        window_seconds: 300,
        since_stage_began: false,
        samples: Some("requests".to_owned()),
        min_samples: 300,
    };
    let metric = |name: &str| Needs::Metric(of_spark(name));
    let errors = Needs::Any(vec![metric("errors"), metric("requests")]);
    let one = StagedCriterion {
        criterion: Criterion {
            name: CriterionName::new("server-errors"),
            title: "5xx errors < 1 %".to_owned(),
            on_fail: OnFail::Hold,
            is_advisory: false,
            question: Question::Query(query),
        },
        stages: vec![Share(1), Share(100)],
        metric_from: None,
        needs: Some(Needs::All(vec![errors, metric("requests")])),
        statistic: Some(Statistic::Ratio { threshold: 0.01 }),
    };
    let off = LeftOut {
        name: CriterionName::new("memory"),
        title: "Memory < 80 %".to_owned(),
        why: "it is turned off (enabled = false)".to_owned(),
    };
    RampOffer {
        stages: vec![Share(1), Share(100)],
        stage_duration_seconds: 900,
        last_stage_duration_seconds: 1_800,
        judge_interval_seconds: 15,
        approval: BTreeSet::new(),
        max_hold_seconds: 3_600,
        remind_every_seconds: 900,
        watch_after_seconds: 86_400,
        stable_down: false,
        criteria: Criteria { all: vec![one], left_out: vec![off] },
        questions: StartQuestions::default(),
    }
}

fn started(known: &Known) -> RampStart {
    let offer = offer();
    let mut start = RampStart {
        plan: Arc::new(
            offer.plan(Revision::new("v1.4.0"), &PlanChanges::default()).expect("a plain revision"),
        ),
        plan_sha256: String::new(),
        through: "command line".to_owned(),
        again_because: None,
        is_confirmed: false,
        unanswered: Vec::new(),
        to_be_confirmed: Vec::new(),
        warnings: Vec::new(),
    };
    judge(&offer, known, &mut start);
    start
}

fn known(metrics: &[&str]) -> Known {
    let metrics = metrics.iter().map(|name| of_spark(name)).collect();
    Known { metrics, counted: Some(Counted::CanaryAlone), requests_per_second: Some(100.0) }
}

#[test]
fn with_every_metric_there_nothing_is_in_the_way_and_only_what_is_off_is_said() {
    let start = started(&known(&["errors", "requests"]));
    assert_eq!((start.unanswered.len(), start.to_be_confirmed.len()), (0, 0));
    assert_eq!(start.warnings, ["Not judged, since they are off: Memory < 80 %."]);
}

#[test]
fn a_criterion_whose_metric_is_missing_is_named_with_what_switches_it_off() {
    let start = started(&known(&["errors"]));
    assert_eq!(
        start.unanswered,
        [
            "5xx errors < 1 %: Prometheus has no requests{job=\"spark\"} (or [[rollouts.ramp.criteria]] name = \"server-errors\", enabled = false)."
        ]
    );
}

#[test]
fn a_counter_that_may_be_born_with_its_first_error_is_a_warning() {
    let start = started(&known(&["requests"]));
    assert_eq!(start.unanswered, Vec::<String>::new());
    assert!(
        start.warnings[0].contains("Prometheus has no errors{job=\"spark\"}. That is as it should be"),
        "{start:?}"
    );
}

#[test]
fn a_canary_that_is_not_told_apart_has_to_be_confirmed_and_one_of_which_that_is_not_known_does_not() {
    let mixed = Known { counted: Some(Counted::CanaryAndStable), ..known(&["errors", "requests"]) };
    assert_eq!(started(&mixed).to_be_confirmed.len(), 1);
    let unasked = Known { counted: None, ..known(&["errors", "requests"]) };
    assert_eq!(started(&unasked).to_be_confirmed.len(), 0);
}

#[test]
fn a_stage_with_too_few_requests_is_a_warning() {
    let start = started(&Known { requests_per_second: Some(1.0), ..known(&["errors", "requests"]) });
    assert!(start.warnings.iter().any(|said| said.starts_with("At 1 % the stage needs 300")), "{start:?}");
}
