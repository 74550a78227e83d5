//! One alert as it stands in a webhook.
//!
//! While an alert fires only its labels and its status matter. Whatever else can't be read (an
//! annotation that is a number, an `endsAt` that is empty) is left out and named, because an alert
//! that is thrown away for it is a rollback that doesn't happen.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::incident::{Alert, AlertStatus, Fingerprint};
use crate::text::kept_within;

/// The most labels of one alert, and of annotations that are stored. Alertmanager has no limit;
/// Mimir allows 30 labels, and a state of thousands of alerts must fit into memory.
const MAX_LABELS: usize = 128;

/// The most bytes of all names and values of its labels.
const MAX_LABELS_BYTES: usize = 16 << 10;

/// The longest value of a label or annotation, and the longest `generatorURL`: what is longer is
/// cut. Mimir allows 2,048; a template that prints a whole page must not cost the alert.
const MAX_VALUE_CHARS: usize = 4_096;

/// What the body says for all of its alerts.
pub(super) struct Group {
    /// For an alert without a status of its own.
    pub(super) status: Option<AlertStatus>,
    /// For an alert whose beginning can't be read.
    pub(super) received_at: DateTime<Utc>,
}

/// Why an alert can't be read, and so can't be acted upon.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it is no object")]
    NoObject,
    #[error("it is no alert: {0}")]
    Shape(serde_json::Error),
    #[error("it has no status that can be read, neither \"firing\" nor \"resolved\"")]
    Status,
    #[error("its labels can't be read: {0}")]
    Labels(serde_json::Error),
    #[error("it has no labels, so it has no identity")]
    NoLabels,
    #[error("it has {count} labels of {bytes} bytes; at most {MAX_LABELS} of {MAX_LABELS_BYTES} are taken")]
    TooManyLabels { count: usize, bytes: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAlert<'a> {
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    labels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    starts_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ends_at: Option<&'a RawValue>,
    #[serde(borrow, rename = "generatorURL", default)]
    generator_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    fingerprint: Option<&'a RawValue>,
}

/// Reads one alert; what is odd about it and doesn't matter is counted by member.
pub(super) fn alert(
    raw: &RawValue,
    group: &Group,
    odd: &mut BTreeMap<&'static str, usize>,
) -> Result<Alert, Unreadable> {
    // Millions of `1,1,1` must not cost an error of the parser each.
    if !raw.get().starts_with('{') {
        return Err(Unreadable::NoObject);
    }
    let wire: WireAlert<'_> = serde_json::from_str(raw.get()).map_err(Unreadable::Shape)?;
    let status = wire.status.map_or(group.status, self::status).ok_or(Unreadable::Status)?;
    let labels = labels(wire.labels)?;
    let mut noted = |member, is_odd: bool| {
        if is_odd {
            *odd.entry(member).or_default() += 1;
        }
    };
    let annotations = wire.annotations.map(annotations);
    noted("annotations", annotations.as_ref().is_some_and(|(_, odd)| *odd));
    let starts_at = wire.starts_at.and_then(time);
    noted("startsAt", starts_at.is_none());
    let ends_at = match status {
        // While firing Alertmanager sends the year 1: no end.
        AlertStatus::Firing => None,
        AlertStatus::Resolved => {
            let ends_at = wire.ends_at.and_then(time);
            noted("endsAt", ends_at.is_none());
            ends_at
        }
    };
    let told = wire.fingerprint.and_then(text).filter(|told| !told.is_empty());
    let fingerprint = told.as_deref().and_then(hexadecimal);
    noted("fingerprint", told.is_some() && fingerprint.is_none());
    Ok(Alert {
        // Senders other than Alertmanager may leave it out; the labels are the identity.
        fingerprint: fingerprint.unwrap_or_else(|| of_labels(&labels)),
        status,
        labels: labels.into(),
        annotations: annotations.map_or_else(BTreeMap::new, |(read, _)| read).into(),
        starts_at: milliseconds(starts_at.unwrap_or(group.received_at)),
        ends_at: ends_at.map(milliseconds),
        generator_url: wire.generator_url.and_then(text).unwrap_or_default(),
        mapped_severity: None,
    })
}

/// A status, whatever its case and the blanks around it.
pub(super) fn status(raw: &RawValue) -> Option<AlertStatus> {
    match text(raw)?.trim().to_ascii_lowercase().as_str() {
        "firing" => Some(AlertStatus::Firing),
        "resolved" => Some(AlertStatus::Resolved),
        _ => None,
    }
}

fn labels(raw: Option<&RawValue>) -> Result<BTreeMap<String, String>, Unreadable> {
    let raw = raw.ok_or(Unreadable::NoLabels)?;
    let pairs: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).map_err(Unreadable::Labels)?;
    // An empty label and none are the same to Prometheus; so is one that is null.
    let labels: BTreeMap<_, _> =
        pairs.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect();
    let (count, bytes) = (labels.len(), labels.iter().map(|(name, value)| name.len() + value.len()).sum());
    match count {
        0 => Err(Unreadable::NoLabels),
        1..=MAX_LABELS if bytes <= MAX_LABELS_BYTES => Ok(labels),
        _ => Err(Unreadable::TooManyLabels { count, bytes }),
    }
}

/// What can be read of the annotations, and whether something could not.
fn annotations(raw: &RawValue) -> (BTreeMap<String, String>, bool) {
    let Ok(pairs) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()) else {
        return (BTreeMap::new(), true);
    };
    let (mut read, mut bytes, all) = (BTreeMap::new(), 0, pairs.len());
    for (name, value) in pairs {
        let Some(value) = text(value) else { continue };
        bytes += name.len() + value.len();
        if read.len() < MAX_LABELS && bytes <= MAX_LABELS_BYTES {
            read.insert(name, value);
        }
    }
    let odd = read.len() < all;
    (read, odd)
}

/// A value as text: a text itself, of anything else how it is written. `None`: null.
fn text(raw: &RawValue) -> Option<String> {
    let written = raw.get();
    let text = match written.as_bytes().first() {
        Some(b'n') => return None,
        // Half of a surrogate pair is no text; how it is written still distinguishes two values.
        Some(b'"') => serde_json::from_str(written).unwrap_or_else(|_| written.to_owned()),
        _ => written.to_owned(),
    };
    Some(if text.len() > MAX_VALUE_CHARS { kept_within(&text, MAX_VALUE_CHARS) } else { text })
}

fn time(raw: &RawValue) -> Option<DateTime<Utc>> {
    serde_json::from_str(raw.get()).ok()
}

/// A fingerprint is 16 hexadecimal digits. Anything else could forge a line where it is printed.
fn hexadecimal(told: &str) -> Option<Fingerprint> {
    let is_one = told.len() == 16 && told.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| Fingerprint::new(told.to_ascii_lowercase()))
}

/// Alertmanager's fingerprint: FNV-1a 64 over the sorted labels, `name 0xff value 0xff`.
pub(super) fn of_labels(labels: &BTreeMap<String, String>) -> Fingerprint {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let bytes =
        labels.iter().flat_map(|(name, value)| name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]));
    let hash = bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    Fingerprint::new(format!("{hash:016x}"))
}

/// Webhooks carry the sender's times to the nanosecond; Alertmanager's API cuts them to milliseconds
/// (reference notes on Alertmanager, section 5). Cut alike, a reconciled alert is the one that its
/// webhook brought, and not ever again a new one.
fn milliseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(3)
}
