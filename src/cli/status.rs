//! `backstop status`

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;

use super::client::Client;
use super::output::{Output, fail, print, print_json};
use super::{Common, Outcome, check_config, rollout, style};
use crate::pipeline::Trying;
use crate::text::shown;
use crate::web::{GivenUpView, IncidentView, RolloutView, UndeliveredView};

/// Flags of `status`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: backstop status --rollout spark-trading --output json")]
pub(super) struct StatusArgs {
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
        Err(error) => fail(shown(&error.to_string()), Outcome::Failed),
    }
}

fn rollout_text(rollout: &RolloutView) -> String {
    let mut lines = vec![format!(
        "{}  {}  canary {} {}",
        style::bold(&shown(&rollout.name)),
        shown(&rollout.mode),
        shown(&rollout.revision),
        share(rollout)
    )];
    if let Some(seen) = &rollout.target {
        lines.push(format!("  in the cluster: {}", seen.words()));
        lines.extend(seen.warnings.iter().map(|text| style::warning(&format!("  {}", shown(text)))));
        lines.extend(
            seen.obstacle.iter().map(|obstacle| {
                style::alarm(&format!("  CAN'T BE ROLLED BACK as it is: {}", shown(obstacle)))
            }),
        );
    }
    if !rollout.firing_alerts.is_empty() {
        let alerts: Vec<_> = rollout.firing_alerts.iter().map(|name| shown(name)).collect();
        lines.push(format!("  firing: {}", style::warning(&alerts.join(", "))));
    }
    if rollout.watchdog_lost {
        lines.push(style::alarm(&format!(
            "  NO WATCHDOG for {} s: missing data is not trusted; check Prometheus and Alertmanager",
            rollout.watchdog_age_seconds
        )));
    }
    if !rollout.store_healthy && rollout.unrecorded_events == 0 {
        lines.push(style::alarm(
            "  STORE CAN'T BE WRITTEN: alerts will be acted upon, and what is decided is only in memory; free space or mend the disk",
        ));
    }
    if rollout.unrecorded_events > 0 {
        lines.push(style::alarm(&format!(
            "  STORE CAN'T BE WRITTEN: {} events are only in memory; free space or mend the disk, don't restart",
            rollout.unrecorded_events
        )));
    }
    if !rollout.evidence_healthy {
        lines.push(style::alarm(
            "  EVIDENCE can't be written where it belongs, or its record is broken, as the log says: run `backstop evidence verify`",
        ));
    }
    lines.extend(rollout.undelivered.iter().filter_map(|waiting| untold(waiting, rollout.now)));
    lines.extend(rollout.given_up.iter().map(|given_up| refused(given_up, rollout.now)));
    lines.extend(ramp(rollout));
    match &rollout.incident {
        Some(incident) => {
            lines.push(incident_text(incident, rollout.now));
            lines.extend(rollout.trying.as_ref().map(|trying| trying_text(trying, rollout.now)));
        }
        None => lines.push("  no incident".to_owned()),
    }
    lines.join("\n")
}

/// The ramp that runs, whole; of one that has ended, how.
fn ramp(rollout: &RolloutView) -> Vec<String> {
    let lines = match &rollout.ramp {
        Some(ramp) if ramp.is_running => rollout::ramp_lines(ramp),
        Some(ramp) => vec![rollout::ended_line(ramp)],
        None => Vec::new(),
    };
    lines.into_iter().map(|line| format!("  {line}")).collect()
}

/// Who has not been told, and why. What was raised a moment ago and not refused is on its way.
fn untold(waiting: &UndeliveredView, now: DateTime<Utc>) -> Option<String> {
    const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(10);
    let age = now - waiting.since;
    if waiting.last_error.is_none() && age < ON_ITS_WAY {
        return None;
    }
    let messages = match waiting.messages {
        1 => "1 message waits".to_owned(),
        number => format!("{number} messages wait"),
    };
    let error = waiting.last_error.as_deref().map(|error| format!("; last error: {}", shown(error)));
    let next = waiting.next_try_at.map(|at| format!("; next try {}", due(at, now)));
    let (channel, since) = (shown(&waiting.channel), time(waiting.since));
    let rest = error.into_iter().chain(next).collect::<String>();
    Some(style::alarm(&format!(
        "  {channel} has not been told since {since} ({}): {messages}{rest}",
        ago(age)
    )))
}

