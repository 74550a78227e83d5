//! Whether a ramp may start.

use super::scene::{Scene, plan, start_of};
use crate::decision::ramp::{RampRequest, RampStart};
use crate::decision::{Mode, Reading};
use crate::incident::{Alert, Revision, Severity, Share};

fn refused(prepare: impl FnOnce(&mut Scene, &mut RampStart)) -> String {
    let mut scene = Scene::at_rest();
    let mut start = start_of(plan());
    prepare(&mut scene, &mut start);
    scene.ask(RampRequest::Start(Box::new(start)));
    assert_eq!(scene.world.state.ramp.is_some(), scene.world.refusal.is_none());
    scene.refusal()
}

#[test]
fn a_ramp_starts_at_0_percent_of_a_quiet_rollout_and_sets_its_first_share() {
    let scene = Scene::started_with(plan());
    assert_eq!((scene.state(), scene.setting()), ("starting", Some(1)));
    assert_eq!(scene.world.notices(), ["ramp_started"]);
}

#[test]
fn a_ramp_is_refused_with_the_reason_and_the_remedy() {
    type Prepare = fn(&mut Scene, &mut RampStart);
    let cases: [(&str, Prepare); 11] = [
        ("share_not_zero", |scene, _| {
            scene.world.share(5);
        }),
        ("share_unread", |scene, _| scene.unread()),
        ("share_unread", |scene, _| scene.world.reading = Reading::NotConfigured),
        ("not_armed", |scene, _| scene.world.policy.mode = Mode::Shadow),
        ("alert_fires", |scene, _| {
            scene.world.critical("Errors");
        }),
        ("watchdog_silent", |scene, _| scene.world.watchdog_silent_seconds = 180),
        ("frozen", |scene, _| scene.world.frozen = Some("weekend, until Monday".to_owned())),
        ("unanswered", |_, start| start.unanswered = vec!["latency has no answer.".to_owned()]),
        ("other_revision", |scene, _| scene.world.policy.revision = Revision::new("v1.5.0")),
        ("not_confirmed", |_, start| start.to_be_confirmed = vec!["1 % shows nothing.".to_owned()]),
        ("", |_, start| {
            start.to_be_confirmed = vec!["1 % shows nothing.".to_owned()];
            start.is_confirmed = true;
        }),
    ];
    for (expected, prepare) in cases {
        assert_eq!(refused(prepare), expected);
    }
}

#[test]
fn an_alert_whose_severity_nobody_knows_refuses_a_start_and_one_that_is_to_be_ignored_does_not() {
    let refused = |severity: &str, mapped: Option<Severity>| {
        let mut scene = Scene::at_rest();
        let alert = Alert { mapped_severity: mapped, ..scene.world.alert("Errors", severity, 0) };
        scene.world.fire(&alert);
        scene.ask(RampRequest::Start(Box::new(start_of(plan()))));
        scene.world.refusal.as_ref().map(ToString::to_string)
    };
    let words = refused("page", None).expect("refused");
    assert!(words.contains("Errors (alertmanager.severity_map has no \"page\")"), "{words}");
    assert_eq!(refused("info", Some(Severity::Unknown)), None);
}

#[test]
fn a_rollout_has_one_ramp_at_a_time() {
    let mut scene = Scene::running();
    scene.ask(RampRequest::Start(Box::new(start_of(plan()))));
    assert_eq!(scene.refusal(), "already_running");
}

#[test]
fn a_ramp_does_not_take_the_place_of_one_whose_evidence_is_not_written() {
    let mut scene = Scene::running();
    scene.wait(60);
    scene.world.share(0);
    assert_eq!(scene.state(), "ended_outside");
    let again = || {
        let start = RampStart { again_because: Some("mended".to_owned()), ..start_of(plan()) };
        RampRequest::Start(Box::new(start))
    };
    scene.ask(again());
    assert_eq!(scene.refusal(), "evidence_unwritten");
    // The stage's, and then the record of the whole.
    scene.evidence_is_written();
    scene.evidence_is_written();
    scene.ask(again());
    assert_eq!(scene.refusal(), "");
}

#[test]
fn a_revision_that_was_rolled_back_is_ramped_again_only_with_a_reason() {
    let mut scene = Scene::at_rest();
    scene.world.share(25);
    scene.world.wait(60);
    scene.world.share(25);
    scene.world.critical("Errors");
    scene.world.finish();
    scene.world.wait(60);
    scene.world.resolve("Errors");
    scene.world.wait(3 * 86_400);
    scene.world.share(0);
    scene.ask(RampRequest::Start(Box::new(start_of(plan()))));
    assert_eq!(scene.refusal(), "rolled_back_before");
    let again = RampStart { again_because: Some("it was the database".to_owned()), ..start_of(plan()) };
    scene.ask(RampRequest::Start(Box::new(again)));
    assert_eq!((scene.refusal(), scene.ramp().share()), (String::new(), Share(1)));
}
