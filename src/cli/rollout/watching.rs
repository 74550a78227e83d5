//! How a ramp stands: once, or until it has ended.

use std::time::Duration;

use super::asking::{path, report};
use crate::cli::Outcome;
use crate::cli::client::{Client, ClientError};
use crate::cli::output::{Output, print, progress};
use crate::incident::{GateVerdict, HoldReason};
use crate::text::shown;
use crate::web::RampView;

/// How often the server is asked: verdicts come every quarter of a minute by default, and people look.
const POLL: Duration = Duration::from_secs(1);

pub(super) async fn show(client: &Client, rollout: &str, output: Output) -> Result<Outcome, ClientError> {
    match client.get::<RampView>(&path(rollout, None)).await {
        Ok(ramp) => {
            report(&ramp, output);
            Ok(Outcome::Done)
        }
        Err(ClientError::Refused { status: 404, message, .. }) => {
            progress(shown(&message));
            Ok(Outcome::NothingToDo)
        }
        Err(error) => Err(error),
    }
}

/// Says what changes until the ramp has ended. A server that restarts meanwhile is waited for: a ramp
/// survives that, and so does who looks at it.
pub(super) async fn watch(client: &Client, rollout: &str, output: Output) -> Result<Outcome, ClientError> {
    let mut last: Option<Shown> = None;
    let mut is_gone = false;
    loop {
        match client.get::<RampView>(&path(rollout, None)).await {
            Ok(ramp) => {
                is_gone = false;
                let now = Shown::of(&ramp);
                if last.as_ref() != Some(&now) {
                    line_or_lines(&ramp, output);
                    last = Some(now);
                }
                if !ramp.is_running {
                    let is_good = ramp.state == "succeeded";
                    return Ok(if is_good { Outcome::Done } else { Outcome::Failed });
                }
            }
            Err(error @ ClientError::Down { .. }) if last.is_some() => {
                if !is_gone {
                    progress(format!("{}; it is asked again until it answers", shown(&error.to_string())));
                }
                is_gone = true;
            }
            Err(ClientError::Refused { status: 404, message, .. }) => {
                progress(shown(&message));
                return Ok(Outcome::NothingToDo);
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// One document a line, for whoever reads line by line.
fn line_or_lines(ramp: &RampView, output: Output) {
    match (output, serde_json::to_string(ramp)) {
        (Output::Json, Ok(line)) => print(line),
        (Output::Json, Err(error)) => progress(format!("error: can't be printed as JSON: {error}")),
        (Output::Text, _) => report(ramp, output),
    }
}

/// What is worth saying again when it changes; values and times change all the time.
#[derive(Debug, PartialEq)]
struct Shown {
    id: String,
    state: String,
    stage: usize,
    has_begun: bool,
    holds: Vec<HoldReason>,
    verdicts: Vec<GateVerdict>,
    by_people: (bool, bool, bool),
}

impl Shown {
    fn of(ramp: &RampView) -> Self {
        Self {
            id: ramp.id.clone(),
            state: ramp.state.clone(),
            stage: ramp.stage,
            has_begun: ramp.stage_began_at.is_some(),
            holds: ramp.holds.clone(),
            verdicts: ramp.criteria.iter().map(|criterion| criterion.verdict).collect(),
            by_people: (ramp.paused.is_some(), ramp.approval.is_some(), ramp.promotion.is_some()),
        }
    }
}
