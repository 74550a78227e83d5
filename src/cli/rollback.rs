//! `backstop rollback`: through the running server, or without one when that is what is left.

use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::actor::Actor;
use super::client::{Client, ClientError};
use super::output::{Output, fail, print, print_json, progress};
use super::standalone::{Done, standalone};
use super::{Common, Outcome, check_config, status};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::incident::RolloutName;
use crate::text::shown;
use crate::web::IncidentView;

/// How often the state is asked for while waiting.
pub(super) const POLL: Duration = Duration::from_millis(300);

/// Flags of `rollback`; the first two are those of the protocol's `rollback.sh`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop rollback --reason=\"checkout broken\" --stage=3
  backstop rollback --reason=\"server is down\" --standalone --rollout spark-trading")]
pub(super) struct RollbackArgs {
    /// Why, in words; it stands in the evidence.
    #[arg(long)]
    pub(super) reason: String,
    /// The current stage, 1 to 5; read from the share if left out.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(super) stage: Option<u8>,
    /// Which rollout; may be left out when only one is configured.
    #[arg(long)]
    rollout: Option<String>,
    #[command(flatten)]
    pub(super) actor: Actor,
    /// Act from here, without a server; run it as the server's user. Works also while the server's
    /// store can't be used.
    #[arg(long)]
    standalone: bool,
    /// How long to wait for the verification's verdict.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "15m", value_name = "TIME")]
    pub(super) wait: Duration,
}

pub(super) async fn run(args: RollbackArgs, common: &Common) -> Outcome {
    let Some(config) = check_config::open(common) else { return Outcome::Usage };
    let name = match check_config::chosen(&config, args.rollout.as_deref(), "name one with --rollout") {
        Ok(rollout) => rollout.name.clone(),
        Err(outcome) => return outcome,
    };
    let ended = if args.standalone {
        crate::logging::start();
        // A terminal that goes away, with its connection, must not end a rollback under way.
        let _hangup = signal(SignalKind::hangup());
        standalone(&args, &config, &RolloutName::new(name)).await
    } else {
        through_server(&args, &config, &name).await.map(|view| Done { view, unrecorded: None })
    };
    match ended {
        Ok(Done { view, unrecorded }) => {
            let outcome = report(&view, common.output);
            unrecorded.map_or(outcome, |why| fail(without_evidence(&why), Outcome::Failed))
        }
        Err(error) => fail(shown(&error), Outcome::Failed),
    }
}

/// Whoever reads that the rollback is done must not take its evidence for granted.
fn without_evidence(why: &str) -> String {
    shown(&format!(
        "the evidence could not be written ({why}); keep what was printed here, and run `rollback --standalone` as the server's user or as root, who may write there"
    ))
}

pub(super) fn report(view: &IncidentView, output: Output) -> Outcome {
    match output {
        Output::Json => print_json(view),
        Output::Text => {
            print(status::incident_text(view, SystemClock.now()).trim_start());
            view.evidence.iter().for_each(|file| {
                let folder = file.directory.as_deref().map(|folder| format!(" in {}", shown(folder)));
                print(format!("evidence {}{}", shown(&file.name), folder.unwrap_or_default()));
            });
        }
    }
    match view.state.as_str() {
        "rolled_back" => Outcome::Done,
        "declined" => Outcome::NothingToDo,
        _ => Outcome::Failed,
    }
}

async fn through_server(args: &RollbackArgs, config: &Config, name: &str) -> Result<IncidentView, String> {
    let body = serde_json::json!({ "reason": args.reason, "stage": args.stage, "actor": args.actor.name() });
    let path = format!("/api/v1/rollouts/{name}/rollback");
    let asked = async {
        let client = Client::new(config)?;
        let view: IncidentView = client.post(&path, &body).await?;
        progress(format!("{}: {}", shown(&view.id), shown(&view.state_sentence)));
        wait_for_end(&client, view, args.wait).await
    };
    asked.await.map_err(|error| match error {
        ClientError::Down { .. } | ClientError::NotBackstop { .. } => {
            format!("{error}; roll back without it: add --standalone")
        }
        ClientError::Refused { status: 401 | 403, .. } => {
            format!("{error}; roll back without the server: add --standalone")
        }
        other => other.to_string(),
    })
}

pub(super) async fn wait_for_end(
    client: &Client,
    mut view: IncidentView,
    wait: Duration,
) -> Result<IncidentView, ClientError> {
    let deadline = tokio::time::Instant::now() + wait;
    while !ended(&view.state) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(POLL).await;
        let now: IncidentView = client.get(&format!("/api/v1/incidents/{}", view.id)).await?;
        if now.state != view.state {
            progress(format!("{}: {}", shown(&now.id), shown(&now.state_sentence)));
        }
        view = now;
    }
    Ok(view)
}

/// A failed rollback is tried again for as long as it takes, but the person has to know now.
pub(super) fn ended(state: &str) -> bool {
    ["rolled_back", "declined", "cancelled", "failed", "superseded", "closed"].contains(&state)
}
