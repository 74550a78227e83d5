//! What happens, line by line, as Backstop's API tells it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::POLL;
use crate::demo::served::Served;
use crate::text::shown;
use crate::web::IncidentView;

/// Prints what is new, with the seconds since the start.
pub(super) struct Timeline {
    started: Instant,
    told: fn(&str),
    seen: BTreeMap<String, (usize, usize)>,
}

impl Timeline {
    pub(super) fn new(started: Instant, told: fn(&str)) -> Self {
        Self { started, told, seen: BTreeMap::new() }
    }

    pub(super) fn say(&self, text: &str) {
        (self.told)(&format!("{:>5.1} s  {text}", self.started.elapsed().as_secs_f64()));
    }

    /// Shows the incidents' news until one of them is as wanted.
    pub(super) async fn until(
        &mut self,
        served: &Served,
        wanted: impl Fn(&IncidentView) -> bool,
    ) -> anyhow::Result<IncidentView> {
        loop {
            let mut incidents: Vec<IncidentView> = served.get("/api/v1/incidents").await?;
            incidents.sort_by_key(|incident| incident.opened_at);
            incidents.iter().for_each(|incident| self.news(incident));
            if let Some(incident) = incidents.into_iter().next_back().filter(|incident| wanted(incident)) {
                return Ok(incident);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn news(&mut self, incident: &IncidentView) {
        let (decisions, steps) = self.seen.get(&incident.id).copied().unwrap_or_default();
        for note in incident.decisions.iter().skip(decisions) {
            self.say(&format!("  {}", shown(&note.text)));
        }
        for step in incident.steps.iter().skip(steps) {
            for attempt in &step.attempts {
                let status =
                    attempt.answer.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                let read = attempt.read_back.map_or_else(|| "not read".to_owned(), |share| share.to_string());
                self.say(&format!(
                    "  to {}: {}: answered {status}, read back: {read}",
                    step.step.words(),
                    shown(&attempt.request)
                ));
            }
        }
        self.seen.insert(incident.id.clone(), (incident.decisions.len(), incident.steps.len()));
    }
}

/// The body that Alertmanager would post for one alert.
pub(super) fn body(
    name: &str,
    severity: &str,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
) -> String {
    let status = if ends_at.is_some() { "resolved" } else { "firing" };
    let labels = serde_json::json!({
        "alertname": name, "severity": severity, "rollout": "spark-trading", "canary_rollback": "true"
    });
    let ends_at = ends_at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_rfc3339());
    let alert = serde_json::json!({
        "status": status, "labels": labels, "annotations": { "summary": "posted by the demo" },
        "startsAt": starts_at.to_rfc3339(), "endsAt": ends_at, "generatorURL": ""
    });
    serde_json::json!({
        "receiver": "backstop", "status": status, "alerts": [alert], "groupLabels": labels, "commonLabels": labels,
        "commonAnnotations": {}, "externalURL": "", "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0
    })
    .to_string()
}
