//! What the shipped rules make of canaries whose truth is known: drawn at random, scraped as
//! Prometheus would, evaluated by the real promtool, and walked through the real decisions.
//! ```text
//! cargo test --test detection                                one seed, as in CI
//! DETECTION_SEEDS=20 cargo test --test detection             more
//! DETECTION_FIRST_SEED=17 cargo test --test detection        that one again
//! DETECTION_KIND='cold start' cargo test --test detection -- --nocapture    the kinds so named
//! ```

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::print_stdout, reason = "the report is there to be read")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes of seconds")]

mod canary;
mod decided;
mod kinds;
mod promtool;
mod report;
mod scraped;
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kinds::Kind;
use report::Outcome;

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Runs one canary to its end.
fn run(kind: &Kind, seed: u64) -> Outcome {
    let world = (kind.world)();
    let recording = world.record(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let firing = promtool::firing(&world, &recording, kind.page != kinds::Page::Any, folder.path());
    let paged = |labels: &promtool::AlertLabels| !labels.contains_key("canary_rollback");
    let pages = firing.values().flatten().filter(|labels| paged(labels));
    let pages = pages.filter_map(|labels| labels.get("alertname").cloned()).collect();
    Outcome { seed, rollback: decided::rollback(&firing, world.minutes), pages }
}

/// Every kind at every seed, on all cores; by kind.
fn run_all(kinds: &[Kind], seeds: std::ops::Range<u64>) -> Vec<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let total = kinds.len() * (seeds.end - seeds.start) as usize;
    let found = Mutex::new(vec![Vec::new(); kinds.len()]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= total {
                        return;
                    }
                    let (kind, seed) = (index % kinds.len(), seeds.start + (index / kinds.len()) as u64);
                    let outcome = run(&kinds[kind], seed);
                    let end = outcome
                        .rollback
                        .as_ref()
                        .map_or("stays".to_owned(), |one| format!("goes for {}", one.alert));
                    println!(
                        "{} of {total}: {} (seed {seed}) {end} {:?}",
                        index + 1,
                        kinds[kind].name,
                        outcome.pages
                    );
                    found.lock().expect("no panic")[kind].push(outcome);
                }
            });
        }
    });
    found.into_inner().expect("no panic")
}

#[test]
fn good_canaries_stay_bad_ones_go_and_blind_rules_page() {
    let number = |name: &str, default| setting(name).map_or(default, |text| text.parse().expect("a number"));
    let first: u64 = number("DETECTION_FIRST_SEED", 0);
    let seeds = first..first + number("DETECTION_SEEDS", 1);
    let named = setting("DETECTION_KIND").unwrap_or_default();
    let kinds: Vec<_> = kinds::all().into_iter().filter(|kind| kind.name.contains(&named)).collect();
    assert!(!kinds.is_empty() && !seeds.is_empty(), "no kind is named {named:?}, or no seed is to be run");
    let outcomes = run_all(&kinds, seeds);
    let report = report::Report::of(&kinds, &outcomes);
    println!("{report}");
    assert!(report.wrong.is_empty(), "wrong ends:\n{}", report.wrong.join("\n"));
}

#[test]
fn there_are_at_least_sixty_kinds_whose_truth_is_known() {
    let known = kinds::all().iter().filter(|kind| !matches!(kind.truth, kinds::Truth::Unclear(_))).count();
    assert!(known >= 60, "{known}");
}
