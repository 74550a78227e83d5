//! `backstop demo`: the whole flow, as it happens, with nothing pretended.

mod cluster;
mod people;
mod ramp;
mod record;
mod scenes;
mod timeline;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::time::Instant;

use self::timeline::Timeline;
use super::output::{Output, fail, print, print_json, progress};
use super::serve::Signals;
use super::{Common, Outcome};
use crate::clock::{Clock, SystemClock};
use crate::demo::monitoring::{INSTALL_HINT, Programs};
use crate::demo::served::Served;
use crate::demo::stage::{Play, REQUESTS_PER_SECOND, Stage};
use crate::web::IncidentView;

/// The whole demo has to fit into a minute; what takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(100);

/// How long the canary serves well before the regression: rates need something to compare with.
const WARM_UP: Duration = Duration::from_secs(7);

/// How often the API is asked for news.
const POLL: Duration = Duration::from_millis(100);

/// Flags of `demo`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  backstop demo --keep
  backstop demo --ramp
  backstop demo --kubernetes --kubeconfig ~/.kube/config")]
pub(super) struct DemoArgs {
    /// Leave everything running afterwards, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Don't use Prometheus and Alertmanager, even if they are installed. With --kubernetes they never are.
    #[arg(long)]
    without_monitoring: bool,
    /// Show a rollback in a cluster, in a namespace that is made for it and deleted at the end.
    #[arg(long, requires = "kubeconfig")]
    kubernetes: bool,
    /// Show ramps instead of a rollback: one that succeeds, one that holds and is aborted, one that is rolled
    /// back. Takes some minutes, and the real Prometheus and Alertmanager.
    #[arg(long, conflicts_with_all = ["kubernetes", "without_monitoring"])]
    ramp: bool,
    #[command(flatten)]
    cluster: cluster::ClusterArgs,
}

pub(super) async fn run(args: DemoArgs, common: &Common) -> Outcome {
    if std::env::var_os("RUST_LOG").is_some() {
        crate::logging::start();
    }
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(error, Outcome::Failed),
    };
    // With JSON on stdout the timeline goes to stderr: data must not mix with progress.
    let told: fn(&str) = match common.output {
        Output::Text => |text| print(text),
        Output::Json => |text| progress(text),
    };
    if let (true, Some(kubeconfig)) = (args.kubernetes, &args.cluster.kubeconfig) {
        return cluster::run(&args, kubeconfig, common, &mut signals, told).await;
    }
    if args.ramp {
        played(ramp::show(told), ramp::LIMIT, &args, common, &mut signals).await
    } else {
        played(show(&args, told), LIMIT, &args, common, &mut signals).await
    }
}

/// Plays it within its limit and ends everything. Ctrl-C ends the show: everything that was started is dropped
/// with it, and so ends too.
async fn played<S: serde::Serialize>(
    show: impl Future<Output = anyhow::Result<(Stage, PathBuf, S)>>,
    limit: Duration,
    args: &DemoArgs,
    common: &Common,
    signals: &mut Signals,
) -> Outcome {
    let shown = tokio::select! {
        shown = tokio::time::timeout(limit, show) => shown,
        () = signals.next() => return fail("interrupted; everything is stopped", Outcome::Failed),
    };
    match shown {
        Ok(Ok((stage, folder, summary))) => {
            if common.output == Output::Json {
                print_json(&summary);
            }
            if args.keep {
                keep(&stage, &folder, signals).await;
            }
            end(stage, &folder).await
        }
        Ok(Err(error)) => fail(format!("{error:#}"), Outcome::Failed),
        Err(_) => fail(format!("not done within {} s", limit.as_secs()), Outcome::Failed),
    }
}

async fn keep(stage: &Stage, folder: &Path, signals: &mut Signals) {
    print(format!(
        "\nleft running until Ctrl-C:\n  Backstop     http://{}/api/v1/rollouts",
        stage.served.app.listen
    ));
    print(format!("  metrics      http://{}/metrics", stage.served.app.admin_listen));
    print(format!("  trading API  {}", stage.api.url("/api/public/metrics.prom")));
    if let Some(monitoring) = &stage.monitoring {
        print(format!(
            "  Prometheus   {}\n  Alertmanager {}",
            monitoring.prometheus.url(),
            monitoring.alertmanager.url()
        ));
    }
    print(format!("  folder       {0}\n  try: backstop status --config {0}/backstop.toml", folder.display()));
    signals.next().await;
}

async fn end(stage: Stage, folder: &Path) -> Outcome {
    let Stage { served, api, monitoring } = stage;
    let Served { app, people, .. } = served;
    if let Err(error) = app.shutdown().await {
        progress(format!("{error:#}"));
    }
    if let Some(mut monitoring) = monitoring {
        monitoring.prometheus.kill().await;
        monitoring.alertmanager.kill().await;
    }
    drop((api, people));
    progress(format!("everything is stopped; the folder stays: {}", folder.display()));
    Outcome::Done
}

#[derive(Debug, serde::Serialize)]
struct Summary {
    monitoring: &'static str,
    rolled_back: IncidentView,
    cancelled: IncidentView,
    evidence: PathBuf,
    seconds: f64,
}

async fn show(args: &DemoArgs, told: fn(&str)) -> anyhow::Result<(Stage, PathBuf, Summary)> {
    let started = Instant::now();
    let programs = if args.without_monitoring { None } else { Programs::find() };
    let folder = new_folder()?;
    let monitoring = match &programs {
        Some(_) => "the real Prometheus and Alertmanager of this machine, with the shipped rules",
        None => {
            "no Prometheus and Alertmanager: their webhook bodies are posted over HTTP to the real receiver"
        }
    };
    told(&format!("alerts come from: {monitoring}"));
    if programs.is_none() {
        told(&format!("to see the real chain: {INSTALL_HINT}"));
    }
    let stage = Stage::set(&folder, programs.as_ref(), Play::Rollback).await?;
    let mut timeline = Timeline::new(started, told);
    timeline.say(&format!("canary v1.4.0 serves 25 % of {REQUESTS_PER_SECOND} requests a second, and well"));
    tokio::time::sleep(WARM_UP).await;
    let rolled_back = scenes::a_critical_rolls_back(&stage, &mut timeline).await?;
    let cancelled = scenes::a_warning_recovers(&stage, &mut timeline, &rolled_back).await?;
    people::saw(&stage.served, &rolled_back, &["ROLLED BACK", "RECOVERED"], told).await?;
    let seconds = started.elapsed().as_secs_f64();
    told(&format!(
        "\nall of it was verified, in {seconds:.0} s; the evidence: {}",
        stage.served.evidence.display()
    ));
    let evidence = stage.served.evidence.clone();
    let summary = Summary { monitoring, rolled_back, cancelled, evidence, seconds };
    Ok((stage, folder, summary))
}

/// Where the demo leaves its configuration, its database and its evidence.
fn new_folder() -> anyhow::Result<PathBuf> {
    let name = format!("backstop-demo-{}-{}", SystemClock.now().format("%Y%m%d-%H%M%S"), std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} can't be created", folder.display()))?;
    Ok(folder)
}
