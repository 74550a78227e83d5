//! What people saw of the demo, in Slack and on the pager.

use std::time::Duration;

use anyhow::ensure;

use crate::demo::people::People;
use crate::demo::served::{CHANNEL, Served};
use crate::text::shown;
use crate::web::IncidentView;

/// How long people may be told after the last incident has ended.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

/// Shows the thread and the page as people would have seen them, once the threads say each of `ends`.
pub(super) async fn saw(
    served: &Served,
    rolled_back: &IncidentView,
    ends: &[&str],
    told: fn(&str),
) -> anyhow::Result<()> {
    let is_told = |people: &People| {
        let threads = people.slack().threads(CHANNEL);
        let says = |text: &str| threads.iter().any(|thread| thread.root.current().text.contains(text));
        ends.iter().all(|end| says(end)).then_some(())
    };
    served.people.wait_until("all ends in Slack", TOLD_WITHIN, is_told).await?;
    told("\nwhat people saw (Slack and PagerDuty are played by a server that records):\n");
    told(&served.people.slack().transcript(CHANNEL));
    let pagerduty = served.people.pagerduty();
    ensure!(!pagerduty.alerts.is_empty(), "nobody was paged for {}", rolled_back.id);
    for alert in &pagerduty.alerts {
        let events = alert.events.iter();
        let events = events.map(|event| format!("{} at {}", event.action, event.at.format("%H:%M:%S")));
        let (summary, events) = (shown(&alert.summary), events.collect::<Vec<_>>().join(", "));
        told(&format!("PagerDuty ({}): {summary}\n    {events}", shown(&alert.severity)));
    }
    Ok(())
}
