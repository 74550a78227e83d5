//! Alertmanager's webhook payload, version 4, from 0.22 on (reference notes on Alertmanager, section 1).
//!
//! Lenient where versions differ: unknown members are ignored, missing ones defaulted. Each alert
//! is parsed alone, so that a bad one never spoils its neighbours.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::incident::{Alert, AlertStatus, Fingerprint};
use crate::text::kept;

/// A body that was understood.
#[derive(Debug, Default, PartialEq)]
pub struct Payload {
    /// The alerts that could be read, in the order they came.
    pub alerts: Vec<Alert>,
    /// Those that could not.
    pub malformed: Vec<MalformedAlert>,
    /// How many alerts the sender cut off: then nothing may be concluded about the group.
    pub truncated: u64,
}

/// An alert that could not be read.
#[derive(Debug, PartialEq, Eq)]
pub struct MalformedAlert {
    /// Its place in the list, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: String,
    /// Its text, cut to a length that may be kept.
    pub text: String,
}

/// Why a body is not version 4 JSON.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Not JSON, or not of the payload's shape.
    #[error(
        "not an Alertmanager webhook body: {0}; send the default payload, without `payload:` in the receiver's configuration"
    )]
    Shape(String),
    /// Another version.
    #[error(
        "webhook payload version {0:?} is not known; this receiver reads version \"4\" (Alertmanager 0.22 and newer)"
    )]
    Version(String),
}

#[derive(Deserialize)]
struct Body<'a> {
    version: String,
    #[serde(borrow, default)]
    alerts: Option<Vec<&'a RawValue>>,
    #[serde(rename = "truncatedAlerts", default)]
    truncated_alerts: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAlert {
    status: AlertStatus,
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    starts_at: DateTime<Utc>,
    #[serde(default)]
    ends_at: Option<DateTime<Utc>>,
    #[serde(rename = "generatorURL", default)]
    generator_url: Option<String>,
    #[serde(default)]
    fingerprint: Option<String>,
}

/// Parses a body.
///
/// # Errors
/// See [`PayloadError`]. Bad alerts inside a good body are no error, they are listed.
pub fn parse(body: &[u8]) -> Result<Payload, PayloadError> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(|error| PayloadError::Shape(told(&error)))?;
    if body.version != "4" {
        return Err(PayloadError::Version(kept(&body.version)));
    }
    let mut payload = Payload { truncated: body.truncated_alerts.unwrap_or(0), ..Payload::default() };
    for (index, raw) in body.alerts.unwrap_or_default().into_iter().enumerate() {
        match alert(raw) {
            Ok(alert) => payload.alerts.push(alert),
            Err(error) => payload.malformed.push(MalformedAlert { index, error, text: kept(raw.get()) }),
        }
    }
    Ok(payload)
}

fn alert(raw: &RawValue) -> Result<Alert, String> {
    let wire: WireAlert = serde_json::from_str(raw.get()).map_err(|error| told(&error))?;
    if wire.labels.is_empty() {
        return Err("it has no labels, so it has no identity".to_owned());
    }
    let ends_at = match wire.status {
        // While firing Alertmanager sends the year 1: no end.
        AlertStatus::Firing => None,
        AlertStatus::Resolved => wire.ends_at.map(milliseconds),
    };
    let fingerprint = match wire.fingerprint.filter(|text| !text.is_empty()) {
        Some(text) => Fingerprint::new(text),
        // Senders other than Alertmanager may leave it out; the labels are the identity.
        None => fingerprint(&wire.labels),
    };
    Ok(Alert {
        fingerprint,
        status: wire.status,
        labels: wire.labels.into(),
        annotations: wire.annotations.unwrap_or_default().into(),
        starts_at: milliseconds(wire.starts_at),
        ends_at,
        generator_url: wire.generator_url.unwrap_or_default(),
    })
}

/// An error in words. It quotes what it found, and a stranger's text may be as long as the body.
fn told(error: &serde_json::Error) -> String {
    kept(&error.to_string())
}

/// Alertmanager's fingerprint: FNV-1a 64 over the sorted labels, `name 0xff value 0xff`.
fn fingerprint(labels: &BTreeMap<String, String>) -> Fingerprint {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes =
        labels.iter().flat_map(|(name, value)| name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    Fingerprint::new(format!("{hash:016x}"))
}

/// Webhooks carry what the sender told, to the nanosecond; Alertmanager's API cuts its times to
/// milliseconds (reference notes on Alertmanager, section 5). Cut alike, a reconciled alert is the
/// one that its webhook brought, and not ever again a new one.
fn milliseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!((payload.alerts.len(), payload.malformed.len()), (alerts, 0), "{name}");
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
            r#"{"status":"firing","labels":{"a":1},"startsAt":"2026-01-01T00:00:00Z"}"#,
            r#"{"status":"firing","labels":{"a":"b"},"startsAt":"yesterday"}"#,
        ] {
            let payload = with_alerts(&format!("{good},{bad},{good}"));
            assert_eq!((payload.alerts.len(), payload.malformed.len()), (2, 1), "{bad}");
            assert_eq!(payload.malformed[0].index, 1);
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
        for body in ["", "[]", "{}", "null", "<xml/>", r#"{"version":4}"#, r#"{"version":"4","alerts":{}}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(PayloadError::Shape(_))), "{body}");
        }
        let error = parse(br#"{"version":"5","alerts":[]}"#).expect_err("version 5");
        assert!(error.to_string().contains("version \"4\""), "{error}");
    }

    #[test]
    fn no_error_repeats_more_of_a_body_than_may_be_kept() {
        let long = "x".repeat(100_000);
        let bad = format!(r#"{{"status":"{long}","labels":{{"a":"b"}},"startsAt":"{long}"}}"#);
        let malformed = &with_alerts(&bad).malformed[0];
        assert!(malformed.error.len() < 1_000 && malformed.text.len() < 1_000, "{malformed:?}");
        let error = parse(format!(r#"{{"version":"4","alerts":"{long}"}}"#).as_bytes()).expect_err("a text");
        assert!(error.to_string().len() < 1_000, "{error}");
    }

    #[test]
    fn a_cut_list_is_told() {
        assert!(parse(&fixture("truncated_firing.json")).expect("a body").truncated > 0);
    }
}
