//! What the unit tests of every room begin with.

mod ramp;

use chrono::{DateTime, Utc};

pub(crate) use ramp::{RampStory, criterion};

use super::{Alert, AlertStatus, Fingerprint, Labels, OpenedIncident, Reason, Revision, Severity, Trigger};

/// A firing alert with these labels and nothing else.
pub(crate) fn firing(fingerprint: &str, labels: &[(&str, &str)], starts_at: DateTime<Utc>) -> Alert {
    Alert {
        fingerprint: Fingerprint::new(fingerprint),
        status: AlertStatus::Firing,
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        annotations: Labels::default(),
        starts_at,
        ends_at: None,
        generator_url: String::new(),
        mapped_severity: None,
    }
}

/// How a warning opens an incident.
pub(crate) fn opened_by_warning(cause: &str) -> OpenedIncident {
    OpenedIncident {
        revision: Revision::new("v1.4.0"),
        stage: None,
        share: None,
        share_read_at: None,
        severity: Severity::Warning,
        reason: Reason::WarningAlert,
        cause: cause.to_owned(),
        trigger: Trigger::Automatic,
        alert: None,
    }
}

/// A notice that goes to these channels.
pub(crate) fn raised(number: u32, fact: super::NoticeFact, to: &[&str]) -> super::Event {
    super::Event::NoticeRaised {
        kind: fact.kind(),
        id: Some(super::NoticeId(number)),
        fact: Some(Box::new(fact)),
        stage: None,
        share: None,
        to: to.iter().map(|name| super::ChannelName::new(*name)).collect(),
        text: String::new(),
    }
}
