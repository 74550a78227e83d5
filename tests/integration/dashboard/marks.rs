//! Annotations: the protocol's three colours, from Backstop's own metrics.

use serde_json::json;

use super::{dashboard, marks, text};

#[test]
fn a_stage_is_marked_green_a_warning_yellow_and_a_rollback_red_at_the_time_that_a_metric_says() {
    let dashboard = dashboard();
    let found: Vec<_> = marks(&dashboard)
        .map(|mark| (text(mark, "/name"), text(mark, "/iconColor"), text(mark, "/expr")))
        .collect();
    let of =
        |metric: &str| format!("1000 * max by (rollout) (backstop_{metric}{{rollout=\"$rollout\"}} > 0)");
    let wanted = [
        ("Stage progression", "green", of("ramp_stage_started_timestamp_seconds")),
        ("Warning trigger", "yellow", of("warning_timestamp_seconds")),
        ("Rollback triggered", "red", of("rollback_started_timestamp_seconds")),
    ];
    let wanted: Vec<_> =
        wanted.iter().map(|(name, colour, expression)| (*name, *colour, expression.as_str())).collect();
    assert_eq!(found, wanted);
    for mark in marks(&dashboard) {
        // The value is the time, in milliseconds; otherwise every sample would be a mark.
        assert_eq!((&mark["useValueForTime"], &mark["enable"]), (&json!(true), &json!(true)));
        assert!(!text(mark, "/titleFormat").is_empty() && text(mark, "/textFormat").contains("{{rollout}}"));
    }
}
