//! Turns a configuration into adapters and tasks.

use std::sync::Arc;
use std::time::Duration;

use super::channels::{build_channels, recipient};
use super::judges::{Judges, Systems};
use super::offers::Configured;
use super::stored_evidence::StoredEvidence;
use super::traffic::Traffic;
use anyhow::Context;
use chrono::TimeDelta;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::commands::Commands;
use crate::config::{Config, RolloutConfig};
use crate::decision::{Policy, Recipient};
use crate::evidence::EvidenceFolders;
use crate::execution::{Clusters, StepLimits};
use crate::incident::{Revision, RolloutName};
use crate::metrics::Metrics;
use crate::outbound::Connections;
use crate::pipeline::{
    Gates, Journal, JournalParts, JournalTask, Observed, PROMETHEUS, Rollout, Rollouts, Rounds, Severities,
    ShareReader, Sources, Watcher, Worker,
};
use crate::randomness::Randomness;
use crate::signals::{AlertSource, Alertmanager, GrafanaRenderer, Prometheus, RENDER_TIMEOUT, RuleSource};
use crate::store::{IncidentStore, Loaded, StoreError};
use crate::tagging::Tagger;
use crate::verification::Application;

/// The longest one request to Alertmanager or Prometheus may take (reference notes on Alertmanager,
/// section 5: three tries of five seconds).
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest one request to the application may take: healthz and metrics of a healthy one
/// answer in milliseconds.
const APPLICATION_TIMEOUT: Duration = Duration::from_secs(5);

/// Polls that a reading of the share above 0 % outlives: one may be late.
const POLLS_VALID: u32 = 2;

/// Added to the longest that a step and its verification may take, before a rollback counts as
/// overdue: commits, restarts, a reading that times out.
const DEADLINE_MARGIN: Duration = Duration::from_secs(60);

/// How long the start may wait for the store. Opening and folding a large one takes some hundred
/// milliseconds.
const LOAD_WITHIN: Duration = Duration::from_secs(5);

/// What [`build`] puts together; none of it runs yet. The server spawns all of it, a standalone
/// rollback only the worker and the journal.
#[derive(Debug)]
pub struct Parts {
    pub worker: Worker,
    pub watcher: Watcher,
    pub gates: Gates,
    /// Ends the programs of criteria, if it is told to stop.
    pub commands: Commands,
    pub journal_task: JournalTask,
    pub reconcile: Arc<Notify>,
    pub metrics: Metrics,
}

