//! A rollback in a cluster, from decision to decision: stable up, traffic off, canary down, watched.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Command, Input, PlanPolicy, Reading};
use crate::incident::{
    CheckOutcome, Event, LastChange, NoticeKind, Observation, Pods, Reason, Revision, RolloutState, Share,
    Step, StepOutcome, Verdict, Workloads,
};

/// The canary's share, the stable version's wanted and ready pods, the canary's wanted ones.
pub(super) fn seen(share: u8, wanted: u16, ready: u16, canary: u16) -> Observation {
    let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
    let workloads = Some(Workloads { stable: pods(wanted, ready), canary: pods(canary, canary) });
    Observation { workloads, ..Observation::of_share(Share(share)) }
}

pub(super) fn in_a_cluster() -> World {
    let mut world = World::with_people();
    world.policy.plan = PlanPolicy::Workloads {
        replicas: 3,
        critical_after_seconds: 30,
        warning_after_seconds: 300,
        drain_seconds: 5,
    };
    world
}

impl World {
    pub(super) fn observe(&mut self, observation: Observation) {
        self.reading = Reading::At { at: self.now, share: observation.whole_share() };
        self.observed = Some((self.now, observation));
    }

    /// What the target looks like now, as the rollback's own look finds it.
    pub(super) fn look(&mut self, observation: Observation) -> Option<Reason> {
        self.observe(observation);
        let (incident, attempt) = (self.id(), self.incident().attempt());
        self.send(&Input::Looked { incident, attempt, error: None })
    }

    pub(super) fn under_way(&self) -> Option<Step> {
        self.due().into_iter().find_map(|command| match command {
            Command::RunStep { step, .. } => Some(step),
            _ => None,
        })
    }

    /// The step under way is done, and this is what was seen after it.
    pub(super) fn done(&mut self, observation: Observation) {
        self.observe(observation);
        self.step(StepOutcome::Done);
    }
}

#[test]
fn a_critical_raises_stable_shifts_the_traffic_drains_and_takes_the_canary_down() {
    let mut world = in_a_cluster();
    world.observe(seen(25, 1, 1, 3));
    world.critical("Errors");
    assert_eq!(world.under_way(), Some(Step::StableUp { replicas: 3 }), "with the decision itself");
    world.done(seen(25, 3, 1, 3));
    assert_eq!(world.under_way(), None);
    assert_eq!(world.incident().progress.waiting.map(|pause| pause.as_str()), Some("stable_coming_up"));
    world.wait(2);
    world.look(seen(25, 3, 3, 3));
    assert_eq!(world.under_way(), Some(Step::Shift { share: Share::ZERO, ready_at_least: 3 }));
    world.done(seen(0, 3, 3, 3));
    assert_eq!((world.phase(), world.under_way()), ("rolling_back", None), "what was begun may end");
    world.wait(5);
    world.look(seen(0, 3, 3, 3));
    assert_eq!(world.under_way(), Some(Step::CanaryDown { ready_at_least: 3 }));
    world.done(seen(0, 3, 3, 0));
    assert_eq!(world.phase(), "verifying");
    world.verify(Verdict::Verified, CheckOutcome::Pass);
    assert_eq!(world.phase(), "rolled_back");
}

#[test]
fn a_critical_takes_the_traffic_off_with_its_decision_where_the_last_poll_saw_nothing_in_the_way() {
    let mut world = in_a_cluster();
    world.observe(seen(25, 3, 3, 3));
    world.wait(20);
    world.critical("Errors");
    assert_eq!(world.under_way(), Some(Step::Shift { share: Share::ZERO, ready_at_least: 3 }));
    world.observe(seen(25, 3, 1, 3));
    world.step(StepOutcome::NotNow);
    world.wait(20);
    world.send(&Input::Tick);
    assert_eq!(world.under_way(), None, "what it found is not forgotten for what the poll saw");
}

#[test]
fn without_a_ready_pod_of_stable_nothing_is_shifted_somebody_is_woken_once_and_it_goes_on_by_itself() {
    let mut world = in_a_cluster();
    world.observe(seen(100, 3, 0, 3));
    world.critical("Errors");
    for _ in 0..100 {
        world.wait(10);
        world.look(seen(100, 3, 0, 3));
    }
    assert_eq!((world.phase(), world.under_way()), ("rolling_back", None));
    let waits = |world: &World| world.notices().iter().filter(|kind| **kind == "rollback_waits").count();
    assert!(NoticeKind::RollbackWaits.pages() && waits(&world) == 1);
    world.look(seen(100, 3, 1, 3));
    assert_eq!(world.under_way(), Some(Step::Shift { share: Share::ZERO, ready_at_least: 1 }));
}

