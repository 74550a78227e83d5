//! Messages that come again, late or out of order.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::incident::{Alert, AlertStatus, Reason};

/// A message about it that says that it has ended now.
fn ended(world: &World, alert: &Alert) -> Alert {
    Alert { status: AlertStatus::Resolved, ends_at: Some(world.now), ..alert.clone() }
}

#[test]
fn when_an_alert_can_have_begun_is_fixed_by_its_first_message() {
    let mut world = World::with_canary();
    world.share(0);
    world.wait(60);
    world.share(5);
    world.wait(60);
    // The poll is too old to decide on; its sender's clock is behind.
    let dated_back = world.alert("ErrorRate", "critical", 360);
    world.not_before = Some(world.now - TimeDelta::seconds(20));
    assert_eq!(world.fire(&dated_back), Some(Reason::ShareUnread));
    world.not_before = None;
    assert_eq!(world.share(5), Some(Reason::CriticalAlert));
}

#[test]
fn after_a_rollback_an_unreadable_share_makes_no_news_of_what_it_answered() {
    let rolled_back = || {
        let mut world = World::with_canary();
        world.critical("ErrorRate");
        let other = world.alert("Latency", "critical", -1);
        world.wait(10);
        world.finish();
        (world, other)
    };
    // Another alert that began before the rollback's end.
    let (mut world, other) = rolled_back();
    world.wait(10);
    world.unreadable();
    assert_eq!(world.fire(&other), Some(Reason::AlreadyRolledBack));

    // One that began after it, while there was no traffic, and is reported again.
    let (mut world, _) = rolled_back();
    world.wait(10);
    world.share(0);
    let late = world.alert("Latency", "critical", 0);
    assert_eq!(world.fire(&late), Some(Reason::AlreadyRolledBack));
    world.wait(10);
    world.unreadable();
    world.fire(&late);
    assert_eq!((world.phase(), world.rollbacks()), ("rolled_back", 1));

    // One that began after it, and is new: the canary may have been started again.
    let (mut world, _) = rolled_back();
    world.wait(10);
    world.unreadable();
    assert_eq!(world.critical("Latency"), Some(Reason::CriticalAlert));
}

#[test]
fn a_resolve_is_news_once_and_a_later_one_or_one_after_a_stale_message_again() {
    let mut world = World::with_canary();
    let alert = world.alert("Latency", "warning", 100);
    world.fire(&alert);
    let first = ended(&world, &alert);
    assert_eq!(world.fire(&first), Some(Reason::ResolveNotTrusted));
    assert_eq!(world.fire(&first), Some(Reason::Duplicate));
    let earlier = Alert { ends_at: first.ends_at.map(|at| at - TimeDelta::seconds(1)), ..first.clone() };
    assert_eq!(world.fire(&earlier), Some(Reason::Duplicate));
    world.wait(5);
    let later = ended(&world, &alert);
    assert_eq!(world.fire(&later), Some(Reason::ResolveNotTrusted));

    // The firing message comes once more, from before; then the resolve that it overtook.
    world.fire(&alert);
    assert_eq!(world.state.alerts[&alert.fingerprint].alert.status, AlertStatus::Firing);
    assert_eq!(world.fire(&later), Some(Reason::ResolveNotTrusted));
    assert_eq!(world.state.alerts[&alert.fingerprint].alert.status, AlertStatus::Resolved);
}

#[test]
fn a_resolve_without_an_end_ends_now_and_what_began_before_is_stale() {
    let mut world = World::with_canary();
    world.share(0);
    let alert = world.alert("ErrorRate", "critical", -1);
    world.wait(10);
    world.share(0);
    assert_eq!(world.fire(&alert), Some(Reason::NoCanary));
    world.wait(10);
    let without_end = Alert { ends_at: None, ..ended(&world, &alert) };
    world.fire(&without_end);
    let end = world.now;
    assert_eq!(world.state.alerts[&alert.fingerprint].resolved_at, Some(end));
    world.share(25);
    world.wait(5);
    assert_eq!(world.fire(&alert), Some(Reason::OlderThanResolve));
}
