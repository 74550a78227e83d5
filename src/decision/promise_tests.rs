//! The promises, over random sequences of whatever can happen.

use proptest::prelude::*;

use super::world::World;
use super::{Command, Confirmation, Input, Request};
use crate::incident::{CheckOutcome, Event, Phase, Reason, RolloutState, Share, StepOutcome, Verdict};

/// Whatever can happen to a rollout.
#[derive(Debug, Clone)]
enum Happening {
    Fire { name: u8, critical: bool, started_seconds_ago: i64 },
    Resolve { name: u8 },
    Share(u8),
    Unreadable,
    Confirm(Confirmation),
    Step(StepOutcome),
    Verify(Verdict, CheckOutcome),
    Person(u8),
    Wait(i64),
    Tick,
    Restart,
    Revision(u8),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::{
        Confirm, Fire, Person, Resolve, Restart, Revision, Share, Step, Tick, Unreadable, Verify, Wait,
    };
    prop_oneof![
        4 => (0..4_u8, any::<bool>(), -60..600_i64).prop_map(|(name, critical, started_seconds_ago)| Fire { name, critical, started_seconds_ago }),
        2 => (0..4_u8).prop_map(|name| Resolve { name }),
        2 => prop_oneof![Just(0_u8), Just(1), Just(25), Just(100)].prop_map(Share),
        1 => Just(Unreadable),
        2 => prop_oneof![Just(Confirmation::StillFiring), Just(Confirmation::Silenced), Just(Confirmation::Gone), Just(Confirmation::NoAnswer), Just(Confirmation::NobodyToAsk)].prop_map(Confirm),
        2 => prop_oneof![Just(StepOutcome::Done), Just(StepOutcome::DoneUnread), Just(StepOutcome::NotEffective), Just(StepOutcome::Failed), Just(StepOutcome::Unknown)].prop_map(Step),
        2 => (prop_oneof![Just(Verdict::Verified), Just(Verdict::NotVerified), Just(Verdict::Inconclusive)], prop_oneof![Just(CheckOutcome::Pass), Just(CheckOutcome::Fail), Just(CheckOutcome::Unknown)]).prop_map(|(verdict, share)| Verify(verdict, share)),
        1 => (0..5_u8).prop_map(Person),
        1 => (4..6_u8).prop_map(Revision),
        3 => (0..400_i64).prop_map(Wait),
        2 => Just(Tick),
        1 => Just(Restart),
    ]
}

fn happen(world: &mut World, happening: &Happening) -> Option<Reason> {
    match happening {
        Happening::Fire { name, critical, started_seconds_ago } => {
            let severity = if *critical { "critical" } else { "warning" };
            let alert = world.alert(&format!("{severity}{name}"), severity, *started_seconds_ago);
            world.fire(&alert)
        }
        Happening::Resolve { name } => {
            for severity in ["critical", "warning"] {
                let name = format!("{severity}{name}");
                if world.state.alerts.contains_key(&crate::incident::Fingerprint::new(name.clone())) {
                    world.resolve(&name);
                }
            }
            None
        }
        Happening::Share(percent) => world.share(*percent),
        Happening::Unreadable => world.unreadable(),
        Happening::Wait(seconds) => {
            world.wait(*seconds);
            None
        }
        Happening::Tick => world.send(&Input::Tick),
        Happening::Restart => {
            restart(world);
            None
        }
        Happening::Confirm(answer) if world.state.incident.is_some() => world.confirm(*answer),
        Happening::Step(outcome) if world.state.incident.is_some() => world.step(*outcome),
        Happening::Verify(verdict, share) if world.state.incident.is_some() => world.verify(*verdict, *share),
        Happening::Person(which) if world.state.incident.is_some() => {
            let incident = world.id();
            world.person(match which {
                0 => Request::Hold { incident, until: None },
                1 => Request::Resume { incident },
                2 => Request::Acknowledge { incident },
                3 => Request::Close { incident, words: "seen".to_owned() },
                _ => Request::RollBack { reason: "by hand".to_owned(), stage: None },
            })
        }
        Happening::Revision(number) => {
            world.policy.revision = crate::incident::Revision::new(format!("v1.{number}.0"));
            world.send(&Input::Tick)
        }
        Happening::Confirm(_) | Happening::Step(_) | Happening::Verify(..) | Happening::Person(_) => None,
    }
}

/// Everything but the journal is lost.
fn restart(world: &mut World) {
    let mut folded = RolloutState::default();
    for stored in &world.journal {
        folded.apply(stored);
    }
    assert_eq!(folded, world.state, "a restart finds the same state");
    world.reading = super::Reading::Never;
    world.last_zero_at = None;
}

