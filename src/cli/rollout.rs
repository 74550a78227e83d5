//! `backstop rollout`: the staged ramp of a revision, through the running server.

mod asking;
mod text;
mod watching;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::actor::Actor;
use super::client::Client;
use super::output::fail;
use super::{Common, Outcome, check_config};
use asking::{abort, ask, start, stopped};
#[cfg(feature = "demo")]
pub(super) use text::progress_lines;
pub(super) use text::{ended_line, ramp_lines};

/// Before a ramp starts the server asks everybody who will have to answer later, for half a minute at most.
const ANSWERED_WITHIN: Duration = Duration::from_secs(35);

/// Flags of `rollout`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "The rollout may be left out when only one is configured.
Examples:
  backstop rollout start --revision v1.4.0
  backstop rollout start --revision v1.4.0 --stages 1,10,100 --stage-duration 20m
  backstop rollout status --watch
  backstop rollout pause --reason \"the market opens\"
  backstop rollout promote --force --reason \"the exporter is down, the logs are clean\"
  backstop rollout abort --reason \"customers complain\"

Exit codes: 0 done, 1 failed or refused, 2 usage or configuration, 3 nothing to do.
status --watch ends with 0 only when the ramp has succeeded; abort ends as `backstop rollback` does.")]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    command: RolloutCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum RolloutCommand {
    /// Start a ramp: the canary's share rises stage by stage, as long as every criterion passes.
    Start(StartArgs),
    /// Show the ramp that runs, or the last that ran.
    Status {
        /// Which rollout.
        rollout: Option<String>,
        /// Say what changes until the ramp has ended.
        #[arg(long)]
        watch: bool,
    },
    /// Stop its stage's clock, and nothing else: alerts act as ever.
    Pause {
        #[command(flatten)]
        target: Target,
        /// Why, in words; it stands in the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let a paused ramp go on.
    Resume {
        #[command(flatten)]
        target: Target,
    },
    /// Say that its stage may be left, where a person has to.
    Approve {
        #[command(flatten)]
        target: Target,
    },
    /// Enough waiting: leave the stage without its remaining time, once its criteria pass.
    Promote {
        #[command(flatten)]
        target: Target,
        /// To the last stage at once.
        #[arg(long)]
        full: bool,
        /// In spite of criteria that don't pass.
        #[arg(long, requires = "reason")]
        force: bool,
        /// Why, in words; it stands in the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End it with a rollback, at once and in every state.
    Abort {
        #[command(flatten)]
        target: Target,
        /// Why, in words; it stands in the evidence.
        #[arg(long)]
        reason: String,
        /// How long to wait for the rollback's verdict.
        #[arg(long, value_parser = humantime::parse_duration, default_value = "15m", value_name = "TIME")]
        wait: Duration,
    },
}

#[derive(Debug, Clone, Args)]
struct Target {
    /// Which rollout.
    rollout: Option<String>,
    #[command(flatten)]
    actor: Actor,
}

#[derive(Debug, Clone, Args)]
struct StartArgs {
    #[command(flatten)]
    target: Target,
    /// The revision that is on canary, at 0 %.
    #[arg(long)]
    revision: String,
    /// The shares in per cent, ascending, the last 100; the configuration's if left out.
    #[arg(long, value_delimiter = ',', value_name = "PERCENT,…")]
    stages: Option<Vec<i64>>,
    /// How long each stage lasts at least, such as 15m; the configuration's if left out.
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME")]
    stage_duration: Option<Duration>,
    /// Although the revision was rolled back before.
    #[arg(long, requires = "reason")]
    again: bool,
    /// Why again, in words; it stands in the record.
    #[arg(long, requires = "again")]
    reason: Option<String>,
    /// What has to be confirmed is known.
    #[arg(long)]
    yes: bool,
}

impl RolloutCommand {
    fn rollout(&self) -> Option<&str> {
        let named = match self {
            Self::Status { rollout, .. } => rollout,
            Self::Start(StartArgs { target, .. })
            | Self::Pause { target, .. }
            | Self::Resume { target }
            | Self::Approve { target }
            | Self::Promote { target, .. }
            | Self::Abort { target, .. } => &target.rollout,
        };
        named.as_deref()
    }
}

pub(super) async fn run(args: &RolloutArgs, common: &Common) -> Outcome {
    let Some(config) = check_config::open(common) else { return Outcome::Usage };
    let name = match check_config::chosen(&config, args.command.rollout(), "name a rollout") {
        Ok(rollout) => rollout.name.as_str(),
        Err(outcome) => return outcome,
    };
    let client = match Client::patient(&config, ANSWERED_WITHIN) {
        Ok(client) => client,
        Err(error) => return fail(error, Outcome::Failed),
    };
    let output = common.output;
    let client = &client;
    let done = match &args.command {
        RolloutCommand::Start(args) => start(client, name, args, output).await,
        RolloutCommand::Status { watch: true, .. } => watching::watch(client, name, output).await,
        RolloutCommand::Status { .. } => watching::show(client, name, output).await,
        RolloutCommand::Pause { target, reason } => {
            ask(client, (name, "pause"), target, &[("reason", json!(reason))], output).await
        }
        RolloutCommand::Resume { target } => ask(client, (name, "resume"), target, &[], output).await,
        RolloutCommand::Approve { target } => {
            ask(client, (name, "approve"), target, &[("through", json!("command_line"))], output).await
        }
        RolloutCommand::Promote { target, full, force, reason } => {
            let members = [("full", json!(full)), ("force", json!(force)), ("reason", json!(reason))];
            ask(client, (name, "promote"), target, &members, output).await
        }
        RolloutCommand::Abort { target, reason, wait } => {
            abort(client, (name, *wait), target, reason, output).await
        }
    };
    done.unwrap_or_else(|error| stopped(&error))
}
