//! `backstop notify test`: whether people would hear of a rollback, asked before there is one.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use futures_util::future::join_all;
use serde::Serialize;

use super::output::{Output, fail, print, print_json};
use super::{Common, Outcome, check_config, style};
use crate::app::build_channels;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::incident::ChannelName;
use crate::notification::{CALL_TIMEOUT, Channel, SendError};
use crate::outbound::Connections;
use crate::pipeline::Channels;
use crate::text::shown;

/// The longest that a channel is waited for: a test or a look may take several calls, and a person
/// waits.
const PATIENCE: Duration = Duration::from_secs(3 * CALL_TIMEOUT.as_secs());

/// What to say where there is none.
pub(super) const NO_CHANNEL: &str = "no channel is configured: Backstop tells nobody";

/// Flags of `notify`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop notify test                    through every configured channel
  backstop notify test --channel slack

Needs no running server. Exit code: 0 if each said that it has the message, 1 if one did not,
3 if no channel is configured.")]
pub(super) struct NotifyArgs {
    #[command(subcommand)]
    command: NotifyCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum NotifyCommand {
    /// Send one message that is marked as a test, and say what came back.
    Test {
        /// Only through this one.
        #[arg(long)]
        channel: Option<String>,
    },
}

/// What one channel said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Said {
    pub(super) channel: String,
    pub(super) ok: bool,
    /// What came back, or was looked at, a sentence each.
    pub(super) findings: Vec<String>,
    pub(super) error: Option<String>,
}

pub(super) async fn run(args: &NotifyArgs, common: &Common) -> Outcome {
    let NotifyCommand::Test { channel } = &args.command;
    let Some(config) = check_config::open(common) else { return Outcome::Usage };
    let channels = match built(&config) {
        Ok(channels) => channels,
        Err(error) => return fail(error, Outcome::Failed),
    };
    if let Some(unknown) = channel.as_deref().filter(|name| !channels.keys().any(|key| key.as_str() == *name))
    {
        let known = channels.keys().map(ChannelName::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none" } else { &known };
        return fail(
            shown(&format!("no channel {unknown} is configured; there is: {known}")),
            Outcome::Usage,
        );
    }
    let said = tested(&channels, channel.as_deref(), SystemClock.now()).await;
    match common.output {
        Output::Json => print_json(&said),
        Output::Text if said.is_empty() => print(NO_CHANNEL),
        Output::Text => said.iter().for_each(|said| print(said_text(said))),
    }
    outcome(&said)
}

/// The channels of the configuration.
///
/// # Errors
/// In words: why a client can't be built.
pub(super) fn built(config: &Config) -> Result<Channels, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    build_channels(config, &mut Connections::default(), &clock).map_err(|error| shown(&format!("{error:#}")))
}

fn outcome(said: &[Said]) -> Outcome {
    match said {
        [] => Outcome::NothingToDo,
        said if said.iter().all(|said| said.ok) => Outcome::Done,
        _ => Outcome::Failed,
    }
}

/// Sends a test through each channel, or through the one that is named; all at once.
async fn tested(channels: &Channels, only: Option<&str>, now: DateTime<Utc>) -> Vec<Said> {
    let meant = channels.values().filter(|channel| only.is_none_or(|name| channel.name().as_str() == name));
    let tests = meant.map(|channel| async move {
        let said = within(channel.test(now)).await.map(|answer| vec![answer]);
        Said::of(channel, said.map_err(may_have_arrived))
    });
    join_all(tests).await
}

/// Asks each channel whether it could be used; sends nothing.
pub(super) async fn checked(channels: &Channels) -> Vec<Said> {
    let checks =
        channels.values().map(|channel| async move { Said::of(channel, within(channel.check()).await) });
    join_all(checks).await
}

async fn within<T>(asked: impl Future<Output = Result<T, SendError>>) -> Result<T, SendError> {
    let late = |_| SendError::Unknown { error: format!("no answer within {} s", PATIENCE.as_secs()) };
    tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
}

/// Says so, where a second test might be a second message.
fn may_have_arrived(error: SendError) -> SendError {
    match error {
        SendError::Unknown { error } => {
            SendError::Unknown { error: format!("{error} (it may have arrived all the same)") }
        }
        other => other,
    }
}

impl Said {
    fn of(channel: &Arc<dyn Channel>, said: Result<Vec<String>, SendError>) -> Self {
        let channel = channel.name().to_string();
        match said {
            Ok(findings) => Self { channel, ok: true, findings, error: None },
            Err(error) => Self { channel, ok: false, findings: Vec::new(), error: Some(error.to_string()) },
        }
    }
}

/// One line for a channel, or one for each thing that was found.
pub(super) fn said_text(said: &Said) -> String {
    let channel = shown(&said.channel);
    let findings = said.findings.iter().map(|found| format!("{channel}: {}", shown(found)));
    let mut lines: Vec<_> = findings.collect();
    match &said.error {
        Some(error) => lines.push(style::alarm(&format!("{channel}: FAILED: {}", shown(error)))),
        None if lines.is_empty() => lines.push(format!("{channel}: ok")),
        None => {}
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
