//! What became of every kind.

use std::collections::BTreeSet;
use std::fmt;

use crate::decided::Rollback;
use crate::kinds::{Kind, Page, Truth};

/// What became of one canary.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) rollback: Option<Rollback>,
    /// Alerts for people that fired.
    pub(crate) pages: BTreeSet<String>,
}

/// A line for each kind, and what is wrong.
pub(crate) struct Report {
    lines: Vec<String>,
    /// Each wrong end in words.
    pub(crate) wrong: Vec<String>,
    healthy: (usize, usize),
    faulty: (usize, usize),
    delays: Vec<f64>,
}

impl Report {
    /// Compares what became of the kinds with their truth.
    pub(crate) fn of(kinds: &[Kind], outcomes: &[Vec<Outcome>]) -> Self {
        let (lines, wrong, delays) = (Vec::new(), Vec::new(), Vec::new());
        let mut report = Self { lines, wrong, healthy: (0, 0), faulty: (0, 0), delays };
        for (kind, outcomes) in kinds.iter().zip(outcomes) {
            report.add(kind, outcomes);
        }
        report
    }

    fn add(&mut self, kind: &Kind, outcomes: &[Outcome]) {
        let mut delays = Vec::new();
        for outcome in outcomes {
            let rolled_back = outcome.rollback.as_ref();
            // A rollback before the fault began is as wrong as one of a canary that has none.
            let early = rolled_back.is_some_and(|one| f64::from(one.at) < kind.since_minute * 60.0);
            let words = rolled_back.map_or_else(
                || "was not rolled back".to_owned(),
                |one| format!("was rolled back after {} s for {}", one.at, one.alert),
            );
            let is_wrong = match kind.truth {
                Truth::Healthy => {
                    self.healthy.0 += usize::from(rolled_back.is_some());
                    self.healthy.1 += 1;
                    rolled_back.is_some()
                }
                Truth::Faulty => {
                    self.faulty.0 += usize::from(rolled_back.is_none());
                    self.faulty.1 += 1;
                    rolled_back.is_none() || early
                }
                Truth::Unclear(_) => false,
            };
            if is_wrong {
                self.wrong.push(format!("{} ({:?}, seed {}) {words}", kind.name, kind.truth, outcome.seed));
            }
            self.pages(kind, outcome);
            delays.extend(rolled_back.map(|one| f64::from(one.at) - kind.since_minute * 60.0));
        }
        let truth = match kind.truth {
            Truth::Healthy => "stays",
            Truth::Faulty => "goes",
            Truth::Unclear(_) => "unclear",
        };
        let median = median(&mut delays).map_or_else(String::new, |delay| format!("median {delay:.0} s"));
        let causes: BTreeSet<_> =
            outcomes.iter().filter_map(|one| one.rollback.as_ref()).map(|one| one.alert.as_str()).collect();
        let causes = causes.into_iter().collect::<Vec<_>>().join(", ");
        let reason =
            if let Truth::Unclear(reason) = kind.truth { format!(" ({reason})") } else { String::new() };
        self.lines.push(format!(
            "{truth:8} {:68} rolled back {}/{} {median} {causes}{reason}",
            kind.name,
            delays.len(),
            outcomes.len()
        ));
        if kind.truth == Truth::Faulty {
            self.delays.append(&mut delays);
        }
    }

    fn pages(&mut self, kind: &Kind, outcome: &Outcome) {
        let pages: Vec<_> = outcome.pages.iter().map(String::as_str).collect();
        match kind.page {
            Page::Any => {}
            Page::Never if pages.is_empty() => {}
            Page::Never => self.wrong.push(format!(
                "{} (seed {}) paged for {}",
                kind.name,
                outcome.seed,
                pages.join(", ")
            )),
            Page::By(name) if pages.contains(&name) => {}
            Page::By(name) => self
                .wrong
                .push(format!("{} (seed {}) did not page by {name}, but {pages:?}", kind.name, outcome.seed)),
        }
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let mut delays = self.delays.clone();
        write!(
            f,
            "false rollbacks {} of {}, misses {} of {}, median delay {:.0} s",
            self.healthy.0,
            self.healthy.1,
            self.faulty.0,
            self.faulty.1,
            median(&mut delays).unwrap_or_default()
        )
    }
}
