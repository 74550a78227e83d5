//! Deterministic simulation of the whole core: receiver, journal, decisions, worker, watcher, with the
//! time, the store, the flag API or the cluster and the monitoring simulated, and a process that is killed between
//! any two of its steps. The promises of the design are its assertions.
//!
//! One number decides everything that happens in a schedule, so a failing one is replayed by it:
//! ```text
//! cargo test --test simulation                               the schedules of CI
//! SIMULATION_SCHEDULES=5000000 cargo test --test simulation  a longer run
//! SIMULATION_REPLAY=4711 cargo test --test simulation the_promises -- --nocapture    one, step by step
//! ```
//! The same with `SIMULATION_CLUSTERS` and `SIMULATION_CLUSTER` for those in a cluster:
//! ```text
//! SIMULATION_CLUSTER=4711 cargo test --test simulation in_a_cluster -- --nocapture
//! ```
//! and `SIMULATION_RAMPS` and `SIMULATION_RAMP` for those with ramps:
//! ```text
//! SIMULATION_RAMP=4711 cargo test --test simulation with_ramps -- --nocapture
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a schedule that breaks a promise has failed, and says where"
)]
#![allow(clippy::print_stdout, reason = "a replay is there to be read")]

#[macro_use]
mod promises;

mod causes;
mod changes;
mod cluster;
mod cluster_causes;
mod cluster_promises;
mod cluster_target;
mod delivery;
mod ledger;
mod monitoring;
mod people;
mod plan;
mod probes;
mod process;
mod ramp_ledger;
mod ramping;
mod reopened;
mod rules;
mod schedule;
mod traffic;
mod unread_log;
mod unseen;
mod urgency;
mod world;

use cluster_target::Plant;
use plan::Plan;
use ramping::RampPlant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Schedules of one run unless set otherwise: a minute or two on two cores.
const SCHEDULES: u64 = 30_000;

/// Schedules in a cluster, beside those.
const IN_A_CLUSTER: u64 = 1_000;

/// Schedules with ramps, beside those: each has twice as many questions and changes.
const WITH_RAMPS: u64 = 600;

/// What has to become of ramps in some of them.
const COURSES_OF_RAMPS: [&str; 8] =
    ["Succeeded", "RolledBack", "Aborted", "EndedOutside", "HoldStarted", "Resumed", "Promoted", "Approved"];

/// Schedules within which a planted fault has to be found; it is within a few dozen.
const PLANTED: u64 = 1_000;

/// Seeds that are run twice, to see that a seed decides everything.
const RUN_TWICE: u64 = 200;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs the seeds below `until` on every core; the first broken promise with its seed.
fn run_all(until: u64, run_one: impl Fn(u64) + Sync) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let found = std::thread::scope(|scope| {
        let run = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= until {
                    return None;
                }
                let Err(broken) = catch_unwind(AssertUnwindSafe(|| run_one(seed))) else { continue };
                next.store(until, Ordering::Relaxed);
                return Some((seed, words(broken.as_ref())));
            }
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().expect("a thread that catches panics"))
            .collect::<Vec<_>>()
    });
    found.into_iter().min()
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

#[test]
fn the_promises_hold_in_every_schedule() {
    if let Some(seed) = number("SIMULATION_REPLAY") {
        let told = schedule::run(seed);
        println!("{told}");
        return;
    }
    let until = number("SIMULATION_SCHEDULES").unwrap_or(SCHEDULES);
    std::panic::set_hook(Box::new(|_| {}));
    let found = run_all(until, |seed| drop(schedule::run(seed)));
    let _quiet = std::panic::take_hook();
    if let Some((seed, broken)) = found {
        panic!(
            "{broken}\nreplay: SIMULATION_REPLAY={seed} cargo test --test simulation the_promises -- --nocapture"
        );
    }
    println!("{until} schedules, every promise kept");
}