/// What must hold at every instant.
fn check(world: &World) -> Result<(), TestCaseError> {
    if let Some(incident) = &world.state.incident {
        // Never hang: whatever is open is driven by a command now or by a deadline.
        let driven =
            !world.due().is_empty() || super::due(&world.state, &world.policy, world.now).next.is_some();
        let waits_for_a_person = matches!(incident.phase, Phase::Failed { retry_at: None, .. });
        prop_assert!(
            incident.phase.is_closed() || driven || waits_for_a_person,
            "nothing drives {:?}",
            incident.phase
        );
        prop_assert!(incident.phase != Phase::Opened, "an incident never stays undecided");
        // Say only what was seen.
        if incident.phase == Phase::RolledBack {
            let seen = incident.verification.as_ref().is_some_and(|v| v.traffic_read_back_off());
            prop_assert!(seen, "rolled_back without a read-back");
        }
        // Only for a reason: every rollback has an alert or a person.
        if incident.has_rolled_back() {
            let manual = matches!(incident.trigger(), crate::incident::Trigger::Manual { .. });
            prop_assert!(manual || !incident.alerts.is_empty());
            let told = incident
                .causes
                .first()
                .is_some_and(|cause| cause.at == incident.rollback_started_at.unwrap_or_default());
            prop_assert!(told, "the rollback began for {:?}", incident.causes.first());
            prop_assert_eq!(&incident.opened.revision, incident.revision());
        }
        // Nothing is open for a revision that is gone, once anything has been decided since.
        prop_assert!(incident.phase.is_closed() || *incident.revision() == world.policy.revision);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_promises_hold_whatever_happens(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut world = World::with_canary();
        for happening in &happenings {
            let before = world.state.clone();
            happen(&mut world, happening);
            check(&world)?;
            // A started rollback is never interrupted: only its own results move it on.
            if let Some(running) = before.open_incident().filter(|open| matches!(open.phase, Phase::RollingBack { .. })) {
                let now = world.state.incident.as_ref().filter(|now| now.id == running.id);
                let moved = now.is_none_or(|now| !matches!(now.phase, Phase::RollingBack { .. }));
                prop_assert!(!moved || matches!(happening, Happening::Step(_) | Happening::Revision(_)), "{happening:?} moved a running rollback");
            }
        }
        // Once per incident: later attempts are numbered, never a second first.
        let mut firsts: Vec<_> = world.journal.iter().filter(|stored| matches!(stored.event, Event::RollbackStarted { attempt: 1, .. })).map(|stored| stored.incident.clone()).collect();
        let started = firsts.len();
        firsts.dedup();
        prop_assert_eq!(started, firsts.len());
        // Every incident has an id of its own, whatever the clock did and however many opened at once.
        let opened: Vec<_> = world.journal.iter().filter(|stored| matches!(stored.event, Event::IncidentOpened(_))).map(|stored| &stored.incident).collect();
        let distinct: std::collections::BTreeSet<_> = opened.iter().collect();
        prop_assert_eq!(opened.len(), distinct.len());
    }

    #[test]
    fn a_fresh_critical_on_an_active_canary_always_ends_in_a_running_rollback(
        happenings in prop::collection::vec(happening(), 0..40),
    ) {
        let mut world = World::with_canary();
        for happening in &happenings {
            happen(&mut world, happening);
        }
        world.wait(1);
        world.share(0);
        world.wait(1);
        world.share(25);
        world.wait(1);
        world.critical("the fresh one");
        let open = world.state.open_incident().map(|open| open.phase.name());
        prop_assert!(matches!(open, Some("rolling_back" | "verifying" | "failed")), "{open:?}");
    }

    #[test]
    fn the_same_messages_again_change_nothing(
        happenings in prop::collection::vec(happening(), 0..30),
        critical in any::<bool>(),
    ) {
        let mut world = World::with_canary();
        for happening in &happenings {
            happen(&mut world, happening);
        }
        let alert = world.alert("again", if critical { "critical" } else { "warning" }, 0);
        world.fire(&alert);
        if world.due().contains(&Command::ReadShare) {
            world.share(25);
        }
        world.fire(&alert);
        let (state, rollbacks) = (world.state.clone(), world.rollbacks());
        for _ in 0..3 {
            world.fire(&alert);
        }
        prop_assert_eq!((&world.state, world.rollbacks()), (&state, rollbacks));
    }

    #[test]
    fn a_grace_is_never_cancelled_on_an_unconfirmed_resolve(wait in 0..299_i64, silent in any::<bool>()) {
        let mut world = World::with_canary();
        world.warning("Latency");
        world.wait(wait + 1);
        world.resolve("Latency");
        world.confirm(if silent { Confirmation::NoAnswer } else { Confirmation::StillFiring });
        prop_assert_eq!(world.phase(), "grace");
        world.wait(300);
        world.reading = super::Reading::At { at: world.now, share: Some(Share(25)) };
        world.confirm(Confirmation::NoAnswer);
        prop_assert_eq!(world.phase(), "rolling_back");
    }
}
