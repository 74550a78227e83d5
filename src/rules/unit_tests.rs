//! promtool tests for generated rules: that each alert fires for the canary's series as they are
//! configured, and stays silent for chance, for stable and for other applications.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::config::{RolloutConfig, example_labels, foreign_labels};

type Labels = BTreeMap<String, String>;

/// A test file for promtool beside rule files of these names.
#[derive(Debug)]
pub struct UnitTests {
    pub text: String,
    /// The rollouts that have none: an example of their series can't be guessed.
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
    for rollout in rollouts {
        match cases(rollout) {
            Some(cases) => cases.iter().for_each(|case| text.push_str(&case.yaml(rollout))),
            None => left_out.push(rollout.name.clone()),
        }
    }
    UnitTests { text, left_out }
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
fn histogram(metric: &str, labels: &Labels, fast: u32, slow: u32) -> Vec<(String, Labels, String)> {
    let buckets = [("0.1", fast), ("0.25", fast), ("0.4", fast), ("1", fast + slow), ("+Inf", fast + slow)];
    let bucket = |(edge, count): (&str, u32)| {
        (format!("{metric}_bucket"), with(labels, &[("le", edge)]), rising(count))
    };
    buckets.into_iter().map(bucket).collect()
}

fn cases(rollout: &RolloutConfig) -> Option<Vec<Case>> {
    let metrics = &rollout.metrics;
    let canary = example_labels(&[&metrics.selector, &metrics.canary, &metrics.user_requests])?;
    let stable = metrics.stable.as_ref().and_then(|stable| example_labels(&[&metrics.selector, stable]));
    let foreign = foreign_labels(&metrics.selector);
    let mut cases = Vec::new();
    if let Some(requests) = &metrics.requests {
        let status = metrics.status_labels.first()?;
        let failed = example_labels(&[&format!("{status}=~\"{}\"", metrics.server_errors)])?;
        let failed = failed.get(status)?.replace('.', "0");
        let counted = |labels: &Labels, good: u32, bad: u32| {
            vec![
                (requests.clone(), with(labels, &[(status, "200")]), rising(good)),
                (requests.clone(), with(labels, &[(status, &failed)]), rising(bad)),
            ]
        };
        for alert in ["CanaryErrorRateCritical", "CanaryErrorRateWarning"] {
            let mut case = |sentence, series, fires| cases.push(Case { alert, sentence, series, fires });
            case("fires when a tenth of the requests fail", counted(&canary, 90, 10), true);
            case("is silent when one request in a hundred fails", counted(&canary, 99, 1), false);
            if let Some(stable) = &stable {
                let both = [counted(&canary, 100, 0), counted(stable, 50, 50)].concat();
                case("is silent when only stable fails", both, false);
            }
            if let Some(foreign) = &foreign {
                let both = [counted(&canary, 100, 0), counted(foreign, 50, 50)].concat();
                case("is silent when only another application fails", both, false);
            }
        }
        if let Some(conflicts) = &metrics.idempotency_conflicts {
            let alert = "IdempotencyConflictStorm";
            let met = |by: u32| {
                let conflicts = (conflicts.clone(), canary.clone(), rising(by));
                [counted(&canary, 100, 0), vec![conflicts]].concat()
            };
            cases.push(Case {
                alert,
                sentence: "fires at a conflict in ten requests",
                series: met(10),
                fires: true,
            });
            cases.push(Case {
                alert,
                sentence: "is silent at one in a hundred",
                series: met(1),
                fires: false,
            });
        }
    }
    cases.extend(other_cases(rollout, &canary)?);
    Some(cases)
}

fn other_cases(rollout: &RolloutConfig, canary: &Labels) -> Option<Vec<Case>> {
    let metrics = &rollout.metrics;
    let mut cases = Vec::new();
    let mut case = |alert, sentence, series, fires| cases.push(Case { alert, sentence, series, fires });
    if let Some(duration) = &metrics.request_duration {
        for alert in ["CanaryLatencyP95Critical", "CanaryLatencyP95Warning"] {
            case(
                alert,
                "fires when a tenth of the requests are slow",
                histogram(duration, canary, 90, 10),
                true,
            );
            case(alert, "is silent when one in a hundred is slow", histogram(duration, canary, 99, 1), false);
        }
    }
    if let Some(duration) = &metrics.database_duration {
        let labels = example_labels(&[&metrics.database_selector, &metrics.canary])?;
        let alert = "DatabaseSlowQueries";
        case(alert, "fires when a tenth of the queries are slow", histogram(duration, &labels, 90, 10), true);
        case(alert, "is silent when one in a hundred is slow", histogram(duration, &labels, 99, 1), false);
    }
    let gauge =
        |metric: &str, labels: &Labels, value: &str| (metric.to_owned(), labels.clone(), value.to_owned());
    if let Some(staleness) = &metrics.staleness {
        let alert = "BistStalenessCritical";
        let failing = "130x6 stale 130x40";
        case(alert, "fires over a failed scrape", vec![gauge(staleness, canary, failing)], true);
        case(alert, "is silent on fresh data", vec![gauge(staleness, canary, "30x60")], false);
    }
    if let Some(csp) = &metrics.csp_violations {
        let alert = "CspViolationStorm";
        case(alert, "fires in a storm", vec![gauge(csp, canary, &rising(900))], true);
        case(alert, "is silent on a few", vec![gauge(csp, canary, &rising(15))], false);
    }
    if let Some(prefix) = &metrics.pgbouncer {
        let labels = example_labels(&[&metrics.pgbouncer_selector, &metrics.canary])?;
        let alert = "PgBouncerSaturation";
        let pool = |database: &str, active: &str, idle: &str| {
            let labels = with(&labels, &[("database", database)]);
            vec![
                gauge(&format!("{prefix}_active_connections"), &labels, active),
                gauge(&format!("{prefix}_idle_connections"), &labels, idle),
            ]
        };
        let full = [pool("orders", "20x60", "0x60"), pool("reports", "0x60", "20x60")].concat();
        case(alert, "fires for a full pool beside an idle one", full, true);
        case(alert, "is silent for pools half in use", pool("orders", "10x60", "10x60"), false);
    }
    Some(cases)
}

impl Case {
    fn yaml(&self, rollout: &RolloutConfig) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let name = format!("{} of {} {}", self.alert, rollout.name, self.sentence);
        let mut text = format!("  - name: {}\n    interval: 15s\n    input_series:\n", quoted(&name));
        for (metric, labels, values) in &self.series {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
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
