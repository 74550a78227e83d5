//! promtool tests for generated rules: that each alert fires for the canary's series as they are
//! configured, and stays silent for chance, for stable and for other applications.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::config::{RolloutConfig, example_labels, foreign_labels, quoted as promql};

type Labels = BTreeMap<String, String>;

/// A test file for promtool beside rule files of these names.
#[derive(Debug)]
pub struct UnitTests {
    /// The file; none if it would test nothing.
    pub text: Option<String>,
    /// What has no tests, because an example of its series can't be guessed.
    pub left_out: Vec<String>,
}

/// Series of one test, 15 s apart, and whether the alert is to fire.
struct Case {
    alert: &'static str,
    sentence: &'static str,
    series: Vec<(String, Labels, String)>,
    fires: bool,
}

/// The tests for these rollouts.
#[must_use]
pub fn of(rollouts: &[RolloutConfig], rule_files: &[&str]) -> UnitTests {
    let names: Vec<_> = rule_files.iter().map(|name| serde_json::Value::from(*name).to_string()).collect();
    let mut text = format!(
        "# Made by `backstop rules generate --tests`. Run: promtool test rules FILE
rule_files: [{}]
evaluation_interval: 1m
tests:
",
        names.join(", ")
    );
    let mut left_out = Vec::new();
    let mut count = 0;
    for rollout in rollouts {
        let cases = cases(rollout, &mut left_out);
        count += cases.len();
        cases.iter().for_each(|case| text.push_str(&case.yaml(rollout)));
    }
    UnitTests { text: (count > 0).then_some(text), left_out }
}

/// A counter that rises by this every 15 s, from its birth on.
fn rising(by: u32) -> String {
    format!("0+{by}x60")
}

fn with(labels: &Labels, more: &[(&str, &str)]) -> Labels {
    let mut labels = labels.clone();
    labels.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    labels
}

/// A histogram whose observations lie in its first bucket, or above all of them but the last.
fn durations(metric: &str, labels: &Labels, fast: u32, slow: u32) -> Vec<(String, Labels, String)> {
    let buckets = [("0.1", fast), ("0.25", fast), ("0.4", fast), ("1", fast + slow), ("+Inf", fast + slow)];
    let bucket = |(edge, count): (&str, u32)| {
        (format!("{metric}_bucket"), with(labels, &[("le", edge)]), rising(count))
    };
    buckets.into_iter().map(bucket).collect()
}

/// The labels of an example, or a line that says what has none.
fn example(
    rollout: &RolloutConfig,
    what: &str,
    matchers: &[&str],
    left_out: &mut Vec<String>,
) -> Option<Labels> {
    let found = example_labels(matchers);
    if found.is_none() {
        left_out.push(format!("{what} of {}", rollout.name));
    }
    found
}

fn cases(rollout: &RolloutConfig, left_out: &mut Vec<String>) -> Vec<Case> {
    let metrics = &rollout.metrics;
    let all = [metrics.selector.as_str(), &metrics.canary, &metrics.user_requests];
    let Some(canary) = example(rollout, "the canary's series", &all, left_out) else { return Vec::new() };
    let mut cases = of_requests(rollout, &canary, left_out);
    cases.extend(of_durations(rollout, &canary, left_out));
    cases.extend(of_gauges(rollout, left_out));
    cases
}

fn of_requests(rollout: &RolloutConfig, canary: &Labels, left_out: &mut Vec<String>) -> Vec<Case> {
    let metrics = &rollout.metrics;
    let stable = metrics.stable.as_ref().and_then(|stable| example_labels(&[&metrics.selector, stable]));
    let foreign = foreign_labels(&metrics.selector);
    let mut cases = Vec::new();
    let (Some(requests), Some(failure)) = (&metrics.requests, metrics.failures().into_iter().next()) else {
        return cases;
    };
    if let Some(failed) = example(rollout, "a failed request", &[&failure], left_out) {
        let (status, failed) = failed
            .into_iter()
            .next()
            .map(|(name, value)| (name, value.replace('.', "0")))
            .unwrap_or_default();
        let counted = |labels: &Labels, good: u32, bad: u32| {
            vec![
                (requests.clone(), with(labels, &[(&status, "200")]), rising(good)),
                (requests.clone(), with(labels, &[(&status, &failed)]), rising(bad)),
            ]
        };
        for alert in ["CanaryErrorRateCritical", "CanaryErrorRateWarning"] {
            let mut case = |sentence, series, fires| cases.push(Case { alert, sentence, series, fires });
            case("fires when a tenth of the requests fail", counted(canary, 90, 10), true);
            case("is silent when one request in a hundred fails", counted(canary, 99, 1), false);
            if let Some(stable) = &stable {
                let both = [counted(canary, 100, 0), counted(stable, 50, 50)].concat();
                case("is silent when only stable fails", both, false);
            }
            if let Some(foreign) = &foreign {
                let both = [counted(canary, 100, 0), counted(foreign, 50, 50)].concat();
                case("is silent when only another application fails", both, false);
            }
        }
    }
    if let Some(conflicts) = &metrics.idempotency_conflicts {
        let alert = "IdempotencyConflictStorm";
        let met = |by: u32| {
            vec![
                (requests.clone(), canary.clone(), rising(100)),
                (conflicts.clone(), canary.clone(), rising(by)),
            ]
        };
        cases.push(Case {
            alert,
            sentence: "fires at a conflict in ten requests",
            series: met(10),
            fires: true,
        });
        cases.push(Case { alert, sentence: "is silent at one in a hundred", series: met(1), fires: false });
    }
    cases
}

