//! `backstop incident`: what a person does about an incident, without looking up the API.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::actor::Actor;
use super::client::{Client, ClientError};
use super::output::{Output, fail, print, print_json, progress};
use super::status::{incident_text, time};
use super::{Common, Outcome, check_config};
use crate::clock::{Clock, SystemClock};
use crate::incident::Phase;
use crate::text::shown;
use crate::web::{IncidentView, NotificationView};

/// Said where there is nothing to list or to look at.
const NONE_AT_ALL: &str = "there is no incident";

/// A span with its unit, such as `30m`; a bare number is refused.
fn span(text: &str) -> Result<std::time::Duration, String> {
    let span = humantime::parse_duration(text);
    if text.trim_start().starts_with('-') || span.as_ref().is_ok_and(std::time::Duration::is_zero) {
        return Err("a hold lasts some time from now; write such as 30m, or end one with `resume`".to_owned());
    }
    span.map_err(|error| format!("{error}; write such as 30m or 1h 30m"))
}

/// Flags of `incident`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Without an id, the only open incident is meant; to show and report, where none is open, the latest.
Examples:
  backstop incident list --state grace
  backstop incident hold --for=30m
  backstop incident report spark-trading-20261104-030405-0001 > report.md
  backstop incident close spark-trading-20261104-030405-0001 --reason=\"switched off by hand\""
)]
pub(super) struct IncidentArgs {
    #[command(subcommand)]
    command: IncidentCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum IncidentCommand {
    /// List incidents, the newest first.
    List {
        #[arg(long)]
        rollout: Option<String>,
        /// Only in this state.
        #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Phase::NAMES))]
        state: Option<String>,
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
    },
    /// Show one incident with its decisions.
    Show {
        /// Its id; the only open one if left out, or else the latest.
        id: Option<String>,
    },
    /// Report what happened, what was done and what is open; as JSON with the times of a post-mortem.
    Report {
        /// Its id; the only open one if left out, or else the latest.
        id: Option<String>,
        /// Markdown unless asked otherwise, also by --output json.
        #[arg(long, value_enum)]
        format: Option<ReportFormat>,
    },
    /// Stop its grace: nothing is rolled back for it until the hold ends.
    Hold {
        #[command(flatten)]
        target: Target,
        /// For how long, such as 30m; the rollout's setting if left out, 24h at most.
        #[arg(long = "for", value_name = "TIME", value_parser = span, allow_hyphen_values = true)]
        span: Option<std::time::Duration>,
    },
    /// End a hold now: its alerts are asked for again.
    Resume {
        #[command(flatten)]
        target: Target,
    },
    /// Record that somebody has taken note.
    Acknowledge {
        #[command(flatten)]
        target: Target,
    },
    /// Close it without doing anything more.
    Close {
        #[command(flatten)]
        target: Target,
        /// Why, in words; it stands in the record.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    Markdown,
    Json,
}

#[derive(Debug, Clone, Args)]
struct Target {
    /// Its id; the only open one if left out.
    id: Option<String>,
    #[command(flatten)]
    actor: Actor,
}

/// Why there is nothing to act on, or what went wrong.
enum Stopped {
    NoneOpen,
    /// There has never been one, as far as is kept.
    NoneAtAll,
    SeveralOpen(Vec<String>),
    Client(ClientError),
}

impl From<ClientError> for Stopped {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

pub(super) async fn run(args: &IncidentArgs, common: &Common) -> Outcome {
    let Some(config) = check_config::load(common) else { return Outcome::Usage };
    let client = match Client::new(&config) {
        Ok(client) => client,
        Err(error) => return fail(error, Outcome::Failed),
    };
    let done = match &args.command {
        IncidentCommand::List { rollout, state, limit } => {
            let query = listing(rollout.as_deref(), state.as_deref(), *limit);
            client
                .get::<Vec<IncidentView>>(&query)
                .await
                .map(|found| list(&found, rollout.is_some() || state.is_some(), common.output))
                .map_err(Stopped::from)
        }
        IncidentCommand::Show { id } => show(&client, id.as_deref(), common.output).await,
        IncidentCommand::Report { id, format } => {
            let of_output =
                if common.output == Output::Json { ReportFormat::Json } else { ReportFormat::Markdown };
            report(&client, id.as_deref(), format.unwrap_or(of_output)).await
        }
        IncidentCommand::Hold { target, span } => {
            let span = span.map(|span| humantime::format_duration(span).to_string());
            let body = json!({ "actor": target.actor.name(), "for": span });
            act(&client, target, "hold", body, common.output).await
        }
        IncidentCommand::Resume { target } => {
            act(&client, target, "resume", json!({ "actor": target.actor.name() }), common.output).await
        }
        IncidentCommand::Acknowledge { target } => {
            act(&client, target, "acknowledge", json!({ "actor": target.actor.name() }), common.output).await
        }
        IncidentCommand::Close { target, reason } => {
            let body = json!({ "actor": target.actor.name(), "reason": reason });
            act(&client, target, "close", body, common.output).await
        }
    };
    match done {
        Ok(outcome) => outcome,
        Err(Stopped::NoneOpen) => fail("no incident is open", Outcome::NothingToDo),
        Err(Stopped::NoneAtAll) => fail(NONE_AT_ALL, Outcome::NothingToDo),
        Err(Stopped::SeveralOpen(ids)) => {
            fail(format!("several incidents are open, name one: {}", ids.join(", ")), Outcome::Usage)
        }
        Err(Stopped::Client(error)) => fail(shown(&error.to_string()), Outcome::Failed),
    }
}

fn listing(rollout: Option<&str>, state: Option<&str>, limit: u64) -> String {
    let limit = limit.to_string();
    let pairs = [("limit", Some(limit.as_str())), ("rollout", rollout), ("state", state)];
    let asked = pairs.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    let url = reqwest::Url::parse_with_params("http://server/", asked).ok();
    let query = url.and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
    format!("/api/v1/incidents?{query}")
}

fn list(found: &[IncidentView], is_filtered: bool, output: Output) -> Outcome {
    match output {
        Output::Json => print_json(&found),
        Output::Text if found.is_empty() && is_filtered => print("there is no incident like that"),
        Output::Text if found.is_empty() => print(NONE_AT_ALL),
        Output::Text => {
            let now = SystemClock.now();
            found.iter().for_each(|incident| print(incident_text(incident, now).trim_start()));
        }
    }
    if found.is_empty() { Outcome::NothingToDo } else { Outcome::Done }
}

/// The incident that is meant: the one that is named or, if exactly one is open, that.
async fn target(client: &Client, id: Option<&str>) -> Result<String, Stopped> {
    if let Some(id) = id {
        return Ok(id.to_owned());
    }
    let rollouts: Vec<crate::web::RolloutView> = client.get("/api/v1/rollouts").await?;
    let open = rollouts.into_iter().filter_map(|rollout| rollout.incident);
    let mut open: Vec<_> =
        open.filter(|incident| incident.next.is_some()).map(|incident| incident.id).collect();
    match (open.pop(), open.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Stopped::NoneOpen),
        (Some(last), false) => {
            open.push(last);
            Err(Stopped::SeveralOpen(open))
        }
    }
}

/// The incident to look at: the one that is named, the only open one or, if none is, the latest. What
/// was not named is said, beside the data.
async fn to_look_at(client: &Client, id: Option<&str>) -> Result<String, Stopped> {
    let (id, which) = match target(client, id).await {
        Ok(open) if id.is_none() => (open, "the only open incident"),
        Err(Stopped::NoneOpen) => {
            let latest: Vec<IncidentView> = client.get(&listing(None, None, 1)).await?;
            let latest = latest.into_iter().next().ok_or(Stopped::NoneAtAll)?;
            (latest.id, "no incident is open; the latest")
        }
        named => return named,
    };
    progress(format!("{which}: {}", shown(&id)));
    Ok(id)
}

/// Part of a path: whatever was typed, it names an incident and nothing else.
fn path(id: &str) -> String {
    let mut url = reqwest::Url::parse("http://server/api/v1/incidents").ok();
    if let Some(mut segments) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        segments.push(id);
    }
    url.map_or_else(String::new, |url| url.path().to_owned())
}

async fn report(client: &Client, id: Option<&str>, format: ReportFormat) -> Result<Outcome, Stopped> {
    let path = format!("{}/report", path(&to_look_at(client, id).await?));
    match format {
        ReportFormat::Json => print(client.get_json_text(&format!("{path}?format=json")).await?),
        // It may be another server's, or a template's: what steers a terminal does not get there.
        ReportFormat::Markdown => {
            let text = client.get_text(&format!("{path}?format=markdown")).await?;
            text.lines().for_each(|line| print(shown(line)));
        }
    }
    Ok(Outcome::Done)
}

async fn show(client: &Client, id: Option<&str>, output: Output) -> Result<Outcome, Stopped> {
    let id = to_look_at(client, id).await?;
    let incident: IncidentView = client.get(&path(&id)).await?;
    match output {
        Output::Json => print_json(&incident),
        Output::Text => print(incident_and_decisions(&incident, SystemClock.now())),
    }
    Ok(Outcome::Done)
}

fn incident_and_decisions(incident: &IncidentView, now: DateTime<Utc>) -> String {
    let mut lines = vec![incident_text(incident, now).trim_start().to_owned()];
    let decisions = incident.decisions.iter();
    lines.extend(decisions.map(|note| format!("  {}  {}", time(note.at), shown(&note.text))));
    lines.extend(incident.notifications.iter().filter_map(told));
    lines.extend(incident.evidence.iter().map(|file| format!("  evidence {}", shown(&file.name))));
    lines.join("\n")
}

/// Whom a notice reached, and whom not; none for one that goes nowhere.
fn told(notice: &NotificationView) -> Option<String> {
    let channels = notice.channels.iter().map(|told| {
        let error = told.error.as_deref().map_or_else(String::new, |error| format!(" ({})", shown(error)));
        format!("{} {}{error}", shown(&told.channel), shown(&told.state).replace('_', " "))
    });
    let channels = channels.collect::<Vec<_>>().join(", ");
    (!channels.is_empty()).then(|| format!("  {}  told {}: {channels}", time(notice.at), shown(&notice.kind)))
}

async fn act(
    client: &Client,
    wanted: &Target,
    verb: &str,
    body: Value,
    output: Output,
) -> Result<Outcome, Stopped> {
    let id = target(client, wanted.id.as_deref()).await?;
    let incident: IncidentView = client.post(&format!("{}/{verb}", path(&id)), &body).await?;
    match output {
        Output::Json => print_json(&incident),
        Output::Text => print(incident_text(&incident, SystemClock.now()).trim_start()),
    }
    Ok(Outcome::Done)
}