#[test]
fn a_step_whose_conditions_are_gone_is_decided_anew_but_not_for_ever() {
    let mut world = in_a_cluster();
    world.observe(seen(25, 3, 3, 3));
    world.critical("Errors");
    world.observe(seen(25, 3, 2, 3));
    world.step(StepOutcome::NotNow);
    assert_eq!(world.phase(), "rolling_back");
    assert_eq!(world.under_way(), None, "two pods can't carry more than before");
    for _ in 0..5 {
        world.look(seen(25, 3, 3, 3));
        assert!(world.under_way().is_some());
        world.step(StepOutcome::NotNow);
    }
    assert_eq!(world.phase(), "failed", "what is seen and what the step finds contradict each other");
}

#[test]
fn a_target_that_cant_be_observed_fails_the_attempt_and_is_tried_again() {
    let mut world = in_a_cluster();
    world.critical("Errors");
    assert_eq!(world.under_way(), None, "nothing is known of the pods");
    let (incident, attempt) = (world.id(), 1);
    let error = Some("no answer".to_owned());
    assert_eq!(world.send(&Input::Looked { incident, attempt, error }), Some(Reason::NotObserved));
    world.wait(15);
    world.send(&Input::Tick);
    assert_eq!(world.phase(), "rolling_back");
    world.look(seen(25, 3, 3, 3));
    assert!(world.under_way().is_some());
}

#[test]
fn what_somebody_undoes_while_it_is_watched_is_set_again_three_times_and_named() {
    let mut world = in_a_cluster();
    world.policy.guard = TimeDelta::minutes(5);
    world.observe(seen(25, 3, 3, 0));
    world.critical("Errors");
    world.done(seen(0, 3, 3, 0));
    assert_eq!(world.phase(), "verifying", "all of it is as it should be");
    let by_autoscaler = LastChange {
        object: "Deployment api-stable".to_owned(),
        manager: "kube-controller-manager".to_owned(),
        at: None,
    };
    for again in 1..=4 {
        world.wait(60);
        let warnings = vec!["The autoscaler will pull it down".to_owned()];
        world.observe(Observation { changes: vec![by_autoscaler.clone()], warnings, ..seen(0, 2, 2, 0) });
        assert_eq!(world.send(&Input::ShareRead), Some(Reason::Undone), "for the {again}. time");
        let failed = world.incident().notes.last().map(|note| note.text.clone()).unwrap_or_default();
        let tells = |what: &str| world.incident().notes.iter().any(|note| note.text.contains(what));
        assert!(tells("kube-controller-manager") && tells("will pull it down"), "{failed}");
        if again == 4 {
            break;
        }
        world.wait(300);
        world.observe(seen(0, 2, 2, 0));
        world.send(&Input::Tick);
        assert_eq!(world.under_way(), Some(Step::StableUp { replicas: 3 }));
        world.done(seen(0, 3, 3, 0));
        assert_eq!(world.phase(), "verifying");
    }
    world.wait(3_600);
    world.send(&Input::Tick);
    assert_eq!((world.phase(), world.under_way()), ("failed", None), "it is a person's to settle");
}

#[test]
fn stable_that_is_pulled_down_each_time_while_a_rollback_runs_is_left_to_a_person_with_the_traffic_off() {
    let mut world = in_a_cluster();
    let by_autoscaler = LastChange {
        object: "Deployment api-stable".to_owned(),
        manager: "kube-controller-manager".to_owned(),
        at: None,
    };
    let pulled_down = |share| Observation { changes: vec![by_autoscaler.clone()], ..seen(share, 2, 2, 3) };
    world.observe(pulled_down(25));
    world.critical("Errors");
    for _ in 0..4 {
        assert_eq!(world.under_way(), Some(Step::StableUp { replicas: 3 }));
        world.wait(5);
        world.done(seen(25, 3, 2, 3));
        world.wait(5);
        world.look(pulled_down(25));
    }
    assert_eq!(
        world.under_way(),
        Some(Step::Shift { share: Share::ZERO, ready_at_least: 1 }),
        "30 s are over"
    );
    world.done(pulled_down(0));
    let mut failures = 0;
    while world.phase() != "failed" || world.incident().failures.values().sum::<u32>() < 4 {
        world.wait(20);
        world.send(&Input::Tick);
        if world.phase() == "rolling_back" {
            world.look(pulled_down(0));
            assert_eq!(world.under_way(), None, "it is not raised again");
        }
        failures += 1;
        assert!(failures < 20, "{}", world.phase());
    }
    world.wait(3_600);
    world.send(&Input::Tick);
    assert_eq!((world.phase(), world.under_way()), ("failed", None), "it is a person's to settle");
    let notes = &world.incident().notes;
    assert!(
        notes.iter().any(|note| note.text.contains("raised to 3 replicas again and again")
            && note.text.contains("kube-controller-manager")
            && note.text.contains("Deployment api-stable")),
        "{notes:#?}"
    );
}

