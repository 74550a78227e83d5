//! The protocol's ten panels with its limits, and what every panel needs to be understood.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{chosen, dashboard, list, panels, read, text};

/// A line in a panel: its value, and the alert whose threshold it is.
type Limit = (f64, Option<&'static str>);

const WATCHED: Option<&str> = None;

/// Title, unit and limits of the protocol's ten. The first limit is the one under which it "should stay".
const PROTOCOL: [(&str, &str, &[Limit]); 10] = [
    (
        "HTTP P95 Latency",
        "s",
        &[(0.2, WATCHED), (0.25, Some("CanaryLatencyP95Warning")), (0.4, Some("CanaryLatencyP95Critical"))],
    ),
    (
        "Error Rate",
        "percentunit",
        &[(0.01, WATCHED), (0.015, Some("CanaryErrorRateWarning")), (0.03, Some("CanaryErrorRateCritical"))],
    ),
    ("pgBouncer Pool", "percentunit", &[(0.8, WATCHED), (0.9, Some("PgBouncerSaturation"))]),
    ("Idempotency Conflicts", "percentunit", &[(0.01, WATCHED), (0.05, Some("IdempotencyConflictStorm"))]),
    // "Flat" is what a stage passes with: half a block a minute.
    ("Risk Blocks", "cpm", &[(0.5, WATCHED)]),
    ("CSP Violations", "cps", &[(1.0, WATCHED), (50.0, Some("CspViolationStorm"))]),
    ("BIST Staleness", "s", &[(30.0, WATCHED), (120.0, Some("BistStalenessCritical"))]),
    ("Outbox Lag", "s", &[(5.0, WATCHED)]),
    ("Database Connections", "percentunit", &[(0.8, WATCHED)]),
    ("WAL Archiving", "none", &[(1.0, WATCHED)]),
];

/// Where a panel lies, in Grafana's grid of 24 columns.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: u64,
    y: u64,
    w: u64,
    h: u64,
}

fn place(panel: &Value) -> Place {
    let of = |name: &str| panel["gridPos"][name].as_u64().unwrap_or_else(|| panic!("{panel} has no {name}"));
    Place { x: of("x"), y: of("y"), w: of("w"), h: of("h") }
}

/// The threshold that the shipped rules tell of an alert.
fn threshold(alert: &str) -> f64 {
    let rules = ["critical", "warning"].map(|name| read(&format!("alert-rules/{name}.yml"))).concat();
    let rule = rules.split("- alert: ").find(|rule| rule.lines().next() == Some(alert));
    let value = rule.and_then(|rule| rule.split_once("threshold: \"")?.1.split_once('"'));
    value.and_then(|(value, _)| value.parse().ok()).unwrap_or_else(|| panic!("{alert} has no threshold"))
}

#[test]
fn the_protocols_ten_panels_come_first_in_its_order_with_its_limits_as_lines() {
    let dashboard = dashboard();
    let protocol: Vec<_> = panels(&dashboard).take(PROTOCOL.len()).collect();
    for (panel, (title, unit, limits)) in protocol.iter().zip(PROTOCOL) {
        assert_eq!((text(panel, "/title"), text(panel, "/fieldConfig/defaults/unit")), (title, unit));
        assert_eq!(text(panel, "/fieldConfig/defaults/custom/thresholdsStyle/mode"), "line", "{title}");
        assert_eq!(text(panel, "/fieldConfig/defaults/thresholds/mode"), "absolute", "{title}");
        let steps = list(panel, "/fieldConfig/defaults/thresholds/steps");
        assert_eq!(steps[0]["value"], Value::Null, "{title}: the first step is what is below all limits");
        let drawn: Vec<_> = steps[1..].iter().map(|step| step["value"].as_f64()).collect();
        let wanted: Vec<_> = limits.iter().map(|(value, _)| Some(*value)).collect();
        assert_eq!(drawn, wanted, "{title}");
        for (value, alert) in limits.iter().filter_map(|(value, alert)| Some((value, (*alert)?))) {
            assert_eq!(*value, threshold(alert), "{title}: {alert}");
        }
        // A canary that is well has to show its first limit, too.
        let top = panel.pointer("/fieldConfig/defaults/custom/axisSoftMax").and_then(Value::as_f64);
        assert!(top.is_some_and(|top| top > limits[0].0), "{title}: {top:?}");
    }
    let read_in_order = protocol.iter().map(|panel| (place(panel).y, place(panel).x));
    assert!(read_in_order.is_sorted(), "from left to right, from top to bottom");
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_of_which_prometheus() {
    let dashboard = dashboard();
    let mut titles = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = text(panel, "/title");
        assert!(titles.insert(title), "{title} twice");
        let description = text(panel, "/description");
        assert!(description.ends_with('.') && description.len() > title.len(), "{title}: {description}");
        assert!(!text(panel, "/fieldConfig/defaults/unit").is_empty(), "{title}");
        assert_eq!(panel["datasource"], chosen(), "{title}");
        let mut names = BTreeSet::new();
        for target in list(panel, "/targets") {
            assert_eq!(target["datasource"], chosen(), "{title}");
            assert!(names.insert(text(target, "/refId")), "{title}: two queries of one name");
            assert!(!text(target, "/legendFormat").is_empty(), "{title}: a line without a name");
            // A number that stands alone would be shown long after its series has ended.
            let is_number = text(panel, "/type") == "stat";
            assert_eq!((&target["instant"], &target["range"]), (&json!(is_number), &json!(!is_number)));
        }
    }
    for title in ["Stage", "Share", "Countdown", "Incidents", "Reaction Time"] {
        assert!(titles.contains(title), "{title}, of Backstop itself");
    }
}

#[test]
fn no_panel_lies_over_another_and_each_has_an_id_of_its_own() {
    let dashboard = dashboard();
    let all = list(&dashboard, "/panels");
    let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), all.len());
    let places: Vec<_> = all.iter().map(place).collect();
    for (number, one) in places.iter().enumerate() {
        assert!(one.x + one.w <= 24 && one.w > 0 && one.h > 0, "{one:?}");
        for other in &places[..number] {
            let beside = one.x + one.w <= other.x || other.x + other.w <= one.x;
            let above = one.y + one.h <= other.y || other.y + other.h <= one.y;
            assert!(beside || above, "{one:?} and {other:?}");
        }
    }
}

#[test]
fn it_is_in_the_form_that_a_file_can_be_provisioned_in() {
    let dashboard = dashboard();
    assert!(matches!(dashboard["schemaVersion"].as_u64(), Some(39..=41)), "the classic form");
    assert_eq!(text(&dashboard, "/uid"), "risk-idempotency-pitr");
    // Left by an export for others, and asked for by nobody where a file is provisioned.
    assert!(dashboard.get("__inputs").is_none() && dashboard.get("__requires").is_none());
    for row in list(&dashboard, "/panels").iter().filter(|panel| panel["type"] == "row") {
        assert!(list(row, "/panels").is_empty(), "an open row has its panels beside it");
    }
    let provisioning = read("deploy/grafana/provisioning/dashboards/backstop.yaml");
    let folder = provisioning.lines().find_map(|line| line.trim().strip_prefix("path: "));
    let folder = folder.expect("where the dashboards lie");
    assert!(read("deploy/grafana/README.md").contains(folder), "{folder} in deploy/grafana/README.md");
}
