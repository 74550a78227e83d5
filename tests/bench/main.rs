//! How fast, and how far from what this machine can do at best: every metric beside a floor that is
//! measured in the same run, in turns with it (design, section 10).
//!
//! `cargo bench` runs all of it in a few minutes, `cargo bench -- --quick` in seconds,
//! `cargo bench -- webhook growth` only what is named. `--closed N` sets how many closed incidents
//! the large database has. Progress goes to stderr, the table to stdout.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that can not go on has failed, and says where"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]

mod closed;
mod cluster;
mod counted;
mod critical;
mod flag_api;
mod floor;
mod footprint;
mod growth;
mod notifiers;
mod own_commit;
mod profile;
mod ramps;
mod report;
mod site;
mod storm;
mod webhook;
mod wire;

use std::pin::Pin;
use std::time::Duration;

use report::Report;

/// The control plane of the Kubernetes tests, which use all of it.
#[path = "../kubernetes"]
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
mod kubernetes {
    pub(crate) mod controlplane;
    pub(crate) mod gateway;
    pub(crate) mod rollouts;
    pub(crate) mod workloads;
}

#[path = "../integration/support/ports.rs"]
mod ports;

use kubernetes::{controlplane, gateway, rollouts, workloads};

/// The longest that one part may take: a hang must end the run and say where it was.
const LONGEST_PART: Duration = Duration::from_secs(300);

/// What to run, and how much of it.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    quick: bool,
    closed_incidents: usize,
    names: Vec<String>,
}

impl Plan {
    fn from_arguments() -> Self {
        let mut plan = Self { quick: false, closed_incidents: 100_000, names: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (plan.quick, plan.closed_incidents) = (true, 2_000),
                // Cargo says that it is a benchmark.
                "--bench" => {}
                "--closed" => {
                    let number = arguments.next().and_then(|text| text.parse().ok());
                    plan.closed_incidents = number.expect("--closed takes a number");
                }
                name => plan.names.push(name.to_owned()),
            }
        }
        plan
    }

    /// The whole number, or the quick one.
    pub(crate) fn samples(&self, whole: usize, quick: usize) -> usize {
        if self.quick { quick } else { whole }
    }
}

type Part = for<'a> fn(&'a Plan, &'a mut Report) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

const PARTS: &[(&str, Part)] = &[
    ("webhook", |plan, report| Box::pin(webhook::run(plan, report))),
    ("critical", |plan, report| Box::pin(critical::run(plan, report))),
    ("cluster", |plan, report| Box::pin(cluster::run(plan, report))),
    ("gateway", |plan, report| Box::pin(cluster::gateway(plan, report))),
    ("notifiers", |plan, report| Box::pin(notifiers::run(plan, report))),
    ("profile", |plan, report| Box::pin(profile::run(plan, report))),
    ("body", |plan, report| Box::pin(storm::one_body(plan, report))),
    ("sockets", |plan, report| Box::pin(storm::many_sockets(plan, report))),
    ("footprint", |plan, report| Box::pin(footprint::run(plan, report))),
    ("ramps", |plan, report| Box::pin(ramps::run(plan, report))),
    ("growth", |plan, report| Box::pin(growth::run(plan, report))),
    ("closed", |plan, report| Box::pin(closed::run(plan, report))),
];

fn main() {
    let plan = Plan::from_arguments();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut report = Report::default();
        for (name, part) in PARTS {
            if !plan.names.is_empty() && !plan.names.iter().any(|wanted| name.contains(wanted.as_str())) {
                continue;
            }
            eprintln!("{name} …");
            let ended = tokio::time::timeout(LONGEST_PART, part(&plan, &mut report)).await;
            assert!(ended.is_ok(), "{name} has not ended within {LONGEST_PART:?}");
        }
        print!("{report}");
    });
}
