//! `backstop status`

use clap::Args;

use super::client::Client;
use super::output::{Output, fail, print, print_json};
use super::{Common, Outcome, check_config};
use crate::web::{IncidentView, RolloutView};

/// Flags of `status`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: backstop status --rollout spark-trading --output json")]
pub(super) struct StatusArgs {
    /// Only this rollout.
    #[arg(long)]
    rollout: Option<String>,
}

pub(super) async fn run(args: &StatusArgs, common: &Common) -> Outcome {
    let Some(config) = check_config::open(common) else { return Outcome::Usage };
    let fetched = async {
        let client = Client::new(&config)?;
        match &args.rollout {
            None => client.get::<Vec<RolloutView>>("/api/v1/rollouts").await,
            Some(name) => client.get(&format!("/api/v1/rollouts/{name}")).await.map(|one| vec![one]),
        }
    };
    match fetched.await {
        Ok(rollouts) => {
            match common.output {
                Output::Json => print_json(&rollouts),
                Output::Text => rollouts.iter().for_each(|rollout| print(rollout_text(rollout))),
            }
            Outcome::Done
        }
        Err(error) => fail(error, Outcome::Failed),
    }
}

fn rollout_text(rollout: &RolloutView) -> String {
    let share = rollout.share_percent.map_or_else(|| "unknown".to_owned(), |share| format!("{share} %"));
    let mut lines =
        vec![format!("{}  {}  canary {} at {share}", rollout.name, rollout.mode, rollout.revision)];
    if !rollout.firing_alerts.is_empty() {
        lines.push(format!("  firing: {}", rollout.firing_alerts.join(", ")));
    }
    if rollout.watchdog_lost {
        lines.push(format!(
            "  NO WATCHDOG for {} s: missing data is not trusted; check Prometheus and Alertmanager",
            rollout.watchdog_age_seconds
        ));
    }
    if rollout.unrecorded_events > 0 {
        lines.push(format!(
            "  STORE CAN'T BE WRITTEN: {} events are only in memory; free space or mend the disk, don't restart",
            rollout.unrecorded_events
        ));
    }
    match &rollout.incident {
        Some(incident) => lines.push(incident_text(incident)),
        None => lines.push("  no incident".to_owned()),
    }
    lines.join("\n")
}

/// One incident in a few lines; what needs a person stands out.
pub(super) fn incident_text(incident: &IncidentView) -> String {
    let state = if incident.state == "failed" { "FAILED".to_owned() } else { incident.state.clone() };
    let mut text = format!("  {}  {state}  {} ({})", incident.id, incident.cause, incident.reason);
    if let Some(ends_at) = incident.grace_ends_at.filter(|_| incident.state == "grace") {
        text.push_str(&format!("\n    decided at {ends_at}"));
    }
    if let Some(verification) = &incident.verification {
        text.push_str(&format!("\n    verdict {}", verification.verdict.as_str()));
    }
    if incident.state == "failed" {
        let why = incident.notifications.last().map_or("", |notification| notification.text.as_str());
        let noted = incident.acknowledged_by.as_deref().unwrap_or("nobody yet");
        text.push_str(&format!("\n    {why}\n    acknowledged by {noted}"));
    }
    text
}
