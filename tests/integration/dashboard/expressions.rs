//! Every expression is PromQL, and asks for series that somebody exports.

use std::convert::Infallible;
use std::path::Path;

use backstop::config::{Config, MetricsConfig};
use backstop::incident::{ChannelName, RolloutName};
use backstop::metrics::Metrics;
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use super::{asked, dashboard, list, read, variable};

/// What the protocol describes without a name: as its origin or PostgreSQL's exporter has it.
const OTHERS: [&str; 7] = [
    "spark_risk_block_total",
    "outbox_lag_seconds",
    "database_connections_active",
    "database_connections_max",
    "pg_stat_activity_count",
    "pg_settings_max_connections",
    "pg_stat_archiver_failed_count",
];

#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = Infallible;

    fn pre_visit(&mut self, expression: &Expr) -> Result<bool, Infallible> {
        match expression {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// The series that an expression asks for.
fn selectors(expression: &str) -> Vec<VectorSelector> {
    let parsed = parser::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let mut found = Selectors::default();
    let Ok(_whole) = walk_expr(&mut found, &parsed);
    assert!(!found.0.is_empty(), "{expression} asks for nothing");
    found.0
}

/// The metrics that it names.
fn metrics(expression: &str) -> Vec<String> {
    let name = |selector: VectorSelector| selector.name.unwrap_or_else(|| panic!("{expression}: no name"));
    selectors(expression).into_iter().map(name).collect()
}

fn shipped() -> MetricsConfig {
    let text = read("deploy/backstop.example.toml");
    let config = Config::parse(&text, Path::new("/etc/backstop/backstop.toml")).expect("valid");
    config.rollouts.into_iter().next().expect("a rollout").metrics
}

/// The application's series under the names that the shipped configuration has.
fn of_application(metrics: &MetricsConfig) -> Vec<String> {
    let plain =
        [&metrics.requests, &metrics.staleness, &metrics.csp_violations, &metrics.idempotency_conflicts];
    let histograms = [&metrics.request_duration, &metrics.database_duration];
    let plain = plain.into_iter().flatten().cloned();
    plain.chain(histograms.into_iter().flatten().map(|name| format!("{name}_bucket"))).collect()
}

fn is_of_backstop(name: &str) -> bool {
    let metrics = Metrics::new(&[RolloutName::new("x")], &["y".to_owned()]);
    metrics.channels(&[ChannelName::new("z")]);
    let (exported, plain) = (metrics.render(), name.trim_end_matches("_total").trim_end_matches("_bucket"));
    exported.contains(&format!("# TYPE {plain} "))
}

#[test]
fn every_expression_is_promql_and_every_metric_of_it_is_known_and_explained() {
    let (application, readme) = (of_application(&shipped()), read("deploy/grafana/README.md"));
    let rules = ["critical", "warning"].map(|name| read(&format!("alert-rules/{name}.yml"))).concat();
    for asked in asked(&dashboard()) {
        for name in metrics(&asked.expression) {
            let known = application.contains(&name)
                || OTHERS.contains(&name.as_str())
                || rules.contains(&format!("- record: {name}\n"))
                || is_of_backstop(&name);
            assert!(known, "{}: nobody exports {name}", asked.by);
            assert!(
                readme.contains(&format!("| `{name}` |")),
                "deploy/grafana/README.md has no row for {name}"
            );
        }
    }
}

#[test]
fn the_variables_select_what_the_shipped_rules_select() {
    let (dashboard, shipped) = (dashboard(), shipped());
    for (name, configured) in [
        ("canary", Some(&shipped.canary)),
        ("stable", shipped.stable.as_ref()),
        ("user_requests", Some(&shipped.user_requests)),
    ] {
        assert_eq!(Some(variable(&dashboard, name)), configured.map(String::as_str), "{name}");
    }
    // The value that Grafana goes back to is the one that it begins with.
    for known in list(&dashboard, "/templating/list").iter().filter(|known| known["type"] == "textbox") {
        assert_eq!(known["query"], known["current"]["value"], "{}", known["name"]);
    }
}

/// A panel that forgets one of them would show another team's series, or mix canary and stable.
#[test]
fn every_series_is_of_the_chosen_rollout_and_of_one_version_where_it_has_one() {
    let (dashboard, shipped) = (dashboard(), shipped());
    let stable = shipped.stable.clone().expect("the opposite of the canary's");
    let of_nobodys_version =
        ["pg_stat_activity_count", "pg_settings_max_connections", "pg_stat_archiver_failed_count"];
    for asked in asked(&dashboard) {
        for selector in selectors(&asked.expression) {
            let written = Expr::VectorSelector(selector.clone()).to_string();
            let name = selector.name.unwrap_or_default();
            let has = |matchers: &str| matchers.split(',').all(|one| written.contains(one));
            let of_rollout = if name.starts_with("backstop_") || name.contains(':') {
                "rollout=\"spark-trading\""
            } else {
                &shipped.selector
            };
            assert!(has(of_rollout), "{}: {written}", asked.by);
            let has_version = of_rollout == shipped.selector && !of_nobodys_version.contains(&name.as_str());
            assert_eq!(has(&shipped.canary) || has(&stable), has_version, "{}: {written}", asked.by);
            let is_request = name.starts_with("http_request");
            assert_eq!(has(&shipped.user_requests), is_request, "{}: probes in {written}", asked.by);
        }
    }
}
