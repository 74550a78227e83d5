//! Deterministic simulation of the whole core: receiver, journal, decisions, worker, watcher, with the
//! time, the store, the flag API and the monitoring simulated, and a process that is killed between
//! any two of its steps. The promises of the design are its assertions.
//!
//! One number decides everything that happens in a schedule, so a failing one is replayed by it:
//! ```text
//! cargo test --test simulation                               the schedules of CI
//! SIMULATION_SCHEDULES=5000000 cargo test --test simulation  a longer run
//! SIMULATION_REPLAY=4711 cargo test --test simulation the_promises -- --nocapture    one, step by step
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
mod delivery;
mod ledger;
mod monitoring;
mod people;
mod plan;
mod probes;
mod process;
mod reopened;
mod rules;
mod schedule;
mod traffic;
mod unread_log;
mod unseen;
mod urgency;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Schedules of one run unless set otherwise: a minute or two on two cores.
const SCHEDULES: u64 = 30_000;

/// Seeds that are run twice, to see that a seed decides everything.
const RUN_TWICE: u64 = 200;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs the seeds below `until` on every core; the first broken promise with its seed.
fn run_all(until: u64) -> Option<(u64, String)> {
    let next = AtomicU64::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let found = std::thread::scope(|scope| {
        let run = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= until {
                    return None;
                }
                let Err(broken) = catch_unwind(AssertUnwindSafe(|| schedule::run(seed))) else { continue };
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
    let found = run_all(until);
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
    for seed in 0..RUN_TWICE {
        assert_eq!(schedule::run(seed), schedule::run(seed), "seed {seed}");
    }
}
