//! What is recorded for the alerts of one severity: how many requests there were, how many of them
//! were bad, and between which bounds their share lies.
//!
//! Each severity records its own, so that each file stands alone: rules of one group are evaluated in
//! order, groups are not.

use std::collections::BTreeMap;

use super::group::Rule;
use super::promql::{CERTAIN, GOES_ON, Threshold, above, lower_bound, rise, series};
use crate::config::RolloutConfig;

/// The protocol's window.
const LONG: &str = "5m";

/// The window that shows whether trouble is over.
const SHORT: &str = "2m";

/// Records rules, and names what they record.
#[derive(Debug)]
pub struct Recorder<'a> {
    rollout: &'a RolloutConfig,
    severity: &'static str,
    /// Whether the short window is recorded too.
    with_short: bool,
    pub rules: Vec<Rule>,
}

/// The recorded series that judge a share of requests.
#[derive(Debug)]
pub struct Share {
    /// Requests in the long window.
    pub all: String,
    /// The share of them that is bad.
    pub share: String,
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

    /// The labels of everything of this severity. The alerts carry the rollout's `match`.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let own = [("rollout", self.rollout_label()), ("severity", self.severity)];
        own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// As the alerts carry it: verification finds the series of an alert by the labels of both.
    fn rollout_label(&self) -> &str {
        self.rollout.matching.get("rollout").map_or(self.rollout.name.as_str(), String::as_str)
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
        self.rules.iter().any(|rule| rule.kind == super::group::Kind::Record(name.to_owned()))
    }

    fn named(&self, name: &str) -> String {
        series(
            name,
            &[&format!("rollout={:?}", self.rollout_label()), &format!("severity=\"{}\"", self.severity)],
        )
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
        let short = self.with_short.then(|| counted(self, SHORT));
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
            let rose = format!("sum by ({labels}) (increase({}[{window}]))", buckets("le=\"+Inf\""));
            let all = recorder.record(&format!("{level}:canary_{what}:increase{window}"), rose);
            let slow = above(buckets, threshold, &all, window, &labels);
            let bad = recorder.record(&format!("{level}:canary_{what}_slow:increase{window}"), slow);
            Counted { all, bad }
        };
        let long = counted(self, LONG);
        let short = self.with_short.then(|| counted(self, SHORT));
        self.bounds(&format!("{level}:canary_{what}_slow"), share, long, short)
    }

    fn bounds(&mut self, stem: &str, share: String, long: Counted, short: Option<Counted>) -> Share {
        let bound = lower_bound(&long.bad, &long.all, CERTAIN);
        let lower_bound = self.record(&format!("{stem}:lower_bound{LONG}"), bound);
        let recent_lower_bound = short.map(|short| {
            // A window without a request, or in which no two scrapes succeeded, says nothing about an end
            // of the trouble.
            let bound = format!(
                "{}\nand\n{} > 0\nor\n0 * {} + 1",
                super::promql::lower_bound(&short.bad, &short.all, GOES_ON),
                short.all,
                long.all
            );
            self.record(&format!("{stem}:lower_bound{SHORT}"), bound)
        });
        Share { all: long.all, share, lower_bound, recent_lower_bound }
    }
}