fn of_durations(rollout: &RolloutConfig, canary: &Labels, left_out: &mut Vec<String>) -> Vec<Case> {
    let metrics = &rollout.metrics;
    let mut cases = Vec::new();
    let mut case = |alert, histogram: &String, labels: &Labels, sentences: [&'static str; 2]| {
        for (sentence, slow, fires) in [(sentences[0], 10, true), (sentences[1], 1, false)] {
            let series = durations(histogram, labels, 100 - slow, slow);
            cases.push(Case { alert, sentence, series, fires });
        }
    };
    if let Some(duration) = &metrics.request_duration {
        let sentences =
            ["fires when a tenth of the requests are slow", "is silent when one in a hundred is slow"];
        case("CanaryLatencyP95Critical", duration, canary, sentences);
        case("CanaryLatencyP95Warning", duration, canary, sentences);
    }
    if let Some(duration) = &metrics.database_duration {
        let matchers = [metrics.database_selector.as_str(), &metrics.canary_or_all];
        if let Some(labels) = example(rollout, "the database's series", &matchers, left_out) {
            let sentences =
                ["fires when a tenth of the queries are slow", "is silent when one in a hundred is slow"];
            case("DatabaseSlowQueries", duration, &labels, sentences);
        }
    }
    cases
}

fn of_gauges(rollout: &RolloutConfig, left_out: &mut Vec<String>) -> Vec<Case> {
    let metrics = &rollout.metrics;
    let mut cases = Vec::new();
    let mut case = |alert, sentence, series, fires| cases.push(Case { alert, sentence, series, fires });
    let series =
        |metric: &str, labels: &Labels, values: &str| (metric.to_owned(), labels.clone(), values.to_owned());
    let own = example(rollout, "the canary's gauges", &[&metrics.selector, &metrics.canary_or_all], left_out);
    if let (Some(staleness), Some(own)) = (&metrics.staleness, &own) {
        let alert = "BistStalenessCritical";
        case(alert, "fires over a failed scrape", vec![series(staleness, own, "130x6 stale 130x40")], true);
        case(alert, "is silent on fresh data", vec![series(staleness, own, "30x60")], false);
    }
    if let (Some(csp), Some(own)) = (&metrics.csp_violations, &own) {
        let alert = "CspViolationStorm";
        case(alert, "fires in a storm", vec![series(csp, own, &rising(900))], true);
        case(alert, "is silent on a few", vec![series(csp, own, &rising(15))], false);
    }
    let Some(prefix) = &metrics.pgbouncer else { return cases };
    let matchers = [metrics.pgbouncer_selector.as_str(), &metrics.canary_or_all];
    let Some(labels) = example(rollout, "pgBouncer's series", &matchers, left_out) else { return cases };
    let alert = "PgBouncerSaturation";
    let pool = |database: &str, active: &str, idle: &str| {
        let labels = with(&labels, &[("database", database)]);
        vec![
            series(&format!("{prefix}_active_connections"), &labels, active),
            series(&format!("{prefix}_idle_connections"), &labels, idle),
        ]
    };
    let full = [pool("orders", "20x60", "0x60"), pool("reports", "0x60", "20x60")].concat();
    case(alert, "fires for a full pool beside an idle one", full, true);
    case(alert, "is silent for pools half in use", pool("orders", "10x60", "10x60"), false);
    cases
}

impl Case {
    fn yaml(&self, rollout: &RolloutConfig) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let name = format!("{} of {} {}", self.alert, rollout.name, self.sentence);
        let mut text = format!("  - name: {}\n    interval: 15s\n    input_series:\n", quoted(&name));
        for (metric, labels, values) in &self.series {
            let labels: Vec<_> =
                labels.iter().map(|(name, value)| format!("{name}={}", promql(value))).collect();
            let series = quoted(&format!("{metric}{{{}}}", labels.join(",")));
            let _infallible = writeln!(text, "      - {{series: {series}, values: {values}}}");
        }
        let label = rollout.matching.get("rollout").unwrap_or(&rollout.name);
        let asked =
            format!("count(ALERTS{{alertname=\"{}\",alertstate=\"firing\",rollout={label:?}}})", self.alert);
        let expected = if self.fires { "[{labels: '{}', value: 1}]" } else { "[]" };
        let _infallible = write!(
            text,
            "    promql_expr_test:
      - {{expr: {}, eval_time: 8m, exp_samples: {expected}}}
",
            quoted(&asked)
        );
        text
    }
}
