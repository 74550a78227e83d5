//! Puts the parts together: configuration → adapters → tasks and servers; and takes them apart again.
//!
//! Every vital task is watched. If one ends although nobody asked for it, the process ends with an
//! error: a supervisor starts it again, and the stored events say what was under way.

mod build;
mod channels;
mod judges;
mod offers;
mod probes;
mod stored_evidence;
mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use build::{Parts, build, build_rollouts};
pub use channels::build_channels;
pub use judges::{Systems, judges};

use crate::clock::{Clock, SystemClock};
use crate::commands::Commands;
use crate::config::{Config, SecretCounts, watch_secrets};
use crate::listener::{Guard, Limits, Listener, Tls, guarded};
use crate::metrics::{Metrics, WebhookOutcome};
use crate::pipeline::Kinds;
use crate::store::{IncidentStore, OpenedLater};
use crate::supervision::Supervisor;
use crate::web::slack::Interactions;
use crate::web::{
    AboutView, Access, Api, PAGERDUTY_PATH, PagerDutyInbound, Readiness, admin_router, api_router,
    pagerduty_router,
};
use crate::webhook::auth::WebhookAuth;
use crate::webhook::body::Budget;
use crate::webhook::{self, Quarantine, Receiver, router};

/// How much longer than `server.drain` the end may take: open connections have 5 s of their own.
const DRAIN_MARGIN: Duration = Duration::from_secs(10);

/// Ends last, so that results of work that drains are still stored.
const JOURNAL: &str = "journal";

/// A running Backstop. [`App::shutdown`] drains it; dropped, it aborts its tasks.
#[derive(Debug)]
pub struct App {
    /// As bound: with port 0 configured, the port that the system chose.
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    readiness: Readiness,
    stop: CancellationToken,
    stop_journal: CancellationToken,
    tasks: Supervisor,
    drain: Duration,
    reread: Arc<Notify>,
    commands: Commands,
}