#[test]
fn a_seed_decides_everything_that_happens() {
    // What a real disk takes, no seed decides.
    for seed in (0..RUN_TWICE).filter(|seed| !Plan::of(*seed).on_disk) {
        assert_eq!(schedule::run(seed), schedule::run(seed), "seed {seed}");
    }
}

#[test]
fn the_promises_hold_in_every_schedule_in_a_cluster() {
    let run = |seed| schedule::run_plan(seed, Plan::in_a_cluster(seed, None));
    if let Some(seed) = number("SIMULATION_CLUSTER") {
        println!("{}", run(seed));
        return;
    }
    let until = number("SIMULATION_CLUSTERS").unwrap_or(IN_A_CLUSTER);
    if let Some((seed, broken)) = run_all(until, |seed| drop(run(seed))) {
        panic!(
            "{broken}\nreplay: SIMULATION_CLUSTER={seed} cargo test --test simulation in_a_cluster -- --nocapture"
        );
    }
}

#[test]
fn the_promises_hold_in_every_schedule_with_ramps() {
    let run = |seed| schedule::run_plan(seed, Plan::with_ramps(seed, None));
    if let Some(seed) = number("SIMULATION_RAMP") {
        println!("{}", run(seed));
        return;
    }
    let until = number("SIMULATION_RAMPS").unwrap_or(WITH_RAMPS);
    let happened = COURSES_OF_RAMPS.map(|_| AtomicU64::new(0));
    let found = run_all(until, |seed| {
        let story = run(seed);
        for (count, what) in happened.iter().zip(COURSES_OF_RAMPS) {
            count.fetch_add(u64::from(story.contains(&format!("happened: {what}"))), Ordering::Relaxed);
        }
    });
    if let Some((seed, broken)) = found {
        panic!(
            "{broken}\nreplay: SIMULATION_RAMP={seed} cargo test --test simulation with_ramps -- --nocapture"
        );
    }
    // A promise about what never happens is no promise.
    for (count, what) in happened.iter().zip(COURSES_OF_RAMPS) {
        println!("{what}: in {count:?} of {until} schedules");
        assert!(count.load(Ordering::Relaxed) > 0 || until < WITH_RAMPS, "no ramp has {what}");
    }
}

/// Each breaks a promise of its own: so the promises are known to be looked at.
#[test]
fn a_fault_that_is_planted_below_a_ramp_is_found() {
    for (plant, words) in [
        (RampPlant::AdvancesOnUnknown, "although its criteria did not pass"),
        (RampPlant::CountsPauses, " was left after "),
        (RampPlant::SetsLate, " is ordered although "),
    ] {
        let found = run_all(PLANTED, |seed| {
            let broken = catch_unwind(|| schedule::run_plan(seed, Plan::with_ramps(seed, Some(plant))));
            let broken = broken.err().map(|broken| self::words(broken.as_ref()));
            assert!(!broken.is_some_and(|broken| broken.contains(words)), "found");
        });
        assert!(found.is_some(), "{plant:?} is not found in {PLANTED} schedules");
    }
}

/// Each breaks a promise of its own: so the promises are known to be looked at.
#[test]
fn a_fault_that_is_planted_in_the_way_to_a_cluster_is_found() {
    for (plant, words) in [
        (Plant::BelievesWhatItSent, "the canary is scaled to 0 while it carries"),
        (Plant::ShiftsBlindly, "traffic is taken off the canary while no endpoint of stable is ready"),
    ] {
        let found = run_all(PLANTED, |seed| {
            let broken = catch_unwind(|| schedule::run_plan(seed, Plan::in_a_cluster(seed, Some(plant))));
            let broken = broken.err().map(|broken| self::words(broken.as_ref()));
            assert!(!broken.is_some_and(|broken| broken.contains(words)), "found");
        });
        assert!(found.is_some(), "{plant:?} is not found in {PLANTED} schedules");
    }
}
