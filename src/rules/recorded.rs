//! What is recorded for the alerts of one severity: how many requests there were, how many of them
//! were bad, and between which bounds their share lies.
//!
//! Each severity records its own, so that each file stands alone: rules of one group are evaluated in
//! order, groups are not.

use std::collections::BTreeMap;

use super::ROLLS_BACK;
use super::group::{Kind, Rule};
use crate::config::{RolloutConfig, quoted};
use crate::promql::{CERTAIN, GOES_ON, Threshold, above, lower_bound, rise, seen_rise, series};

/// The protocol's window.
const LONG: &str = "5m";

/// The window that shows whether trouble is over: the shorter, the more of a grace is left to recover in.
const SHORT: &str = "1m";

/// The same where scrapes are too rare for it.
const SHORT_IF_RARE: &str = "2m";

/// Records rules, and names what they record.
#[derive(Debug)]
pub struct Recorder<'a> {
    rollout: &'a RolloutConfig,
    severity: &'static str,
    /// Whether the short window is recorded too.
    with_short: bool,
    /// What was recorded, in this order.
    pub rules: Vec<Rule>,
}

/// The recorded series that judge a share of requests.
#[derive(Debug)]
pub struct Share {
    /// Requests in the long window.
    pub all: String,
    /// What is compared: the share of them that is bad, or the P95 in seconds.
    pub value: String,
    /// What that share surely exceeds.
    pub lower_bound: String,
    /// What the share of the short window probably exceeds, where it is recorded.
    pub recent_lower_bound: Option<String>,
}

impl Share {
    /// What has to hold beside "the value is above its threshold".
    #[must_use]
    pub fn guards(&self, threshold: &str, least: u32) -> String {
        let recent = self
            .recent_lower_bound
            .as_ref()
            .map_or_else(String::new, |bound| format!("\nand\n{bound} > {threshold}"));
        format!("{} > {threshold}{recent}\nand\n{} >= {least}", self.lower_bound, self.all)
    }
}

/// How many and how many bad ones of a window, by name.
struct Counted {
    all: String,
    bad: String,
}

impl<'a> Recorder<'a> {
    /// Nothing is recorded yet.
    #[must_use]
    pub fn new(rollout: &'a RolloutConfig, severity: &'static str, with_short: bool) -> Self {
        Self { rollout, severity, with_short, rules: Vec::new() }
    }

    /// The labels of everything recorded: those by which an alert belongs to the rollout, which no two
    /// rollouts share and which the alerts carry too. Verification finds the series of an alert by them.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.rollout.matching.clone();
        labels.retain(|name, value| !(name == ROLLS_BACK.0 && value == ROLLS_BACK.1));
        labels.entry("rollout".to_owned()).or_insert_with(|| self.rollout.name.clone());
        labels.insert("severity".to_owned(), self.severity.to_owned());
        labels
    }

    /// Records an expression, and returns how it is read.
    pub fn record(&mut self, name: &str, expression: String) -> String {
        let labels = self.labels();
        if !self.is_recorded(name) {
            self.rules.push(Rule::record(name.to_owned(), expression, &labels));
        }
        self.named(name)
    }

    fn is_recorded(&self, name: &str) -> bool {
        self.rules.iter().any(|rule| rule.kind == Kind::Record(name.to_owned()))
    }

    fn named(&self, name: &str) -> String {
        let labels = self.labels();
        let matchers: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
        series(name, &[&matchers.join(",")])
    }

    /// A share of the canary's requests: `bad` is a word for a name, `counters` count them.
    pub fn share_of_requests(&mut self, requests: &str, bad: &str, counters: &[String]) -> Share {
        let counted = |recorder: &mut Self, window: &str| {
            let rose = rise(&[requests.to_owned()], requests, window, "namespace");
            let all = recorder.record(&format!("namespace:canary_requests:increase{window}"), rose);
            // Without any there is no series: a share of 0, which can be read, and not no data.
            let bad_ones = format!(
                "{}\nor\n0 * sum by (namespace) ({all})",
                rise(counters, requests, window, "namespace")
            );
            let bad = recorder.record(&format!("namespace:canary_{bad}:increase{window}"), bad_ones);
            Counted { all, bad }
        };
        let long = counted(self, LONG);
        let share = self
            .record(&format!("namespace:canary_{bad}:ratio{LONG}"), format!("{} / {}", long.bad, long.all));
        let short = self.with_short.then(|| [SHORT, SHORT_IF_RARE].map(|window| counted(self, window)));
        self.bounds(&format!("namespace:canary_{bad}"), share, long, short)
    }

    /// The share of a histogram's observations above a threshold. Its value is the P95: that more than
    /// 5 % are above the threshold says the same, and can be judged by how many there were.
    pub fn p95(
        &mut self,
        histogram: &str,
        what: &str,
        matchers: &[&str],
        threshold: Threshold,
        by: &[&str],
    ) -> Share {
        let level = by.join("_");
        let labels = by.join(", ");
        let buckets = |edges: &str| {
            let matchers = [matchers, &[edges]].concat();
            series(&format!("{histogram}_bucket"), &matchers)
        };
        let share = self.record(
            &format!("{level}:canary_{what}_seconds:p95_{LONG}"),
            format!("histogram_quantile(0.95, sum by ({labels}, le) (rate({}[{LONG}])))", buckets("")),
        );
        let counted = |recorder: &mut Self, window: &str| {
            let rose = format!("sum by ({labels}) {}", seen_rise(&buckets("le=\"+Inf\""), window));
            let all = recorder.record(&format!("{level}:canary_{what}:increase{window}"), rose);
            let slow = above(buckets, threshold, &all, window, &labels);
            let bad = recorder.record(&format!("{level}:canary_{what}_slow:increase{window}"), slow);
            Counted { all, bad }
        };
        let long = counted(self, LONG);
        let short = self.with_short.then(|| [SHORT, SHORT_IF_RARE].map(|window| counted(self, window)));
        self.bounds(&format!("{level}:canary_{what}_slow"), share, long, short)
    }

    fn bounds(&mut self, stem: &str, value: String, long: Counted, short: Option<[Counted; 2]>) -> Share {
        let bound = lower_bound(&long.bad, &long.all, CERTAIN);
        let surely = self.record(&format!("{stem}:lower_bound{LONG}"), bound);
        let recent_lower_bound = short.map(|windows| {
            // A window in which nothing was counted, for want of requests or of scrapes, says nothing about
            // an end of the trouble.
            let bounds = windows.map(|one| {
                format!("{}\nand\n{} > 0\nor\n", lower_bound(&one.bad, &one.all, GOES_ON), one.all)
            });
            let bound = format!("{}0 * {} + 1", bounds.concat(), long.all);
            self.record(&format!("{stem}:lower_bound_recently"), bound)
        });
        Share { all: long.all, value, lower_bound: surely, recent_lower_bound }
    }
}
