use super::*;
use crate::incident::fixtures::RampStory;
use crate::incident::{Bound, CriterionName, Promotion, RampEvent, Share};
use crate::ramp::fixtures;

const TITLE: &str = "API P95 < 200 ms";

/// A ramp whose first stage was passed, and the gates that it was left with.
fn told() -> (RampStory, GatesFile) {
    let mut story = RampStory::started(&[1, 100]);
    story.stage_begins();
    story.wait(900);
    story.passes();
    let gates = fixtures::gates(story.ramp().id.as_str(), (1, 1), TITLE, 0.1);
    (story, gates)
}

fn of_query(gates: &mut GatesFile, change: impl Fn(&mut crate::incident::RangeQuery)) {
    match &mut gates.gates[0].criterion.question {
        Question::Query(query) => change(query),
        other => panic!("{other:?}"),
    }
}

#[test]
fn gates_that_are_as_their_ramps_plan_has_them_depart_in_nothing() {
    let (story, gates) = told();
    assert_eq!(gates.departures_from(story.ramp()), Vec::<String>::new());
}

#[test]
fn whatever_a_gate_says_otherwise_than_the_frozen_plan_is_named_with_both() {
    type Change = fn(&mut GatesFile);
    let changes: [(Change, &str); 12] = [
        (|gates| gates.plan_sha256 = "cd".repeat(32), "its plan_sha256 is cdcd"),
        (
            |gates| gates.revision = crate::incident::Revision::new("v1\nok"),
            "its revision is v1\\nok, and the ramp's is v1.4.0",
        ),
        (|gates| gates.ramp = crate::incident::RampId::new("other"), "its ramp's id is other"),
        (|gates| gates.stage = 3, "it is of stage 3, and the plan has 2"),
        (|gates| gates.stage = 0, "it is of stage 0, and the plan has 2"),
        (|gates| gates.share = Share(2), "its share is 2 %, and the ramp's is 1 %"),
        (|gates| gates.span.duration_seconds = 60, "its duration_seconds is 60, and the ramp's is 900"),
        (
            |gates| of_query(gates, |query| query.expression = "vector(0)".to_owned()),
            "api-p95: its expression is vector(0), and the plan's is latency",
        ),
        (
            |gates| of_query(gates, |query| query.bound = Bound::Below(0.4)),
            "api-p95: its threshold is < 0.4, and the plan's is < 0.2",
        ),
        (
            |gates| of_query(gates, |query| query.unit = crate::incident::Unit::Ratio),
            "api-p95: its unit is ratio, and the plan's is seconds",
        ),
        (
            |gates| of_query(gates, |query| query.samples = Some("up".to_owned())),
            "api-p95: its samples is up, and the plan's is nothing",
        ),
        (
            |gates| of_query(gates, |query| query.window_seconds = 60),
            "api-p95: its window_seconds is 60, and the plan's is 300",
        ),
    ];
    for (change, expected) in changes {
        let (story, mut gates) = told();
        change(&mut gates);
        let found = gates.departures_from(story.ramp());
        assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
    }
}

#[test]
fn a_criterion_that_was_taken_away_or_put_in_is_named_unless_a_person_or_a_rollback_came_before_its_answer() {
    let (mut story, mut gates) = told();
    gates.gates[0].criterion.name = CriterionName::new("always-fine");
    let expected = ["always-fine is no criterion of its stage", "api-p95 is not among its gates"];
    assert_eq!(gates.departures_from(story.ramp()), expected);

    gates.gates.clear();
    assert_eq!(gates.departures_from(story.ramp()), expected[1..]);
    story.stage_begins();
    gates.stage = 2;
    gates.share = Share::ALL;
    assert_eq!(gates.departures_from(story.ramp()), Vec::<String>::new(), "it was not passed");
    let forced = Promotion {
        actor: "ada".to_owned(),
        is_full: false,
        words: Some("the probe is broken".to_owned()),
        in_spite_of: vec![crate::incident::HoldReason::CriterionUnknown],
        ..Promotion::default()
    };
    story.tell(RampEvent::Promoted(forced));
    story.tell(RampEvent::StagePassed { stage: 1, judgements: Vec::new() });
    assert_eq!(gates.departures_from(story.ramp()), Vec::<String>::new(), "a person overruled it");
}

/// With every character that could be taken for the end of a text, and numbers of every kind.
fn odd_plan() -> RampPlan {
    let mut plan = RampPlan::clone(&RampStory::started(&[1, 100]).ramp().plan);
    let odd = "a \"b\\\" { c } \\\\ \u{2028} ü\n\t d";
    for (stage, bound) in plan.stages.iter_mut().zip([0.1 + 0.2, 1e-300]) {
        stage.criteria[0].title = odd.to_owned();
        if let Question::Query(query) = &mut stage.criteria[0].question {
            (query.expression, query.bound) = (odd.to_owned(), Bound::Above(bound));
        }
    }
    plan
}

#[test]
fn a_plan_that_is_written_with_spaces_has_the_hash_that_it_was_frozen_with() {
    let plan = odd_plan();
    let sha256 = plan_sha256(&plan).expect("JSON");
    let record = serde_json::json!({ "ramp": { "plan": "PLAN", "plan_sha256": sha256 } }).to_string();
    let pretty = serde_json::to_string_pretty(&plan).expect("JSON");
    let record = record.replace("\"PLAN\"", &pretty);
    assert_eq!(changed_plan(&record), None);
    // Not a digit, not a space inside a text, not a member.
    for (was, is) in
        [("e-300", "e-301"), ("a \\\"b", "a\\\"b"), ("900", "901"), (",\n  \"stable_down\": false", "")]
    {
        let at = pretty.find(was).expect("part of it");
        let changed = format!("{}{is}{}", &pretty[..at], &pretty[at + was.len()..]);
        let why = changed_plan(&record.replace(&pretty, &changed)).expect("changed");
        assert!(why.contains(&format!("{sha256} is the one that the ramp was started with")), "{was}: {why}");
    }
    assert!(changed_plan("{\"ramp\": 1}").expect("none").starts_with("it is no record of a ramp"));
}
