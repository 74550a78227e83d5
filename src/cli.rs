//! The command line. Data goes to stdout, progress and errors to stderr; `--output json` on all
//! that print data. Exit codes: 0 done, 1 failed, 2 usage, 3 nothing to do.

mod actor;
mod check_config;
mod client;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod evidence;
mod incident;
mod notify;
mod output;
mod rollback;
mod rollout;
mod rules;
mod serve;
mod snapshot;
mod standalone;
mod status;
mod style;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use output::{Output, fail};

/// How a command ended. Scripts rely on the exit code of each. To `check-config` a configuration that
/// is not valid is a failure: it was understood, and did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed,
    /// The command can't be understood, or its configuration is not valid.
    Usage,
    NothingToDo,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::from(0),
            Outcome::Failed => Self::from(1),
            Outcome::Usage => Self::from(2),
            Outcome::NothingToDo => Self::from(3),
        }
    }
}

/// The safety net under a canary deployment: alerts in, a verified rollback out, with evidence.
#[derive(Debug, Parser)]
#[command(name = "backstop", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Examples:
  backstop demo                                     see it work, without any configuration
  backstop check-config --config backstop.toml      every problem at once
  backstop serve --config backstop.toml             run it
  backstop rollback --reason=\"checkout broken\" --stage=3
  backstop incident hold --for=30m --actor=ada      the only open one
  backstop rollout start --revision v1.4.0          1, 5, 25, 50 and 100 %
  backstop evidence verify

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 nothing to do.
check-config ends with 1 when the configuration is not valid. A rollback ends with
1 also when it was carried out and its evidence could not be written.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    #[arg(long, global = true, value_name = "FILE", default_value = "backstop.toml")]
    pub config: PathBuf,
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take alerts, decide, roll back, verify, write evidence.
    Serve,
    /// Show the whole flow on this machine in under a minute, without configuration.
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    /// Roll a canary back now, through the running server or without one.
    Rollback(rollback::RollbackArgs),
    /// Show rollouts and open incidents of the running server.
    Status(status::StatusArgs),
    /// List, show or report incidents; hold, resume, acknowledge or close one.
    Incident(incident::IncidentArgs),
    /// Ramp a revision stage by stage: start, status, pause, resume, approve, promote, abort.
    Rollout(rollout::RolloutArgs),
    /// List, show or verify the evidence.
    Evidence(evidence::EvidenceArgs),
    /// Keep what is measured of a stage now, as the protocol's snapshot script does.
    Snapshot(snapshot::SnapshotArgs),
    /// Try whether people would be told.
    Notify(notify::NotifyArgs),
    /// Make the rules for Prometheus and the routes of Alertmanager from the configuration.
    Rules(rules::RulesArgs),
    /// Report every problem of the configuration at once.
    CheckConfig(check_config::CheckArgs),
    /// Look for whatever would stop a rollback, or keep anybody from seeing that one is needed.
    Doctor(doctor::DoctorArgs),
    /// Print shell completions, such as `backstop completions bash > /etc/bash_completion.d/backstop`.
    Completions { shell: clap_complete::Shell },
}

/// Runs a command and returns the process' exit code.
pub fn run(cli: Cli) -> ExitCode {
    crate::logging::catch_panics();
    // A rollback's exit code says what became of the rollback, even where its output was not written.
    let acts = matches!(cli.command, Command::Rollback(_));
    let outcome = match outcome(cli) {
        Outcome::Done if !acts && !output::is_data_complete() => Outcome::Failed,
        outcome => outcome,
    };
    crate::logging::flush();
    outcome.into()
}

fn outcome(cli: Cli) -> Outcome {
    // One TLS provider for every client; a second one linked in would panic at the first request.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return fail("another TLS provider was installed first", Outcome::Failed);
    }
    let Cli { command, common } = cli;
    if let Command::Completions { shell } = command {
        return output::completions(shell, &mut Cli::command());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("the runtime can't start: {error}"), Outcome::Failed),
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(&common).await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => demo::run(args, &common).await,
            Command::Rollback(args) => rollback::run(args, &common).await,
            Command::Status(args) => status::run(&args, &common).await,
            Command::Incident(args) => incident::run(&args, &common).await,
            Command::Rollout(args) => rollout::run(&args, &common).await,
            Command::Evidence(args) => evidence::run(&args, &common),
            Command::Snapshot(args) => snapshot::run(&args, &common).await,
            Command::CheckConfig(args) => check_config::run(&args, &common).await,
            Command::Doctor(args) => doctor::run(&args, &common).await,
            Command::Notify(args) => notify::run(&args, &common).await,
            Command::Rules(args) => rules::run(&args, &common).await,
            Command::Completions { .. } => Outcome::Done,
        }
    });
    // Blocking work that was left (evidence on a dead disk) must not hold the process.
    runtime.shutdown_background();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_protocols_rollback_flags_are_understood() {
        let parsed = Cli::try_parse_from(["backstop", "rollback", "--reason=CSP storm", "--stage=2"]);
        assert!(parsed.is_ok(), "{parsed:?}");
        assert!(Cli::try_parse_from(["backstop", "rollback"]).is_err(), "a reason is needed");
        assert!(Cli::try_parse_from(["backstop", "rollback", "--reason=x", "--stage=6"]).is_err());
    }
}