impl App {
    /// Starts everything; when it returns, webhooks are accepted.
    ///
    /// # Errors
    /// In words: the store, an address or a setting that can't be used.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let store = OpenedLater::new(&config.store.path);
        Self::start_with(config, store, Arc::new(SystemClock)).await
    }

    /// Starts everything over a given store and clock.
    ///
    /// # Errors
    /// In words: an address or a setting that can't be used.
    pub async fn start_with(
        config: &Config,
        store: Arc<dyn IncidentStore>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let bind = |address: SocketAddr, key: &'static str| {
            let bound = crate::listener::bind(address);
            bound.with_context(|| format!("{key} = \"{address}\" can't be used: is another process there?"))
        };
        let admin = bind(config.server.admin_listen, "server.admin_listen")?;
        let public = bind(config.server.listen, "server.listen")?;
        let Parts { worker, watcher, gates, commands, journal_task, reconcile, metrics } =
            build(config, Arc::clone(&store), clock).await?;
        let (listen, admin_listen) = (public.local_addr()?, admin.local_addr()?);
        let stop = CancellationToken::new();
        let readiness = Readiness::default();
        let receiver = Receiver {
            journal: worker.journal.clone(),
            rollouts: worker.rollouts.clone(),
            observed: Arc::clone(&worker.observed),
            share_reader: worker.share_reader.clone(),
            watchdog: worker.sources.watchdog.alertname.clone(),
            auth: WebhookAuth::new(&config.server),
            reconcile,
            metrics: metrics.clone(),
            strangers: Kinds::default(),
            told: Kinds::default(),
            severities: worker.sources.severities.clone(),
            quarantine: Quarantine::new(config.store.path.with_file_name("unreadable-alerts")),
            clock: Arc::clone(&worker.clock),
            budget: Budget::default(),
        };
        let template = config.report.template().context("report.template_file")?;
        let api = Api::new(
            worker.clone(),
            Arc::new(Access::new(&config.server)),
            template,
            AboutView::of(&config.fingerprint),
        );
        let slack = config.people.slack.as_ref();
        let slack =
            slack.map(|slack| Interactions::new(slack, worker.clone())).transpose().context("slack")?;
        let of_slack = slack.as_ref().map(Interactions::router).unwrap_or_default();
        let (limits, admin_limits) = Limits::of_process(config.rollouts.len());
        let guard = Guard::new(&limits, metrics.clone(), turned_away).reserving(is_of_a_person);
        let pagerduty = config.people.pagerduty.as_ref().and_then(|config| config.webhook_secret.clone());
        let pagerduty = pagerduty.map(|secret| PagerDutyInbound::new(worker.clone(), secret));
        let from_people = pagerduty.map(pagerduty_router).into_iter();
        let routes =
            from_people.fold(router(receiver).merge(of_slack).merge(api_router(api)), axum::Router::merge);
        let routes = guarded(routes, guard);
        let admin_guard = Guard::new(&admin_limits, metrics.clone(), |_, _| {});
        let admin_routes = guarded(admin_router(worker.clone(), readiness.clone()), admin_guard);
        let tls = config.server.tls.clone().map(|tls| Tls::open(tls, metrics.clone())).transpose()?;
        let watched_tls = tls.clone();
        let public = Listener { tcp: public, tls, limits, metrics: metrics.clone() };
        let admin = Listener { tcp: admin, tls: None, limits: admin_limits, metrics: metrics.clone() };
        let drain = config.server.drain;

        let mut tasks = Supervisor::default();
        // The journal outlives the worker: results of work that drains are still stored.
        let stop_journal = CancellationToken::new();
        let journal_task = journal_task.draining(stop.clone(), drain);
        tasks.spawn(JOURNAL, journal_task.run(stop_journal.clone()));
        tasks.watch("store", ended_or_stopped(store, stop.clone()));
        tasks.spawn("worker", worker.run(stop.clone(), drain));
        tasks.spawn("watcher", watcher.run(stop.clone()));
        tasks.spawn("gates", gates.run(stop.clone()));
        if let Some(slack) = slack {
            tasks.spawn("slack buttons", slack.run(stop.clone()));
        }
        let reread = Arc::new(Notify::new());
        let secrets = config.secret_files().into_iter().map(|(_, file)| file.clone()).collect();
        let counted =
            move |SecretCounts { usable, gone, unclear }| metrics.secret_files(usable, gone, unclear);
        tasks.spawn("secrets", watch_secrets(secrets, Arc::clone(&reread), counted, stop.clone()));
        if let Some(tls) = watched_tls {
            tasks.spawn("certificate", tls.watch(Arc::clone(&reread), stop.clone()));
        }
        tasks.spawn("server", public.serve(routes, stop.clone()));
        tasks.spawn("admin server", admin.serve(admin_routes, stop.clone()));
        readiness.set(true);
        tracing::info!(%listen, %admin_listen, rollouts = config.rollouts.len(), "ready: alerts are taken");
        Ok(Self { listen, admin_listen, readiness, stop, stop_journal, tasks, drain, reread, commands })
    }

    /// Notified, it makes secrets and certificates be read again at once instead of within a second.
    #[must_use]
    pub fn reread(&self) -> Arc<Notify> {
        Arc::clone(&self.reread)
    }

    /// Runs until `asked_to_stop`, then drains.
    ///
    /// # Errors
    /// When a vital task ended by itself, or draining took too long.
    pub async fn run_until(mut self, asked_to_stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = asked_to_stop => None,
            ended = self.tasks.next() => ended,
        };
        let failure = ended.map(anyhow::Error::from);
        if let Some(failure) = &failure {
            tracing::error!(%failure, "ending: the supervisor starts it again, and stored events are resumed");
        }
        let drained = self.shutdown().await;
        failure.map_or(drained, Err)
    }

    /// Stops taking webhooks, lets work under way end, stores its results, stops.
    ///
    /// # Errors
    /// When it took longer than `server.drain` and a margin; nothing is lost then either.
    pub async fn shutdown(mut self) -> anyhow::Result<()> {
        tracing::info!("draining; a second signal aborts");
        self.readiness.set(false);
        self.stop.cancel();
        // Before anything is waited for: a program would outlive us.
        self.commands.stop().await;
        let limit = self.drain + DRAIN_MARGIN;
        let rest = async {
            // All but the journal end by themselves; it goes last.
            self.tasks.all_but(JOURNAL).await;
            self.stop_journal.cancel();
            while self.tasks.next().await.is_some() {}
        };
        tokio::time::timeout(limit, rest).await.context("draining took too long; the next start resumes")
    }
}

/// The end of the store, or the words that nobody hears because everything was asked to end.
async fn ended_or_stopped(store: Arc<dyn IncidentStore>, stop: CancellationToken) -> String {
    tokio::select! {
        why = store.ended() => why,
        () = stop.cancelled() => "the process ends".to_owned(),
    }
}

/// A webhook that meets the limit of requests is counted as what it is: not accepted, to be sent again.
fn turned_away(metrics: &Metrics, uri: &axum::http::Uri) {
    if uri.path() == webhook::PATH {
        metrics.webhook(WebhookOutcome::Unavailable);
    }
}

/// What a person asks for changes something, and must be possible in a storm of webhooks: Alertmanager's,
/// or of whoever finds the address that PagerDuty posts to.
fn is_of_a_person(method: &axum::http::Method, uri: &axum::http::Uri) -> bool {
    *method == axum::http::Method::POST && ![webhook::PATH, PAGERDUTY_PATH].contains(&uri.path())
}