/// What a channel did not take, which is sent to it no more.
fn refused(given_up: &GivenUpView, now: DateTime<Utc>) -> String {
    let messages = match given_up.messages {
        1 => "a message".to_owned(),
        number => format!("{number} messages"),
    };
    let (channel, error) = (shown(&given_up.channel), shown(&given_up.error));
    let (at, age) = (time(given_up.last_at), ago(now - given_up.last_at));
    style::alarm(&format!(
        "  {channel} REFUSED {messages} for good, the last at {at} ({age}), and none has arrived since: {error}"
    ))
}

/// What a step that has not ended has sent, and what came of it.
fn trying_text(trying: &Trying, now: DateTime<Utc>) -> String {
    let requests = match trying.requests {
        1 => "1 request".to_owned(),
        number => format!("{number} requests"),
    };
    let sent = ago(now - trying.last_sent_at);
    let answer = trying.last_answer.as_deref().map_or_else(|| "no answer yet".to_owned(), shown);
    style::warning(&format!("    {requests} sent so far, the last {sent}: {answer}"))
}

/// The share, since when, and how fresh that is: a decision rests on it.
fn share(rollout: &RolloutView) -> String {
    let Some(share) = rollout.share_percent else {
        return style::warning("at an unknown share: it can't be read, or was not yet");
    };
    let since = rollout.share_since.map(|at| format!(" since {} ({})", time(at), ago(rollout.now - at)));
    let read = rollout.share_read_at.map(|at| format!(", read {}", ago(rollout.now - at)));
    let stage = rollout.stage.map(|stage| format!(" (stage {stage})")).unwrap_or_default();
    format!("at {share} %{stage}{}{}", since.unwrap_or_default(), read.unwrap_or_default())
}

/// One incident in a few lines; what needs a person stands out. `now` is the server's time.
pub(super) fn incident_text(incident: &IncidentView, now: DateTime<Utc>) -> String {
    let mut lines = vec![format!(
        "  {}  {}  {}, {} ({})",
        shown(&incident.id),
        state(incident),
        shown(&incident.cause),
        shown(&incident.triggered_by),
        shown(&incident.reason)
    )];
    lines.push(format!("    {}", shown(&incident.state_sentence)));
    if !incident.further_causes.is_empty() {
        let further: Vec<_> = incident.further_causes.iter().map(|cause| shown(&cause.words)).collect();
        lines.push(format!("    also: {}", further.join(", ")));
    }
    if let Some(holder) = &incident.held_by {
        lines.push(format!("    held by {}", shown(holder)));
    }
    if let Some(next) = &incident.next {
        let when = next.at.map_or_else(|| "now".to_owned(), |at| due(at, now));
        lines.push(format!("    next, {when}: {}", shown(&next.what)));
    }
    if let Some(verification) = &incident.verification {
        let verdict = verification.verdict;
        lines.push(format!("    verdict {}: {}", verdict.as_str(), verdict.sentence()));
    }
    if !incident.durable {
        lines.push(style::alarm(
            "    NOT STORED: the store can't be written; if Backstop ends before it can, this is forgotten",
        ));
    }
    if incident.state == "failed" {
        // Each attempt's, where notices become rarer.
        let failed = incident.decisions.iter().rev().find(|decision| decision.event == "failed");
        let why = failed.map_or("", |decision| decision.text.as_str());
        lines.push(style::alarm(&format!("    {}", shown(why))));
    }
    if incident.next.is_some() || incident.acknowledged_by.is_some() {
        let noted = match (&incident.acknowledged_by, &incident.noted_before) {
            (Some(actor), _) => actor.clone(),
            (None, Some(before)) => format!("nobody yet: {before}"),
            (None, None) => "nobody yet".to_owned(),
        };
        lines.push(format!("    acknowledged by {}", shown(&noted)));
    }
    lines.join("\n")
}

fn state(incident: &IncidentView) -> String {
    match incident.state.as_str() {
        "failed" => style::alarm("FAILED"),
        "rolled_back" => style::good("rolled_back"),
        "grace" | "held" | "rolling_back" | "verifying" => style::warning(&incident.state),
        other => shown(other),
    }
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// When something is due, in seconds too: nobody should have to subtract at night.
pub(super) fn due(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (at - now).num_seconds();
    match seconds {
        0.. => format!("in {seconds} s ({})", time(at)),
        _ => format!("due for {} s ({})", -seconds, time(at)),
    }
}

pub(super) fn ago(age: TimeDelta) -> String {
    match age.num_seconds().max(0) {
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests;
