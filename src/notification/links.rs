//! Where a message leads: the incident, its runbook, a dashboard.

use reqwest::Url;

use super::{Message, Place};
use crate::incident::Incident;

/// The longest address that every channel takes.
const MAX_URL_CHARS: usize = 2_000;

/// An address with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub text: &'static str,
    /// http or https, and escaped as URLs are: an alert's annotation may be anything.
    pub url: String,
}

/// The message's links, the incident first. What is no address of the web is left out: a `javascript:`
/// in a runbook's place would be one press away.
#[must_use]
pub fn links(message: &Message, place: &Place) -> Vec<Link> {
    let incident = message.subject.incident();
    let named = [
        ("Incident", incident.map(|incident| place.incident_url(&incident.id))),
        ("Report", incident.and_then(|incident| report(incident, place))),
        ("Runbook", incident.and_then(runbook)),
        ("Dashboard", place.dashboard_url.clone()),
    ];
    let web = |url: String| Url::parse(&url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    let named = named.into_iter().filter_map(|(text, url)| Some((text, web(url?)?.to_string())));
    named.filter(|(_, url)| url.len() <= MAX_URL_CHARS).map(|(text, url)| Link { text, url }).collect()
}

fn report(incident: &Incident, place: &Place) -> Option<String> {
    incident.phase.is_closed().then(|| place.report_url(&incident.id))
}

/// That of the alert that caused the rollback, or else opened the incident.
fn runbook(incident: &Incident) -> Option<String> {
    let attached = incident.alerts.find(&incident.cause().alert?)?;
    attached.alert.annotations.get("runbook_url").cloned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::incident::{Event, NoticeKind};
    use crate::notification::{Subject, fixtures};

    #[test]
    fn a_message_leads_to_its_incident_the_causes_runbook_and_the_dashboard() {
        let message = fixtures::message(NoticeKind::RollbackFailed);
        let found = links(&message, &fixtures::place());
        let found: Vec<_> = found.iter().map(|link| (link.text, link.url.as_str())).collect();
        let incident = format!("https://backstop.example/api/v1/incidents/{}", message.subject.id());
        assert_eq!(
            found,
            [
                ("Incident", incident.as_str()),
                ("Runbook", "https://runbooks.example/error-rate"),
                ("Dashboard", "https://grafana.example/d/spark-canary"),
            ]
        );
        let closed = fixtures::message(NoticeKind::RollbackEnded);
        let report = format!("https://backstop.example/api/v1/incidents/{}/report", closed.subject.id());
        assert_eq!(links(&closed, &fixtures::place())[1], Link { text: "Report", url: report });
        let watchdog = links(&fixtures::message(NoticeKind::WatchdogLost), &fixtures::place());
        assert_eq!(watchdog.iter().map(|link| link.text).collect::<Vec<_>>(), ["Dashboard"]);
    }

    fn with_runbook(url: &str) -> Message {
        let message = fixtures::message(NoticeKind::GraceOpened);
        let mut incident = message.subject.incident().expect("an incident").clone();
        let mut attached = incident.alerts.first().expect("an alert").as_ref().clone();
        attached.alert.annotations = [("runbook_url".to_owned(), url.to_owned())].into_iter().collect();
        incident.apply(message.notice.at, &Event::AlertAttached(attached));
        Message { subject: Subject::Incident(Arc::new(incident)), ..message }
    }

    #[test]
    fn what_is_no_address_of_the_web_or_is_endless_is_left_out() {
        for (url, expected) in [
            ("javascript:alert(1)", None),
            ("runbooks/error-rate", None),
            ("https://runbooks.example/a b\n<", Some("https://runbooks.example/a%20b%3C")),
        ] {
            let message = with_runbook(url);
            let found = links(&message, &fixtures::place());
            let found = found.iter().find(|link| link.text == "Runbook").map(|link| link.url.as_str());
            assert_eq!(found, expected, "{url}");
        }
        let message = fixtures::longest_message(NoticeKind::RollbackStarted);
        assert!(links(&message, &fixtures::longest_place()).is_empty(), "every one is too long");
    }
}
