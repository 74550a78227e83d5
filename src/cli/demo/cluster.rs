//! `backstop demo --kubernetes`: a rollback in a real cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use tokio::time::Instant;

use super::record::recorded;
use super::timeline::{Timeline, body};
use super::{DemoArgs, POLL, new_folder, people};
use crate::cli::output::{Output, fail, print_json, progress};
use crate::cli::serve::Signals;
use crate::cli::{Common, Outcome};
use crate::clock::{Clock, SystemClock};
use crate::demo::cluster::{
    CANARY_REPLICAS, EndState, OwnNamespace, STABLE_REPLICAS, STABLE_REPLICAS_BEFORE, WEIGHT,
};
use crate::demo::monitoring::free_port;
use crate::demo::served::{Served, Tokens};
use crate::incident::{Pods, Share};
use crate::text::shown;
use crate::web::{IncidentView, RolloutView};

/// The longest from pods that are ready to the end. Two more pods have to get ready within it.
const LIMIT: Duration = Duration::from_secs(120);

/// The longest that the cluster may take to delete the namespace.
const DELETED_WITHIN: Duration = Duration::from_secs(90);

/// Flags of `demo --kubernetes`.
#[derive(Debug, Clone, Args)]
pub(super) struct ClusterArgs {
    /// The way to the cluster; it is never guessed.
    #[arg(long, value_name = "FILE", requires = "kubernetes")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The name of the namespace, which must not exist yet; without it a new one.
    #[arg(long, value_name = "NAME", requires = "kubernetes")]
    namespace: Option<String>,
    /// What the pods run; anything that stays, as any user.
    #[arg(long, value_name = "IMAGE", requires = "kubernetes", default_value = "registry.k8s.io/pause:3.10")]
    image: String,
    /// How long the pods may take to get ready: the image may have to be pulled.
    #[arg(long, value_name = "DURATION", requires = "kubernetes", default_value = "90s",
          value_parser = humantime::parse_duration)]
    ready_within: Duration,
}

#[derive(Debug, serde::Serialize)]
struct Summary {
    namespace: String,
    rolled_back: IncidentView,
    evidence: PathBuf,
    seconds: f64,
}

pub(super) async fn run(
    args: &DemoArgs,
    kubeconfig: &Path,
    common: &Common,
    signals: &mut Signals,
    told: fn(&str),
) -> Outcome {
    // Not to be interrupted: whether it was made has to be known. It takes seconds at most.
    let namespace = match OwnNamespace::create(kubeconfig, args.cluster.namespace.as_deref()).await {
        Ok(namespace) => namespace,
        Err(error) => return fail(format!("{error:#}"), Outcome::Failed),
    };
    told(&format!("made the namespace {}; it is deleted at the end", namespace.name()));
    let limit = args.cluster.ready_within + LIMIT;
    let shown = tokio::select! {
        shown = tokio::time::timeout(limit, show(&namespace, args, told)) => {
            Some(shown.unwrap_or_else(|_| Err(anyhow!("not done within {} s", limit.as_secs()))))
        }
        () = signals.next() => None,
    };
    let keeps = args.keep && shown.is_some();
    let (outcome, served) = match shown {
        Some(Ok((served, summary))) => {
            if common.output == Output::Json {
                print_json(&summary);
            }
            (Outcome::Done, Some(served))
        }
        Some(Err(error)) => (fail(format!("{error:#}"), Outcome::Failed), None),
        None => (fail("interrupted", Outcome::Failed), None),
    };
    if keeps {
        keep(&namespace, served.as_ref());
        signals.next().await;
    }
    end(&namespace, served, signals, outcome).await
}

fn keep(namespace: &OwnNamespace, served: Option<&Served>) {
    progress("left as it is until Ctrl-C, which deletes the namespace:");
    if let Some(served) = served {
        progress(format!("  Backstop  http://{}/api/v1/rollouts", served.app.listen));
    }
    let look = format!("get deployments,ingresses,pods,events -n {}", namespace.name());
    progress(format!("  {}", namespace.kubectl(&look)));
}

