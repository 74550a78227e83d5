//! The rollout's own names in expressions.

use super::placeholders::{ALL, Names, Unfilled};
use super::*;

fn fill(toml: &str, text: &str) -> Result<String, Unfilled> {
    let rollout = rollout(toml);
    Names { metrics: &rollout.metrics, recorded: &placeholders::recorded_labels(&rollout) }.fill(text)
}

#[test]
fn names_and_matchers_come_from_the_rollouts_metrics_and_promqls_braces_stay() {
    let own = "[rollouts.metrics]\nselector = 'job=\"api\"'\ncanary = 'version=\"v2\"'\nstaleness = \"age_seconds\"\n";
    let nothing_left = "[rollouts.metrics]\nselector = 'job=\"api\"'\ncanary = 'track!=\"\"'\n";
    for (toml, text, expected) in [
        (own, "max({staleness}{{selector},{canary}})", "max(age_seconds{job=\"api\",version=\"v2\"})"),
        (own, "x{{selector},{canary_or_all}}", "x{job=\"api\",version=~\"v2|\"}"),
        (own, "x{{stable}}", "x{version!=\"v2\"}"),
        (own, "x{pod=~\"a[0-9]{3}\"} or y{}", "x{pod=~\"a[0-9]{3}\"} or y{}"),
        (own, "x{", "x{"),
        (own, "r{{recorded}}", "r{rollout=\"spark-trading\",severity=\"critical\"}"),
        // No comma before nothing.
        (nothing_left, "x{{selector},{canary_or_all}}", "x{job=\"api\"}"),
    ] {
        assert_eq!(fill(toml, text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_stands_for_nothing_and_what_there_is_none_of_are_told_apart() {
    let none = "[rollouts.metrics]\nrequests = \"none\"\ncanary = 'a=\"b\",c=\"d\"'\n";
    assert_eq!(fill("", "{request}"), Err(Unfilled::Unknown("request".to_owned())));
    assert_eq!(fill(none, "{requests}"), Err(Unfilled::NotThere("requests")));
    assert_eq!(fill(none, "{server_errors_counted}"), Err(Unfilled::NotThere("requests")));
    assert_eq!(fill(none, "x{{stable}}"), Err(Unfilled::NotThere("stable")));
    for name in ALL {
        assert!(fill("", &format!("{{{name}}}")).is_ok(), "{name}");
    }
}

#[test]
fn a_criterion_of_a_metric_that_there_is_none_of_is_left_out_and_named() {
    let criteria = load("[rollouts.metrics]\nrequest_duration = \"none\"\npgbouncer = \"none\"\n");
    let of = |name: &str| {
        criteria.left_out.iter().find(|one| one.name.as_str() == name).map(|one| one.why.as_str())
    };
    assert_eq!(of("api-p95"), Some("rollouts.metrics.request_duration is none, and it is made of that"));
    assert_eq!(of("pgbouncer-pool"), Some("rollouts.metrics.pgbouncer is none, and it is made of that"));
    assert!(!names(&of_stage(&criteria, Share(1), Share::ZERO)).contains(&"api-p95"));
}

#[test]
fn errors_are_counted_as_the_alert_rules_count_them() {
    let query = query_of(&load(""), "server-errors").expression;
    let birth = "counted_from";
    assert!(
        query.contains(birth) && query.contains("status=~\"5..\"") && query.contains("code=~\"5..\""),
        "{query}"
    );
    assert!(query.contains("track!=\"stable\""), "of the canary: {query}");
}

#[test]
fn the_recorded_series_of_the_pools_are_those_that_the_rules_record() {
    let rules = include_str!("../../../../alert-rules/critical.yml");
    let query = query_of(&load(""), "pgbouncer-pool").expression;
    let read = query.trim_start_matches("max(").trim_end_matches(')');
    assert!(rules.contains(&format!("{read} > 0.9")), "{read}");
}

#[test]
fn violations_and_blocks_count_from_their_first_and_by_the_targets_that_are_scraped() {
    for (name, counter) in
        [("risk-blocks", "spark_risk_block_total"), ("csp-violations", "csp_violations_total")]
    {
        let query = query_of(&load(""), name).expression;
        let of_all = format!("{counter}{{job=~\"spark-trading|\",track!=\"stable\"}}");
        let birth =
            format!("min_over_time({of_all}[5m])\n    unless last_over_time({of_all}[15m] offset 5m)");
        assert!(query.contains(&birth) && !query.contains("rate("), "{query}");
        assert!(
            query.contains("(count_over_time(up{job=~\"spark-trading|\",track!=\"stable\"}[5m]))"),
            "{query}"
        );
    }
}
