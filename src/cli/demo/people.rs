//! What people saw of the demo, in Slack and on the pager.

use std::time::Duration;

use anyhow::ensure;

use crate::demo::people::People;
use crate::demo::stage::{CHANNEL, Stage};
use crate::text::shown;
use crate::web::IncidentView;

/// How long people may be told after the last incident has ended.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

/// Shows the thread and the page as people would have seen them.
pub(super) async fn saw(stage: &Stage, rolled_back: &IncidentView, told: fn(&str)) -> anyhow::Result<()> {
    let is_told = |people: &People| {
        let threads = people.slack().threads(CHANNEL);
        let says = |text: &str| threads.iter().any(|thread| thread.root.current().text.contains(text));
        (says("ROLLED BACK") && says("RECOVERED")).then_some(())
    };
    stage.people.wait_until("both ends in Slack", TOLD_WITHIN, is_told).await?;
    told("\nwhat people saw (Slack and PagerDuty are played by a server that records):\n");
    told(&stage.people.slack().transcript(CHANNEL));
    let pagerduty = stage.people.pagerduty();
    ensure!(!pagerduty.alerts.is_empty(), "nobody was paged for {}", rolled_back.id);
    for alert in &pagerduty.alerts {
        let events = alert.events.iter();
        let events = events.map(|event| format!("{} at {}", event.action, event.at.format("%H:%M:%S")));
        let (summary, events) = (shown(&alert.summary), events.collect::<Vec<_>>().join(", "));
        told(&format!("PagerDuty ({}): {summary}\n    {events}", shown(&alert.severity)));
    }
    Ok(())
}
