//! The guard window of a rollback in a cluster: what is undone is set again, but not for ever, not against
//! another revision, and not for what only looks so.

use chrono::TimeDelta;

use super::cluster::{in_a_cluster, of_revision, seen};
use crate::decision::Input;
use crate::decision::world::World;
use crate::incident::{Event, LastChange, NoticeFact, NoticeKind, Observation, Reason, Share, Step};

/// Rolled back and watched, all being as it should be.
fn guarded() -> World {
    let mut world = in_a_cluster();
    world.policy.guard = TimeDelta::minutes(5);
    world.observe(of_revision("v1.4.0", seen(25, 3, 3, 0)));
    world.critical("Errors");
    world.done(of_revision("v1.4.0", seen(0, 3, 3, 0)));
    assert_eq!(world.phase(), "verifying");
    world.wait(60);
    world
}

/// What a round of the verification, or a poll, finds.
fn finds(world: &mut World, observation: Observation) -> Option<Reason> {
    world.observe(of_revision("v1.4.0", observation));
    world.send(&Input::ShareRead)
}

fn by(manager: &str, object: &str, observation: Observation) -> Observation {
    let change = LastChange { object: object.to_owned(), manager: manager.to_owned(), at: None };
    Observation { changes: vec![change], ..observation }
}

/// The failures that people were told of, and when each is tried again.
fn told(world: &World) -> Vec<(String, bool)> {
    let facts = world.journal.iter().filter_map(|stored| {
        let Event::NoticeRaised { fact: Some(fact), .. } = &stored.event else { return None };
        match fact.as_ref() {
            NoticeFact::RollbackFailed { detail, retry_at, .. } => Some((detail.clone(), retry_at.is_some())),
            _ => None,
        }
    });
    facts.collect()
}

#[test]
fn another_revision_in_the_window_is_left_alone_whatever_it_has_undone() {
    for undone in [seen(25, 3, 3, 3), seen(0, 1, 1, 3), seen(0, 3, 3, 0)] {
        let mut world = guarded();
        let id = world.id();
        world.observe(of_revision("v1.6.0", undone.clone()));
        world.send(&Input::ShareRead);
        // What fires already may be about the one before: the new one, if it has traffic, gets its grace.
        let phase = world.state.known_incident(&id).map(|rolled_back| rolled_back.phase.name());
        assert_eq!((phase, world.under_way()), (Some("superseded"), None), "{undone:?}");
        world.wait(3_600);
        world.send(&Input::Tick);
        assert_eq!(world.under_way(), None, "nor later: {undone:?}");
    }
}

#[test]
fn another_revision_that_comes_before_it_was_set_again_is_left_alone() {
    let mut world = guarded();
    assert_eq!(finds(&mut world, seen(25, 3, 3, 0)), Some(Reason::TrafficReturned));
    world.wait(15);
    world.observe(of_revision("v1.6.0", seen(25, 3, 3, 3)));
    world.send(&Input::Tick);
    assert_eq!((world.phase(), world.under_way()), ("superseded", None));
}

#[test]
fn whatever_is_undone_counts_together_and_the_fourth_time_somebody_is_called_with_who_and_what() {
    let mut world = guarded();
    let off = || seen(0, 3, 3, 0);
    for again in 1..=4 {
        let (undone, reason) = match again % 2 {
            1 => (by("kubectl-edit", "Ingress api", seen(25, 3, 3, 0)), Reason::TrafficReturned),
            _ => (by("argocd-controller", "Deployment canary", seen(0, 3, 3, 3)), Reason::Undone),
        };
        assert_eq!(finds(&mut world, undone.clone()), Some(reason), "for the {again}. time");
        world.wait(300);
        world.observe(of_revision("v1.4.0", undone));
        world.send(&Input::Tick);
        if again == 4 {
            break;
        }
        match world.under_way() {
            Some(Step::Shift { share, .. }) => assert_eq!((again % 2, share), (1, Share::ZERO)),
            // What was begun on the canary may end first.
            step => assert_eq!((again % 2, step), (0, None)),
        }
        if world.under_way().is_none() {
            world.wait(5);
            world.look(of_revision("v1.4.0", seen(0, 3, 3, 3)));
            assert_eq!(world.under_way(), Some(Step::CanaryDown { ready_at_least: 3 }));
        }
        world.done(of_revision("v1.4.0", off()));
        assert_eq!(world.phase(), "verifying");
        world.wait(60);
    }
    assert_eq!((world.phase(), world.under_way()), ("failed", None), "it is a person's to settle");
    let told = told(&world);
    let (last, is_tried_again) = told.last().expect("told");
    assert!(!is_tried_again && NoticeKind::RollbackFailed.pages(), "{told:?}");
    assert!(last.contains("argocd-controller") && last.contains("Deployment canary"), "{last}");
}

#[test]
fn pods_of_stable_that_are_not_ready_are_nobodys_undoing_and_nothing_is_set_again_for_them() {
    let mut world = guarded();
    for ready in [2, 0, 1, 3] {
        assert_eq!(finds(&mut world, seen(0, 3, ready, 0)), None, "{ready}");
        assert_eq!((world.phase(), world.under_way()), ("verifying", None), "{ready}");
    }
}

#[test]
fn more_pods_of_stable_than_were_asked_for_are_an_autoscalers_good_work() {
    let mut world = guarded();
    assert_eq!(finds(&mut world, seen(0, 8, 8, 0)), None);
    assert_eq!(world.phase(), "verifying");
}

#[test]
fn what_was_observed_before_the_last_step_ended_undoes_nothing() {
    let mut world = guarded();
    world.wait(-90);
    world.observe(of_revision("v1.4.0", seen(25, 3, 3, 3)));
    world.wait(90);
    assert_eq!(world.send(&Input::ShareRead), None);
    assert_eq!(world.phase(), "verifying");
}

#[test]
fn what_was_undone_and_is_as_it_should_be_again_is_watched_from_then_on_and_no_step_is_taken() {
    let mut world = guarded();
    finds(&mut world, seen(0, 2, 2, 0));
    assert_eq!(world.phase(), "failed");
    world.wait(15);
    world.send(&Input::Tick);
    world.look(of_revision("v1.4.0", seen(0, 3, 3, 0)));
    assert_eq!((world.phase(), world.under_way()), ("verifying", None));
}