/// Builds the parts over a store and a clock: reads what is stored, and sends no request yet.
///
/// # Errors
/// When the store can't be loaded, or a client not be built.
pub async fn build(
    config: &Config,
    store: Arc<dyn IncidentStore>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Parts> {
    let mut connections = Connections::default();
    let from_alertmanager =
        connections.to(&config.alertmanager.access, SIGNAL_TIMEOUT).context("alertmanager")?;
    let alertmanager =
        |url: &reqwest::Url| Arc::new(Alertmanager::new(from_alertmanager.clone(), url.clone()));
    let alertmanagers: Vec<Arc<dyn AlertSource>> =
        config.alertmanager.urls.iter().map(|url| alertmanager(url) as Arc<dyn AlertSource>).collect();
    let from_prometheus = connections.to(&config.prometheus.access, SIGNAL_TIMEOUT).context("prometheus")?;
    let prometheus = config.prometheus.url.clone();
    let prometheus = prometheus.map(|url| Arc::new(Prometheus::new(from_prometheus, url)));
    let channels = build_channels(config, &mut connections, &clock)?;
    let recipients: Vec<_> = channels.values().map(|channel| recipient(channel.as_ref())).collect();
    let systems = Systems::new(config, &mut connections, prometheus.clone(), Arc::clone(&clock))?;
    let rollouts = build_rollouts(config, &mut connections, &systems, &recipients)?;

    let names: Vec<RolloutName> = rollouts.iter().map(|rollout| rollout.name.clone()).collect();
    let mut sources: Vec<_> = alertmanagers.iter().map(|source| source.address()).collect();
    sources.extend(prometheus.iter().map(|_| PROMETHEUS.to_owned()));
    let metrics = Metrics::new(&names, &sources);
    metrics.channels(channels.keys());
    let stored = load(store.as_ref()).await?;
    let randomness = Randomness::unforeseen();
    for name in
        stored.iter().flat_map(|stored| stored.rollouts.keys()).filter(|name| rollouts.get(name).is_none())
    {
        tracing::warn!(rollout = %name, "has stored incidents but is no longer configured; they rest until it is again");
    }
    let observed = Arc::new(Observed::new(Arc::clone(&clock), config.alertmanager.watchdog.clone()));
    let parts = JournalParts {
        store: Arc::clone(&store),
        rollouts: rollouts.clone(),
        observed: Arc::clone(&observed),
        clock: Arc::clone(&clock),
        randomness: randomness.clone(),
        metrics: metrics.clone(),
    };
    let (journal, journal_task) = match stored {
        Some(stored) => Journal::new(parts, stored),
        None => Journal::unloaded(parts),
    };
    let worker = Worker {
        journal,
        share_reader: ShareReader::new(&rollouts, Arc::clone(&observed), Arc::clone(&clock)),
        rollouts,
        observed,
        sources: Sources {
            alertmanagers,
            prometheus: prometheus.map(|source| source as Arc<dyn RuleSource>),
            watchdog: config.alertmanager.watchdog.clone(),
            severities: Severities::new(config.alertmanager.severity_map.clone(), metrics.clone()),
        },
        rounds: Rounds::default(),
        evidence: Arc::new(EvidenceFolders::new(
            config.evidence.directory.clone(),
            config.evidence.fallback_directory.clone(),
            Arc::new(StoredEvidence(Arc::clone(&store))),
        )),
        grafana: renderer(config, &mut connections)?,
        channels,
        store,
        clock,
        randomness,
        metrics: metrics.clone(),
    };
    let reconcile = Arc::new(Notify::new());
    let watcher = Watcher {
        worker: worker.clone(),
        every: config.alertmanager.poll_interval,
        wake: Arc::clone(&reconcile),
        retention: delta(config.store.retention),
    };
    let gates = Gates { worker: worker.clone() };
    let commands = systems.commands().clone();
    Ok(Parts { worker, watcher, gates, commands, journal_task, reconcile, metrics })
}

/// Grafana's renderer, where a dashboard is named for it.
fn renderer(config: &Config, connections: &mut Connections) -> anyhow::Result<Option<GrafanaRenderer>> {
    let named = config
        .people
        .grafana
        .as_ref()
        .and_then(|grafana| Some((grafana, grafana.url.clone()?, grafana.render_dashboard.clone()?)));
    let Some((grafana, url, dashboard)) = named else { return Ok(None) };
    let outbound = connections.to(&grafana.access, RENDER_TIMEOUT).context("grafana")?;
    Ok(Some(GrafanaRenderer::new(&outbound, url, dashboard)))
}

/// What is stored; `None` where it can't be read now. Nobody may wait for a disk that is full, read-only
/// or hangs: criticals are acted upon without it.
async fn load(store: &dyn IncidentStore) -> Result<Option<Loaded>, StoreError> {
    let goes_on = "Backstop starts without its store: criticals are acted upon, webhooks are answered 503, and it goes on by itself once the store can be used";
    match tokio::time::timeout(LOAD_WITHIN, store.load()).await {
        Ok(Ok(stored)) => Ok(Some(stored)),
        Ok(Err(error @ (StoreError::Unopened { .. } | StoreError::Unavailable { .. }))) => {
            tracing::error!(error = crate::logging::chain(&error), "{goes_on}");
            Ok(None)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => {
            tracing::error!(
                error = format!("nothing was read within {} s", LOAD_WITHIN.as_secs()),
                "{goes_on}"
            );
            Ok(None)
        }
    }
}

/// Builds the configured rollouts with their adapters.
///
/// # Errors
/// When a setting is missing, or a client can't be built.
pub fn build_rollouts(
    config: &Config,
    connections: &mut Connections,
    systems: &Systems,
    recipients: &[Recipient],
) -> anyhow::Result<Rollouts> {
    let mut clusters = Clusters::default();
    let built: anyhow::Result<Vec<_>> = config
        .rollouts
        .iter()
        .map(|rollout| {
            build_rollout(config, rollout, (connections, &mut clusters), systems, recipients)
                .with_context(|| format!("rollout {}", rollout.name))
        })
        .collect();
    Ok(Rollouts::new(built?))
}

fn build_rollout(
    config: &Config,
    rollout: &RolloutConfig,
    (connections, clusters): (&mut Connections, &mut Clusters),
    systems: &Systems,
    recipients: &[Recipient],
) -> anyhow::Result<Rollout> {
    let RolloutConfig { name, mode, matching, revision, grace, hold, on_unverified, verify, .. } = rollout;
    let limits = StepLimits::default();
    let Traffic { lane, plan, longest, guard } = Traffic::build(rollout, connections, clusters, limits)?;
    let guard = verify.guard.unwrap_or(guard);
    let rules = systems.prometheus().map(|source| Arc::clone(source) as Arc<dyn RuleSource>);
    let judges = Judges::new(rollout, connections, systems)?;
    let to_application = connections.to(&verify.access, APPLICATION_TIMEOUT).context("verify")?;
    Ok(Rollout {
        name: RolloutName::new(name.clone()),
        policy: Policy {
            mode: *mode,
            matching: matching.clone(),
            revision: Revision::new(revision.clone()),
            grace: delta(*grace),
            hold: delta(*hold),
            on_unverified: *on_unverified,
            plan,
            verify_window: delta(verify.window),
            guard: delta(guard),
            rollback_deadline: delta(longest + verify.window.max(guard) + DEADLINE_MARGIN),
            reading_valid: delta(config.alertmanager.poll_interval * POLLS_VALID),
            watchdog_timeout: delta(config.alertmanager.watchdog_timeout),
            recipients: recipients.to_vec(),
        },
        application: Application::new(to_application.clone(), verify.metrics_url.clone()),
        verifier: super::probes::verifier(rollout, plan, to_application, rules.as_ref()),
        lane,
        step_limits: limits,
        freeze: rollout.freeze.clone(),
        offers: Arc::new(Configured(rollout.clone())),
        judge: Arc::new(judges),
        tagger: rollout.ramp.git_tag.as_ref().map(|tag| Tagger {
            commands: systems.commands().clone(),
            repository: tag.repository.clone(),
            push: tag.push,
        }),
        judge_interval: rollout.ramp.judge_interval,
        verify_interval: verify.interval,
    })
}

/// Durations of the configuration are bounded far below what a `TimeDelta` holds.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
