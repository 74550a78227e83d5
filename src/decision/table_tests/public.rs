//! What the public has to know within minutes, and who is told where it does not.

use chrono::TimeDelta;

use crate::decision::world::World;
use crate::decision::{Command, Input, MessageId, Recipient};
use crate::incident::{ChannelName, NoticeId, NoticeKind};

fn recipient(name: &str, kinds: &[NoticeKind], first_within: Option<TimeDelta>) -> Recipient {
    Recipient {
        channel: ChannelName::new(name),
        kinds: kinds.iter().copied().collect(),
        first_within,
        wakes: false,
    }
}

/// Rolled back within a minute, with a status page that takes nothing.
fn rolled_back_unseen() -> World {
    let mut world = World::with_canary();
    let public = [NoticeKind::RollbackStarted, NoticeKind::RollbackEnded];
    world.policy.recipients = vec![
        recipient("page", &public, Some(TimeDelta::minutes(5))),
        recipient("chat", &[NoticeKind::PublicUpdateLate], None),
    ];
    world.critical("Errors");
    world.wait(50);
    world.finish();
    world
}

fn is_told(world: &World) -> bool {
    world.notices().contains(&"public_update_late")
}

#[test]
fn a_public_that_does_not_know_is_reported_before_its_time_is_over_and_once() {
    let mut world = rolled_back_unseen();
    world.wait(189);
    world.send(&Input::Tick);
    assert!(!is_told(&world) && !world.due().contains(&Command::Tick), "a minute before it is due");
    world.wait(1);
    assert!(world.due().contains(&Command::Tick), "although the incident has closed");
    world.send(&Input::Tick);
    assert!(is_told(&world));
    assert!(!world.due().contains(&Command::Tick), "it is not looked at again and again");
    let waiting = &world.incident().deliveries.queues[&ChannelName::new("chat")].waiting;
    assert_eq!(waiting.len(), 1);
}

#[test]
fn the_time_counts_from_the_first_notice_also_where_a_later_one_took_its_place() {
    let mut world = rolled_back_unseen();
    world.wait(100);
    let (incident, channel) = (Some(world.id()), ChannelName::new("page"));
    let message = MessageId { incident, channel: channel.clone(), notice: NoticeId(1) };
    world.send(&Input::MessageBegun { message, call: "open".to_owned() });
    let queue = &world.incident().deliveries.queues[&channel];
    assert_eq!((queue.waiting.len(), queue.delivered.len()), (1, 1), "the first was left out");
    world.wait(90);
    world.send(&Input::Tick);
    assert!(is_told(&world), "240 s after the rollback began");
}
