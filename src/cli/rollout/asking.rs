//! What a person asks of a ramp.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{StartArgs, Target, ramp_lines};
use crate::cli::client::{Client, ClientError};
use crate::cli::output::{Output, fail, print, print_json, progress};
use crate::cli::{Outcome, rollback};
use crate::text::shown;
use crate::web::{IncidentView, RampView};

/// Names of refusals that say that there is nothing to act on.
const NOTHING_TO_ACT_ON: [&str; 1] = ["not_running"];

/// Where a rollout's ramp is, and what is asked of it. The name is one of the configuration's, which has
/// no characters that a path could take for its own.
pub(super) fn path(rollout: &str, verb: Option<&str>) -> String {
    let verb = verb.map(|verb| format!("/{verb}")).unwrap_or_default();
    format!("/api/v1/rollouts/{rollout}/ramp{verb}")
}

pub(super) fn stopped(error: &ClientError) -> Outcome {
    let outcome = match error {
        ClientError::Refused { refusal: Some(name), .. } if NOTHING_TO_ACT_ON.contains(&name.as_str()) => {
            Outcome::NothingToDo
        }
        _ => Outcome::Failed,
    };
    fail(shown(&error.to_string()), outcome)
}

pub(super) fn report(ramp: &RampView, output: Output) {
    match output {
        Output::Json => print_json(ramp),
        Output::Text => print(ramp_lines(ramp).join("\n")),
    }
}

pub(super) async fn start(
    client: &Client,
    rollout: &str,
    args: &StartArgs,
    output: Output,
) -> Result<Outcome, ClientError> {
    let duration = args.stage_duration.map(|span| humantime::format_duration(span).to_string());
    let body = json!({
        "actor": args.target.actor.name(),
        "through": "command_line",
        "revision": args.revision,
        "stages": args.stages,
        "stage_duration": duration,
        "again": args.again,
        "reason": args.reason,
        "yes": args.yes,
    });
    let ramp: RampView = client.post(&path(rollout, None), &body).await?;
    report(&ramp, output);
    Ok(Outcome::Done)
}

/// Asks for what is answered at once.
pub(super) async fn ask(
    client: &Client,
    (rollout, verb): (&str, &str),
    target: &Target,
    members: &[(&str, Value)],
    output: Output,
) -> Result<Outcome, ClientError> {
    let mut body: Map<String, Value> =
        members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    body.insert("actor".to_owned(), target.actor.name().into());
    let ramp: RampView = client.post(&path(rollout, Some(verb)), &body.into()).await?;
    report(&ramp, output);
    Ok(Outcome::Done)
}

/// Ends it, and waits for the rollback as `backstop rollback` does.
pub(super) async fn abort(
    client: &Client,
    (rollout, wait): (&str, Duration),
    target: &Target,
    reason: &str,
    output: Output,
) -> Result<Outcome, ClientError> {
    let body = json!({ "actor": target.actor.name(), "reason": reason });
    let ramp: RampView = client.post(&path(rollout, Some("abort")), &body).await?;
    let Some(incident) = &ramp.incident else {
        // The canary never had traffic: there is nothing to roll back.
        report(&ramp, output);
        return Ok(Outcome::Done);
    };
    progress(format!("{}: {}", shown(&ramp.id), shown(&ramp.state_sentence)));
    let incident: IncidentView = client.get(&format!("/api/v1/incidents/{incident}")).await?;
    let incident = rollback::wait_for_end(client, incident, wait).await?;
    Ok(rollback::report(&incident, output))
}
