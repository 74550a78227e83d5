//! Bodies as Alertmanager sends them, and as others might.

use super::super::wire::of_labels as fingerprint;
use super::*;
use crate::text::MAX_KEPT_CHARS;

fn received_at() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

fn parse(body: &[u8]) -> Result<Payload, PayloadError> {
    super::parse(body, received_at(), &SeverityMap::default())
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect("a captured body")
}

fn with_alerts(alerts: &str) -> Payload {
    parse(format!(r#"{{"version":"4","alerts":[{alerts}]}}"#).as_bytes()).expect("a body")
}

#[test]
fn every_captured_body_is_read_whole_and_its_fingerprints_are_computed_alike() {
    for (name, alerts) in [
        ("firing_grouped.json", 3),
        ("firing_minimal_local_tz.json", 1),
        ("firing_offset_ts.json", 1),
        ("firing_single.json", 1),
        ("mixed_grouped.json", 3),
        ("resolved_grouped.json", 2),
        ("resolved_single.json", 1),
        ("truncated_firing.json", 2),
    ] {
        let payload = parse(&fixture(name)).expect(name);
        assert_eq!((payload.alerts.len(), payload.unreadable_count), (alerts, 0), "{name}");
        for alert in &payload.alerts {
            assert_eq!(fingerprint(&alert.labels), alert.fingerprint, "{name}");
        }
    }
}

#[test]
fn offsets_and_fractions_of_a_second_are_understood() {
    let payload = parse(&fixture("firing_minimal_local_tz.json")).expect("a body");
    assert_eq!(payload.alerts[0].starts_at.to_rfc3339(), "2026-11-24T03:27:56.046+00:00");
    let zero = r#"{"status":"firing","labels":{"a":"b"},"startsAt":"0000-01-01T00:00:00Z"}"#;
    assert_eq!(with_alerts(zero).alerts.len(), 1);
}

#[test]
fn a_resolved_alert_has_an_end_and_a_firing_one_none() {
    let mixed = parse(&fixture("mixed_grouped.json")).expect("a body");
    for alert in mixed.alerts {
        assert_eq!(alert.ends_at.is_some(), alert.status == AlertStatus::Resolved);
    }
}

#[test]
fn a_bad_alert_does_not_spoil_its_neighbours() {
    let good = r#"{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-01-01T00:00:00Z"}"#;
    for bad in [
        "null",
        "7",
        "{}",
        r#"{"status":"burning","labels":{"a":"b"},"startsAt":"2026-01-01T00:00:00Z"}"#,
        r#"{"status":"firing","labels":{},"startsAt":"2026-01-01T00:00:00Z"}"#,
        r#"{"status":"firing","labels":null,"startsAt":"2026-01-01T00:00:00Z"}"#,
        r#"{"status":"firing","labels":["a"],"startsAt":"2026-01-01T00:00:00Z"}"#,
        r#"{"labels":{"a":"b"},"startsAt":"2026-01-01T00:00:00Z"}"#,
    ] {
        let payload = with_alerts(&format!("{good},{bad},{good}"));
        assert_eq!((payload.alerts.len(), payload.unreadable_count), (2, 1), "{bad}");
        assert_eq!(payload.unreadable[0].index, 1);
    }
}

#[test]
fn unknown_members_are_ignored_and_missing_ones_defaulted() {
    let alert = r#"{"status":"firing","labels":{"x":"y"},"startsAt":"2026-01-01T00:00:00Z","mood":1,"annotations":null}"#;
    let payload = with_alerts(alert);
    assert_eq!(payload.alerts[0].name(), "(no alertname)");
    let empty =
        parse(br#"{"version":"4","notification_reason":"unknown","routeLabels":{}}"#).expect("a body");
    assert_eq!(empty, Payload::default());
}

#[test]
fn what_is_not_version_4_json_is_refused_with_a_remedy() {
    for body in [
        "",
        "[]",
        "{}",
        "null",
        "<xml/>",
        r#"["4"]"#,
        r#" [ "4", null ]"#,
        r#"{"version":4}"#,
        r#"{"version":"4","alerts":{}}"#,
    ] {
        assert!(matches!(parse(body.as_bytes()), Err(PayloadError::Shape(_))), "{body}");
    }
    let error = parse(br#"{"version":"5","alerts":[]}"#).expect_err("version 5");
    assert!(error.to_string().contains("version \"4\""), "{error}");
}

#[test]
fn no_error_repeats_more_of_a_body_than_may_be_kept() {
    let long = "x".repeat(100_000);
    let bad = format!(r#"{{"status":"{long}","labels":{{"a":"b"}},"startsAt":"{long}"}}"#);
    let unreadable = &with_alerts(&bad).unreadable[0];
    assert!(unreadable.error.chars().count() < MAX_KEPT_CHARS + 40, "{}", unreadable.error);
    assert!(unreadable.text.chars().count() < MAX_UNREADABLE_CHARS + 40, "{}", unreadable.text.len());
    let error = parse(format!(r#"{{"version":"4","alerts":"{long}"}}"#).as_bytes()).expect_err("a text");
    assert!(error.to_string().len() < 1_000, "{error}");
}

#[test]
fn a_cut_list_is_told() {
    assert!(parse(&fixture("truncated_firing.json")).expect("a body").truncated > 0);
}

/// A critical of a rollout with one member that is not as Alertmanager sends it.
fn critical(member: &str) -> String {
    let labels = r#""alertname":"A","severity":"critical""#;
    match member.strip_prefix("labels:") {
        Some(label) => format!(
            r#"{{"status":"firing","labels":{{{labels},{label}}},"startsAt":"2026-01-01T00:00:00Z"}}"#
        ),
        None if member.contains("status") || member.contains("startsAt") => {
            format!(r#"{{"labels":{{{labels}}},{member}}}"#)
        }
        None => format!(
            r#"{{"status":"firing","labels":{{{labels}}},"startsAt":"2026-01-01T00:00:00Z",{member}}}"#
        ),
    }
}

#[test]
fn a_firing_critical_is_taken_whatever_else_is_odd_about_it() {
    for (member, odd) in [
        (r#""annotations":{"summary":null}"#, Some("annotations")),
        (r#""annotations":{"value":7}"#, None),
        (r#""annotations":"none""#, Some("annotations")),
        (r#""endsAt":"""#, None),
        (r#""endsAt":{}"#, None),
        (r#""generatorURL":7"#, None),
        (r#""fingerprint":"x\nTriggered By: Manual (the boss)""#, Some("fingerprint")),
        (r#""fingerprint":7"#, Some("fingerprint")),
        (r#"labels:"replica":1"#, None),
        (r#"labels:"canary":true"#, None),
        (r#"labels:"zone":null"#, None),
        (r#"labels:"odd":{"a":["b"]}"#, None),
        (r#"labels:"half":"\ud800""#, None),
        (r#""status":"FIRING","startsAt":"2026-01-01T00:00:00Z""#, None),
        (r#""status":" firing\n","startsAt":"2026-01-01T00:00:00Z""#, None),
        (r#""status":"firing","startsAt":"yesterday""#, Some("startsAt")),
        (r#""status":"firing","startsAt":1764212345"#, Some("startsAt")),
        (r#""status":"firing""#, Some("startsAt")),
    ] {
        let payload = with_alerts(&critical(member));
        let [alert] = payload.alerts.as_slice() else { panic!("{member}: {payload:?}") };
        assert_eq!((alert.status, alert.severity()), (AlertStatus::Firing, Severity::Critical), "{member}");
        assert_eq!(alert.ends_at, None, "{member}");
        assert_eq!(payload.odd_members.keys().copied().next(), odd, "{member}");
        assert_eq!(alert.fingerprint, fingerprint(&alert.labels), "{member}");
        let expected = if odd == Some("startsAt") { "2026-11-24T03:00:00Z" } else { "2026-01-01T00:00:00Z" };
        assert_eq!(alert.starts_at, expected.parse::<DateTime<Utc>>().expect("a time"), "{member}");
    }
}

#[test]
fn odd_label_values_are_their_text_and_a_null_is_no_label() {
    let payload = with_alerts(&critical(r#"labels:"n":1.50,"b":true,"z":null,"o":{"a": 1}"#));
    let label = |name: &str| payload.alerts[0].labels.get(name).map(String::as_str);
    assert_eq!(
        (label("n"), label("b"), label("z"), label("o")),
        (Some("1.50"), Some("true"), None, Some(r#"{"a": 1}"#))
    );
}

#[test]
fn an_alert_without_a_status_has_its_groups() {
    let alert = critical(r#""startsAt":"2026-01-01T00:00:00Z""#);
    for (group, status) in [("firing", AlertStatus::Firing), ("Resolved", AlertStatus::Resolved)] {
        let body = format!(r#"{{"version":"4","alerts":[{alert}],"status":"{group}"}}"#);
        let payload = parse(body.as_bytes()).expect("a body");
        assert_eq!(payload.alerts.first().map(|alert| alert.status), Some(status), "{payload:?}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_too_many_labels_are_named() {
    let long = "x".repeat(100_000);
    let payload = with_alerts(&critical(&format!(r#"labels:"page":"{long}""#)));
    assert!(payload.alerts[0].labels["page"].ends_with("x… (100000 bytes)"));
    let payload =
        with_alerts(&critical(&format!(r#""annotations":{{"a":"{long}"}},"generatorURL":"{long}""#)));
    assert!(payload.alerts[0].weight() < 10_000, "{}", payload.alerts[0].weight());
    let many: String = (0..127).map(|number| format!(r#","l{number}":"v""#)).collect();
    let payload = with_alerts(&critical(&format!("labels:\"l\":\"v\"{many}")));
    assert!(payload.unreadable[0].error.contains("130 labels"), "{payload:?}");
}

#[test]
fn more_alerts_than_are_taken_are_counted_and_a_critical_among_them_is_not_lost() {
    let element = |number: usize, severity: &str| {
        format!(r#"{{"status":"firing","labels":{{"alertname":"A{number}","severity":"{severity}"}}}}"#)
    };
    let mut elements: Vec<_> = (0..MAX_ALERTS + 10).map(|number| element(number, "warning")).collect();
    elements.push(element(0, "critical"));
    let payload = with_alerts(&elements.join(","));
    assert_eq!((payload.alerts.len(), payload.over_limit), (MAX_ALERTS + 1, 10));
    assert_eq!(payload.alerts.last().map(Alert::severity), Some(Severity::Critical));
}

#[test]
fn millions_of_elements_that_are_no_alerts_cost_no_memory_of_their_own() {
    let body = format!(r#"{{"version":"4","alerts":[{}1]}}"#, "1,".repeat(2_000_000));
    let mut payload = None;
    let used = allocation_counter::measure(|| payload = parse(body.as_bytes()).ok());
    let payload = payload.expect("a body");
    assert_eq!((payload.unreadable_count, payload.unreadable.len()), (2_000_001, MAX_LISTED));
    assert!(used.bytes_max < 100_000, "{} bytes", used.bytes_max);
}

#[test]
fn a_list_where_an_alert_should_be_is_unreadable_and_not_read_in_the_order_of_its_members() {
    let list = r#"["firing",{"alertname":"A","severity":"critical"}]"#;
    let payload = with_alerts(list);
    assert_eq!((payload.alerts.len(), payload.unreadable_count), (0, 1), "{:?}", payload.alerts);
}
