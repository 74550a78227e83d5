//! What the API says of a ramp, where it could say something else than what is so.

use super::*;
use crate::incident::RampEvent;
use crate::incident::fixtures::RampStory;

fn view(story: &RampStory, latest: &[Judgement]) -> RampView {
    RampView::new(&RolloutName::new("spark-trading"), story.ramp(), latest, story.now)
}

#[test]
fn what_was_not_asked_yet_is_unknown_and_the_time_counts_from_when_the_share_was_read_back() {
    let mut story = RampStory::started(&[1, 25, 100]);
    let seen = view(&story, &[]);
    assert_eq!((seen.stage, seen.stages_total, seen.share_percent), (1, 3, 1));
    assert_eq!((seen.stage_began_at, seen.stage_ends_at, seen.stage_seconds_left), (None, None, None));
    assert_eq!(
        (seen.criteria[0].verdict, seen.criteria[0].reason),
        (GateVerdict::Unknown, GateReason::NotAsked)
    );
    story.wait(20);
    story.stage_begins();
    story.wait(60);
    assert_eq!(view(&story, &[]).stage_seconds_left, Some(840));
    story.tell(RampEvent::Paused { actor: "ada".to_owned(), words: None });
    story.wait(600);
    let seen = view(&story, &[]);
    assert_eq!((seen.stage_seconds_left, seen.stage_ends_at), (Some(840), None), "its clock stands still");
    story.tell(RampEvent::Resumed { actor: "ada".to_owned() });
    story.wait(10_000);
    assert_eq!(view(&story, &[]).stage_seconds_left, Some(0), "no time is left, and none is missing");
}

#[test]
fn the_value_of_the_last_asking_is_shown_and_an_older_one_never_covers_it() {
    let mut story = RampStory::started(&[1, 100]);
    story.stage_begins();
    story.judged(GateVerdict::Fail, "0.31 s, and has to be < 0.2 s");
    let stored = story.ramp().record().expect("a stage").judgements.values().next().expect("one").clone();
    let seen = |at: i64| {
        let latest = Judgement {
            value: Some(0.4),
            judged_at: stored.judged_at + chrono::TimeDelta::seconds(at),
            ..stored.clone()
        };
        view(&story, &[latest]).criteria.remove(0)
    };
    assert_eq!((seen(15).value, seen(-15).value), (Some(0.4), Some(0.31)));
    let shown = seen(15);
    assert_eq!(
        (shown.sign.as_deref(), shown.threshold, shown.unit),
        (Some("<"), Some(0.2), Some(Unit::Seconds))
    );
}

#[test]
fn what_ended_has_no_time_left_and_names_its_incident() {
    let mut story = RampStory::started(&[1, 25, 100]);
    story.stage_begins();
    story.passes();
    story.stage_begins();
    let incident = crate::incident::IncidentId::new("spark-trading-20261104-030000-0001");
    story.tell(RampEvent::RolledBack { incident: incident.clone() });
    let seen = view(&story, &[]);
    assert_eq!((seen.is_running, seen.incident.as_deref()), (false, Some(incident.as_str())));
    assert_eq!((seen.stage_seconds_left, seen.stage_ends_at), (None, None));
    let passed: Vec<_> = seen.stages.iter().map(|stage| stage.passed_at.is_some()).collect();
    assert_eq!(passed, [true, false, false]);
}
