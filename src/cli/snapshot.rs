//! `backstop snapshot`: what the protocol's `snapshot-metrics.sh` does, by hand and without a ramp.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::output::{Output, fail, print, print_json, progress};
use super::{Common, Outcome, check_config};
use crate::app::{Parts, build};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, RolloutConfig};
use crate::evidence::{EvidenceDir, Recorded};
use crate::incident::{RolloutName, Share};
use crate::pipeline::StageSnapshot;
use crate::store::MemoryStore;
use crate::text::shown;

/// Flags of `snapshot`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop snapshot 25
  backstop snapshot 100 --directory /tmp/before-the-change

Writes rollout_stage_<percent>.txt, and where Prometheus, Loki or Grafana are configured the stage's gates, its
picture, its log and the dashboard, into a folder of its own. Nothing that lies there is written over.

Exit code: 0 if all that is configured was read and written, 1 if something is missing.")]
pub(super) struct SnapshotArgs {
    /// The stage's share of the traffic in per cent, as the protocol's file names have it.
    #[arg(value_name = "STAGE", value_parser = percent)]
    stage: u8,
    /// Which rollout; may be left out when only one is configured.
    #[arg(long)]
    rollout: Option<String>,
    /// Where the folder is made, in place of the evidence directory.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// `25`, or `25%`.
fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    let share = number.parse().ok().filter(|share| (1..=100).contains(share));
    share.ok_or_else(|| "write the stage's share in per cent, such as 25".to_owned())
}

pub(super) async fn run(args: &SnapshotArgs, common: &Common) -> Outcome {
    let Some(config) = check_config::open(common) else { return Outcome::Usage };
    let rollout = match check_config::chosen(&config, args.rollout.as_deref(), "name one with --rollout") {
        Ok(rollout) => rollout,
        Err(outcome) => return outcome,
    };
    if let Err(error) = is_a_stage(rollout, args.stage) {
        return fail(error, Outcome::Usage);
    }
    match snapshot(args, &config, &RolloutName::new(rollout.name.clone())).await {
        Ok(recorded) => report(&recorded, common.output),
        Err(error) => fail(shown(&error), Outcome::Failed),
    }
}

fn is_a_stage(rollout: &RolloutConfig, percent: u8) -> Result<(), String> {
    let stages = &rollout.ramp.stages;
    if stages.contains(&Share(percent)) {
        return Ok(());
    }
    let stages: Vec<_> = stages.iter().map(|share| share.0.to_string()).collect();
    Err(format!("there is no stage of {percent} %: the stages are {}", stages.join(", ")))
}

async fn snapshot(args: &SnapshotArgs, config: &Config, name: &RolloutName) -> Result<Recorded, String> {
    // Nothing is stored: the folder and its manifest are all that stays.
    let built = build(config, Arc::new(MemoryStore::default()), Arc::new(SystemClock)).await;
    let Parts { worker, .. } = built.map_err(|error| format!("{error:#}"))?;
    let rollout = worker.rollouts.get(name).cloned().ok_or("the rollout is not configured")?;
    let asks_prometheus = config.prometheus.url.is_some();
    let StageSnapshot { id, files, problems } =
        worker.snapshot_of_stage(&rollout, Share(args.stage), asks_prometheus).await;
    if files.is_empty() {
        return Err(format!("nothing could be read: {}", problems.join("; ")));
    }
    let (files, now) = (Arc::from(files), SystemClock.now());
    let written = match &args.directory {
        None => worker.evidence.record_ramp(id, files, now).await,
        Some(directory) => {
            let directory = EvidenceDir::new(directory.clone());
            let write = move || directory.write_ramp(&id, &files, now, &[]);
            tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())?
        }
    };
    let mut recorded = written.map_err(|error| error.in_full())?;
    recorded.problems.splice(0..0, problems);
    Ok(recorded)
}

fn report(recorded: &Recorded, output: Output) -> Outcome {
    let Recorded { files, problems } = recorded;
    match output {
        Output::Json => print_json(&json!({ "files": files, "problems": problems })),
        Output::Text => files.iter().for_each(|file| {
            let folder = file.directory.as_deref().unwrap_or_default();
            print(shown(&format!("{folder}/{}", file.name)));
        }),
    }
    problems.iter().for_each(|problem| progress(format!("ATTENTION: {}", shown(problem))));
    if problems.is_empty() { Outcome::Done } else { Outcome::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_named_by_its_share_with_or_without_its_sign() {
        for (text, expected) in [
            ("25", Some(25)),
            ("25%", Some(25)),
            ("100 %", Some(100)),
            ("0", None),
            ("101", None),
            ("two", None),
        ] {
            assert_eq!(percent(text).ok(), expected, "{text}");
        }
    }
}
