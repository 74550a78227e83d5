//! Alertmanager's webhook payload, version 4, from 0.22 on (reference notes on Alertmanager, section 1).
//!
//! Lenient where versions differ: unknown members are ignored, missing ones defaulted. Each alert
//! is read alone, so that a bad one never spoils its neighbours, and one after the other, so that a
//! body of a million elements costs no more memory than what is accepted of it.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::wire::{self, Group, Unreadable};
use crate::incident::{Alert, AlertStatus, Severity, SeverityMap};
use crate::text::{kept, kept_within};

/// Alerts that are accepted of one body: twice the largest that is known (10,000). Criticals may be
/// as many again, since a storm of warnings must not hide one.
pub const MAX_ALERTS: usize = 20_000;

/// The memory of those alerts, likewise. Ten thousand with the usual labels take 25 MB.
pub const MAX_ALERTS_BYTES: usize = 64 << 20;

/// Unreadable elements that are listed of one body; the others are only counted. A log line for each
/// of fourteen million would end the process.
pub const MAX_LISTED: usize = 20;

/// The longest text that is stored of one of them: enough to see the rule that it comes from.
const MAX_UNREADABLE_CHARS: usize = 8_192;

/// What a body of version 4 says, within the limits above.
#[derive(Debug, Default, PartialEq)]
pub struct Payload {
    /// The alerts that could be read, in the order they came.
    pub alerts: Vec<Alert>,
    /// The first of those that could not.
    pub unreadable: Vec<UnreadableAlert>,
    /// How many could not be read, listed or not.
    pub unreadable_count: usize,
    /// How many could be read and are more than is accepted of one body.
    pub over_limit: usize,
    /// Members that can't be read, in alerts that were accepted all the same, with how many alerts.
    pub odd_members: BTreeMap<&'static str, usize>,
    /// How many alerts the sender cut off: then nothing may be concluded about the group.
    pub truncated: u64,
    /// [`Alert::weight`] of the alerts together.
    pub bytes: usize,
}

/// An alert that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableAlert {
    /// Its place in the list, from 0.
    pub index: usize,
    pub error: String,
    /// Its text, cut to a length that may be stored.
    pub text: String,
}

/// Why a body is not version 4 JSON.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error(
        "not an Alertmanager webhook body: {0}; send the default payload, without `payload:` in the receiver's configuration"
    )]
    Shape(String),
    #[error(
        "webhook payload version {0:?} is not known; this receiver reads version \"4\" (Alertmanager 0.22 and newer)"
    )]
    Version(String),
}

#[derive(Deserialize)]
struct Body<'a> {
    version: String,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    alerts: Option<&'a RawValue>,
    #[serde(borrow, rename = "truncatedAlerts", default)]
    truncated_alerts: Option<&'a RawValue>,
}

/// Parses a body that was received then; `severities` are the organisation's own words.
///
/// # Errors
/// See [`PayloadError`]. Bad alerts inside a good body are no error, they are listed.
pub fn parse(
    body: &[u8],
    received_at: DateTime<Utc>,
    severities: &SeverityMap,
) -> Result<Payload, PayloadError> {
    let shape = |error: serde_json::Error| PayloadError::Shape(told(&error));
    if body.trim_ascii_start().first() == Some(&b'[') {
        // Or it would be read as the members' values in their order.
        return Err(PayloadError::Shape("a list where an object is expected".to_owned()));
    }
    let body: Body<'_> = serde_json::from_slice(body).map_err(shape)?;
    if body.version != "4" {
        return Err(PayloadError::Version(kept(&body.version)));
    }
    let truncated = body.truncated_alerts.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let payload = Payload { truncated: truncated.unwrap_or(0), ..Payload::default() };
    let Some(alerts) = body.alerts else { return Ok(payload) };
    let group = Group { status: body.status.and_then(wire::status), received_at };
    let elements = Elements { group, severities, payload };
    serde_json::Deserializer::from_str(alerts.get()).deserialize_seq(elements).map_err(shape)
}

/// Reads the list one element after the other: only what is accepted stays in memory.
struct Elements<'a> {
    group: Group,
    severities: &'a SeverityMap,
    payload: Payload,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of alerts")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Payload, A::Error> {
        let mut index = 0;
        while let Some(raw) = list.next_element::<&'de RawValue>()? {
            match wire::alert(raw, &self.group, &mut self.payload.odd_members) {
                Ok(alert) => self.take(alert.read_with(self.severities)),
                Err(why) => self.unreadable(index, &why, raw),
            }
            index += 1;
        }
        Ok(self.payload)
    }
}

impl Elements<'_> {
    fn take(&mut self, alert: Alert) {
        let urgent = alert.status == AlertStatus::Firing && alert.severity() == Severity::Critical;
        let shares = if urgent { 2 } else { 1 };
        let bytes = self.payload.bytes + alert.weight();
        if self.payload.alerts.len() < shares * MAX_ALERTS && bytes <= shares * MAX_ALERTS_BYTES {
            self.payload.bytes = bytes;
            self.payload.alerts.push(alert);
        } else {
            self.payload.over_limit += 1;
        }
    }

    fn unreadable(&mut self, index: usize, why: &Unreadable, raw: &RawValue) {
        self.payload.unreadable_count += 1;
        if self.payload.unreadable.len() < MAX_LISTED {
            let text = kept_within(raw.get(), MAX_UNREADABLE_CHARS);
            self.payload.unreadable.push(UnreadableAlert { index, error: kept(&why.to_string()), text });
        }
    }
}

/// An error in words. It quotes what it found, and a stranger's text may be as long as the body.
fn told(error: &serde_json::Error) -> String {
    kept(&error.to_string())
}

#[cfg(test)]
mod tests;
