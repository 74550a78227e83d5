//! Plans, and what their stages can't see.

use super::*;
use crate::incident::{Bound, Criterion, CriterionName, OnFail, Question, RangeQuery, Unit};
use crate::ramp::StagedCriterion;
use crate::ramp::detection_floor::Statistic;

fn staged(name: &str, stages: &[u8], statistic: Option<Statistic>) -> StagedCriterion {
    let question = Question::Query(RangeQuery {
        expression: "a".to_owned(),
        bound: Bound::Below(0.01),
        unit: Unit::Ratio,
        window_seconds: 300,
        since_stage_began: false,
        samples: Some("requests".to_owned()),
        min_samples: 300,
    });
    let criterion = Criterion {
        name: CriterionName::new(name),
        title: format!("{name} < 1 %"),
        on_fail: OnFail::Hold,
        is_advisory: false,
        question,
    };
    let stages = stages.iter().copied().map(Share).collect();
    StagedCriterion { criterion, stages, metric_from: None, needs: None, statistic }
}

fn offer() -> RampOffer {
    let errors = staged("errors", &[1, 5, 25, 50, 100], Some(Statistic::Ratio { threshold: 0.01 }));
    let all = vec![errors, staged("lag", &[5], None)];
    RampOffer {
        stages: [1, 5, 25, 50, 100].map(Share).to_vec(),
        stage_duration_seconds: 900,
        last_stage_duration_seconds: 1_800,
        judge_interval_seconds: 15,
        approval: BTreeSet::from([Share(25)]),
        max_hold_seconds: 3_600,
        remind_every_seconds: 900,
        watch_after_seconds: 86_400,
        stable_down: false,
        criteria: Criteria { all, left_out: Vec::new() },
        questions: StartQuestions::default(),
    }
}

fn plan(changes: &PlanChanges) -> RampPlan {
    offer().plan(Revision::new("v1.4.0"), changes).expect("a plain revision")
}

#[test]
fn a_plan_is_the_configured_stages_each_with_what_is_asked_in_it() {
    let plan = plan(&PlanChanges::default());
    let stages: Vec<_> = plan
        .stages
        .iter()
        .map(|stage| (stage.share.0, stage.duration_seconds, stage.needs_approval, stage.criteria.len()))
        .collect();
    let expected = [
        (1, 900, false, 1),
        (5, 900, false, 2),
        (25, 900, true, 1),
        (50, 900, false, 1),
        (100, 1_800, false, 2),
    ];
    assert_eq!(stages, expected);
}

#[test]
fn a_person_may_ask_for_other_stages_and_times_but_not_for_a_shorter_last_stage() {
    for (seconds, last) in [(60, 1_800), (3_600, 3_600)] {
        let stages = Some(vec![Share(10), Share(100)]);
        let plan = plan(&PlanChanges { stages, stage_duration_seconds: Some(seconds) });
        let found: Vec<_> = plan.stages.iter().map(|stage| (stage.share.0, stage.duration_seconds)).collect();
        assert_eq!(found, [(10, seconds), (100, last)]);
        assert_eq!(plan.stages[0].criteria.len(), 2, "what is passed over is asked all the same");
        let approved: Vec<_> = plan.stages.iter().map(|stage| stage.needs_approval).collect();
        assert_eq!(approved, [false, true], "and so is the approval at 25 %");
    }
}

#[test]
fn what_stages_cant_see_is_said_of_each_criterion_once() {
    let plan = plan(&PlanChanges::default());
    assert_eq!(offer().blind_spots(&plan, Counted::CanaryAlone), Vec::<String>::new());
    let found = offer().blind_spots(&plan, Counted::CanaryAndStable);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("errors < 1 %: at 1 % it can't see the canary"), "{found:?}");
}

#[test]
fn a_stage_that_sees_too_few_requests_at_todays_rate_is_named() {
    let plan = plan(&PlanChanges::default());
    // 300 requests in 900 s: 33 a second at 1 %.
    for (rate, shares) in [
        (40.0, &[][..]),
        (20.0, &["1 %"]),
        (1.0, &["1 %", "5 %", "25 %"]),
        (0.0, &["1 %", "5 %", "25 %", "50 %", "100 %"]),
    ] {
        let found = offer().too_short(&plan, Counted::CanaryAlone, rate);
        assert_eq!(found.len(), shares.len(), "{rate}: {found:?}");
        for (said, share) in found.iter().zip(shares) {
            assert!(said.starts_with(&format!("At {share} the stage needs 300 requests")), "{said}");
        }
    }
}
