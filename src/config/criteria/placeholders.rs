//! The rollout's own names in an expression: `{requests}{{selector},{canary}}`.

use crate::config::{MetricsConfig, RolloutConfig, quoted};
use crate::promql::{rise, rise_and_births, series};

/// The protocol's window.
const WINDOW: &str = "5m";

/// What placeholders stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) metrics: &'a MetricsConfig,
    /// Matchers of what the shipped critical rules record for the rollout.
    pub(super) recorded: &'a str,
}

/// Why an expression can't be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfilled {
    /// The configuration says that there is no such metric, or doesn't say which series are stable's: the
    /// criterion is left out.
    NotThere(&'static str),
    /// It stands for nothing: a mistake.
    Unknown(String),
}

/// Every placeholder, for messages.
pub(super) const ALL: &[&str] = &[
    "selector",
    "canary",
    "canary_or_all",
    "stable",
    "user_requests",
    "database_selector",
    "recorded",
    "requests",
    "request_duration",
    "staleness",
    "csp_violations",
    "database_duration",
    "requests_counted",
    "server_errors_counted",
    "idempotency_conflicts_counted",
    "csp_violations_counted",
    "risk_blocks_counted",
];

/// As the platform's own rules name it.
const RISK_BLOCKS: &str = "spark_risk_block_total";

impl Names<'_> {
    /// The expression with all of them filled in. `{` before anything but a name is PromQL's own.
    pub(super) fn fill(&self, text: &str) -> Result<String, Unfilled> {
        let (mut out, mut rest) = (String::with_capacity(text.len() * 2), text);
        while let Some(start) = rest.find('{') {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let name = from[1..].split_once('}').map(|(name, _)| name).filter(|name| is_name(name));
            let Some(name) = name else {
                out.push('{');
                rest = &from[1..];
                continue;
            };
            let filled = self.one(name)?;
            // Matchers may be none at all, and a comma before nothing is no PromQL.
            if filled.is_empty() && out.ends_with(',') {
                out.pop();
            }
            out.push_str(&filled);
            rest = &from[name.len() + 2..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn one(&self, name: &str) -> Result<String, Unfilled> {
        let metrics = self.metrics;
        let metric = |key: &'static str, name: &Option<String>| name.clone().ok_or(Unfilled::NotThere(key));
        match name {
            "selector" => Ok(metrics.selector.clone()),
            "canary" => Ok(metrics.canary.clone()),
            "canary_or_all" => Ok(metrics.canary_or_all.clone()),
            "stable" => metric("stable", &metrics.stable),
            "user_requests" => Ok(metrics.user_requests.clone()),
            "database_selector" => Ok(metrics.database_selector.clone()),
            "recorded" => metric("pgbouncer", &metrics.pgbouncer).map(|_| self.recorded.to_owned()),
            "requests" => metric("requests", &metrics.requests),
            "request_duration" => metric("request_duration", &metrics.request_duration),
            "staleness" => metric("staleness", &metrics.staleness),
            "csp_violations" => metric("csp_violations", &metrics.csp_violations),
            "database_duration" => metric("database_duration", &metrics.database_duration),
            "requests_counted" => Ok(counted(&[self.of_canary("")?], &self.of_canary("")?)),
            "server_errors_counted" => {
                let failures = metrics.failures();
                let failed: Result<Vec<_>, _> =
                    failures.iter().map(|failure| self.of_canary(failure)).collect();
                Ok(counted(&failed?, &self.of_canary("")?))
            }
            "idempotency_conflicts_counted" => {
                let conflicts = metric("idempotency_conflicts", &metrics.idempotency_conflicts)?;
                let conflicts = series(&conflicts, &[&metrics.selector, &metrics.canary]);
                Ok(counted(&[conflicts], &self.of_canary("")?))
            }
            "csp_violations_counted" => {
                Ok(self.counted_anywhere(&metric("csp_violations", &metrics.csp_violations)?))
            }
            "risk_blocks_counted" => Ok(self.counted_anywhere(RISK_BLOCKS)),
            _ => Err(Unfilled::Unknown(name.to_owned())),
        }
    }

    /// What is no share of the canary's requests, and may be counted by another target than they are.
    fn counted_anywhere(&self, counter: &str) -> String {
        let of_all = |name: &str| series(name, &[&self.metrics.selector, &self.metrics.canary_or_all]);
        format!("({})", rise_and_births(&of_all(counter), &of_all("up"), WINDOW))
    }

    /// The canary's requests, as the shipped rules select them.
    fn of_canary(&self, more: &str) -> Result<String, Unfilled> {
        let metrics = self.metrics;
        let requests = metrics.requests.as_ref().ok_or(Unfilled::NotThere("requests"))?;
        Ok(series(requests, &[&metrics.selector, &metrics.canary, &metrics.user_requests, more]))
    }
}

/// As the shipped rules count: with each counter's first value where it was born in the window. `rate()` sees
/// none of a canary's errors where each is the first of its route, pod and status.
fn counted(counters: &[String], requests: &str) -> String {
    format!("({})", rise(counters, requests, WINDOW, ""))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// Matchers of what `rules generate` has recorded in a rollout's critical rules.
pub(super) fn recorded_labels(rollout: &RolloutConfig) -> String {
    let mut labels = rollout.matching.clone();
    labels.retain(|name, value| !(name == "canary_rollback" && value == "true"));
    labels.entry("rollout".to_owned()).or_insert_with(|| rollout.name.clone());
    labels.insert("severity".to_owned(), "critical".to_owned());
    labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect::<Vec<_>>().join(",")
}