/// Whatever came before, the namespace goes.
async fn end(
    namespace: &OwnNamespace,
    served: Option<Served>,
    signals: &mut Signals,
    outcome: Outcome,
) -> Outcome {
    if let Some(served) = served
        && let Err(error) = served.app.shutdown().await
    {
        progress(format!("{error:#}"));
    }
    progress(format!("deleting the namespace {} …", namespace.name()));
    let deleted = tokio::select! {
        deleted = namespace.delete(DELETED_WITHIN) => deleted,
        () = signals.next() => {
            let by_hand = namespace.kubectl(&format!("delete namespace {}", namespace.name()));
            Err(anyhow!("interrupted before the namespace was gone; look, or: {by_hand}"))
        }
    };
    match deleted {
        Ok(()) => {
            progress("the namespace is gone; everything is stopped");
            outcome
        }
        Err(error) => fail(format!("{error:#}"), Outcome::Failed),
    }
}

async fn show(
    namespace: &OwnNamespace,
    args: &DemoArgs,
    told: fn(&str),
) -> anyhow::Result<(Served, Summary)> {
    let started = Instant::now();
    let mut timeline = Timeline::new(started, told);
    namespace.fill(&args.cluster.image).await?;
    timeline.say(&format!(
        "stable v1.3.9 wants {STABLE_REPLICAS_BEFORE} pod, canary v1.4.0 {CANARY_REPLICAS}, and its Ingress has {WEIGHT} %"
    ));
    let folder = new_folder()?;
    let tokens = Tokens::write(&folder)?;
    let listen = free_port().context("no free port")?;
    let served = Served::start(&folder, listen, &tokens, &namespace.sections()).await?;
    ready(namespace, &served, args.cluster.ready_within).await?;
    timeline.say("all pods are ready, and Backstop has seen them");
    let at = SystemClock.now();
    timeline.say("ALERT: CanaryErrorRateCritical, as Alertmanager would post it");
    served.post_webhook(body("CanaryErrorRateCritical", "critical", at, None)).await?;
    let is_done = |incident: &IncidentView| {
        incident.state == "rolled_back" && incident.evidence.iter().any(|file| file.name.ends_with(".txt"))
    };
    let done = timeline.until(&served, is_done).await?;
    recorded(&served, &timeline, &done, "Stage: 4 (50 %)")?;
    let found = namespace.end_state().await?;
    let canary_weight = Some("0".to_owned());
    let expected = EndState { canary_weight, stable_replicas: STABLE_REPLICAS.into(), canary_replicas: 0 };
    ensure!(found == expected, "the cluster is not as a rollback leaves it: {found}");
    timeline.say("the cluster itself says so: canary-weight 0, stable 3 replicas, canary 0");
    people::saw(&served, &done, &["ROLLED BACK"], told).await?;
    let seconds = started.elapsed().as_secs_f64();
    let evidence = served.evidence.clone();
    told(&format!("\nall of it was verified, in {seconds:.0} s; the evidence: {}", evidence.display()));
    let namespace = namespace.name().to_owned();
    Ok((served, Summary { namespace, rolled_back: done, evidence, seconds }))
}

/// Waits until Backstop sees what was made, all of it ready.
async fn ready(namespace: &OwnNamespace, served: &Served, within: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + within;
    let all = |count| Pods { wanted: count, available: count, ready_endpoints: count };
    loop {
        let rollout: RolloutView = served.get("/api/v1/rollouts/spark-trading").await?;
        let target = rollout.target.filter(|target| target.share == Share(WEIGHT));
        let pods = target.as_ref().and_then(|target| target.workloads.as_ref());
        if pods.is_some_and(|pods| {
            pods.stable == all(STABLE_REPLICAS_BEFORE) && pods.canary == all(CANARY_REPLICAS)
        }) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let troubles = namespace
                .unready()
                .await
                .iter()
                .map(|line| format!("\n  {}", shown(line)))
                .collect::<String>();
            let seen = target.map_or_else(|| "nothing".to_owned(), |target| target.words());
            bail!(
                "the pods are not ready after {} s (--ready-within); Backstop sees: {}{troubles}\nif the image \
                 can't be had there, name another with --image; to look at it yourself, add --keep",
                within.as_secs(),
                shown(&seen),
            );
        }
        tokio::time::sleep(POLL).await;
    }
}