#[test]
fn what_will_get_in_the_way_is_in_the_record_once() {
    let mut world = in_a_cluster();
    let warned =
        |observation| Observation { warnings: vec!["It will pull it down".to_owned()], ..observation };
    world.observe(warned(seen(25, 2, 2, 3)));
    world.critical("Errors");
    world.done(warned(seen(25, 3, 3, 3)));
    world.done(warned(seen(0, 3, 3, 3)));
    let notes = world.incident().notes.iter().filter(|note| note.text.contains("pull it down"));
    assert_eq!(notes.count(), 1);
}

pub(super) fn of_revision(revision: &str, observation: Observation) -> Observation {
    Observation { revision: Some(Revision::new(revision)), ..observation }
}

#[test]
fn the_revision_is_the_one_that_the_cluster_says_and_another_one_there_is_left_alone() {
    let mut world = in_a_cluster();
    world.policy.revision = Revision::new(Revision::UNKNOWN);
    world.observe(of_revision("v1.5.0", seen(25, 3, 0, 3)));
    world.send(&Input::ShareRead);
    world.critical("Errors");
    assert_eq!(world.incident().revision().as_str(), "v1.5.0");
    assert_eq!(world.state.run.as_ref().and_then(|run| run.revision.clone()), Some(Revision::new("v1.5.0")));
    world.look(of_revision("v1.6.0", seen(25, 3, 3, 3)));
    assert_eq!((world.phase(), world.under_way()), ("superseded", None), "v1.6.0 has done nothing wrong");
}

#[test]
fn before_the_first_observation_after_a_restart_nothing_is_taken_for_another_revision() {
    let mut world = in_a_cluster();
    world.policy.revision = Revision::new("v1.4.0");
    world.observe(of_revision("v1.5.0", seen(25, 3, 0, 3)));
    world.critical("Errors");
    world.observed = None;
    world.wait(60);
    world.send(&Input::Tick);
    assert_eq!(world.phase(), "rolling_back");
    assert!(world.due().iter().any(|command| matches!(command, Command::Look { .. })));
}

#[test]
fn an_incident_of_a_canary_that_nobody_could_name_is_carried_on_once_it_has_a_name() {
    let mut world = in_a_cluster();
    world.policy.revision = Revision::new(Revision::UNKNOWN);
    world.state = RolloutState::default();
    world.unreadable();
    world.critical("Errors");
    assert_eq!(world.incident().revision().as_str(), Revision::UNKNOWN);
    world.look(of_revision("v1.5.0", seen(25, 3, 3, 3)));
    assert!(world.under_way().is_some(), "{}", world.phase());
}

#[test]
fn a_rollback_that_an_older_version_began_is_carried_on() {
    let mut world = World::with_canary();
    world.critical("Errors");
    // As that version stored it: no plan, and nothing of the step that it had begun.
    let mut events = world.journal.clone();
    events.retain(|stored| !matches!(stored.event, Event::StepStarted { .. }));
    for stored in &mut events {
        if let Event::RollbackStarted { plan, .. } = &mut stored.event {
            *plan = None;
        }
    }
    world.state = RolloutState::default();
    events.iter().for_each(|stored| world.state.apply(stored));
    let (incident, attempt) = (world.id(), 1);
    assert!(world.due().contains(&Command::Look { incident: incident.clone(), attempt }));
    world.send(&Input::Looked { incident, attempt, error: None });
    assert_eq!(world.under_way(), Some(Step::TrafficOff));
    world.finish();
}
