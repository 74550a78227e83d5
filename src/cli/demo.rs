//! `backstop demo`: the whole flow, as it happens, with nothing pretended.

mod people;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use tokio::time::Instant;

use super::output::{Output, fail, print, print_json, progress};
use super::serve::Signals;
use super::{Common, Outcome};
use crate::clock::{Clock, SystemClock};
use crate::demo::monitoring::{INSTALL_HINT, Programs};
use crate::demo::stage::{GRACE, REQUESTS_PER_SECOND, Stage};
use crate::demo::trading_api::Regression;
use crate::evidence::EvidenceDir;
use crate::text::shown;
use crate::web::{IncidentView, RolloutView};

/// The whole demo has to fit into a minute; what takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(100);

/// How long the canary serves well before the regression: rates need something to compare with.
const WARM_UP: Duration = Duration::from_secs(7);

/// How often the API is asked for news.
const POLL: Duration = Duration::from_millis(100);

/// Flags of `demo`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: backstop demo --keep")]
pub(super) struct DemoArgs {
    /// Leave everything running afterwards, until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Don't use Prometheus and Alertmanager, even if they are installed.
    #[arg(long)]
    without_monitoring: bool,
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
    // Ctrl-C ends the show; everything that was started is dropped with it, and so ends too.
    let shown = tokio::select! {
        shown = tokio::time::timeout(LIMIT, show(&args, told)) => shown,
        () = signals.next() => return fail("interrupted; everything is stopped", Outcome::Failed),
    };
    match shown {
        Ok(Ok((stage, folder, summary))) => {
            if common.output == Output::Json {
                print_json(&summary);
            }
            if args.keep {
                keep(&stage, &folder, &mut signals).await;
            }
            end(stage, &folder).await
        }
        Ok(Err(error)) => fail(format!("{error:#}"), Outcome::Failed),
        Err(_) => fail(format!("not done within {} s", LIMIT.as_secs()), Outcome::Failed),
    }
}

async fn keep(stage: &Stage, folder: &Path, signals: &mut Signals) {
    print(format!(
        "\nleft running until Ctrl-C:\n  Backstop     http://{}/api/v1/rollouts",
        stage.app.listen
    ));
    print(format!("  metrics      http://{}/metrics", stage.app.admin_listen));
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
    let Stage { app, api, monitoring, people, .. } = stage;
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
    let now = SystemClock.now();
    let folder = std::env::temp_dir().join(format!(
        "backstop-demo-{}-{}",
        now.format("%Y%m%d-%H%M%S"),
        std::process::id()
    ));
    std::fs::create_dir_all(&folder).with_context(|| format!("{} can't be created", folder.display()))?;
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
    let stage = Stage::set(&folder, programs.as_ref()).await?;
    let mut timeline = Timeline { started, told, seen: BTreeMap::new() };
    timeline.say(&format!("canary v1.4.0 serves 25 % of {REQUESTS_PER_SECOND} requests a second, and well"));
    tokio::time::sleep(WARM_UP).await;
    let rolled_back = a_critical_rolls_back(&stage, &mut timeline).await?;
    let cancelled = a_warning_recovers(&stage, &mut timeline, &rolled_back).await?;
    people::saw(&stage, &rolled_back, told).await?;
    let seconds = started.elapsed().as_secs_f64();
    told(&format!("\nall of it was verified, in {seconds:.0} s; the evidence: {}", stage.evidence.display()));
    let evidence = stage.evidence.clone();
    let summary = Summary { monitoring, rolled_back, cancelled, evidence, seconds };
    Ok((stage, folder, summary))
}

async fn a_critical_rolls_back(stage: &Stage, timeline: &mut Timeline) -> anyhow::Result<IncidentView> {
    timeline.say("REGRESSION: half of the canary's requests now end in a 500");
    stage.api.inject(Regression { error_ratio: 0.5, ..Regression::default() });
    if stage.monitoring.is_none() {
        stage.post_webhook(body("CanaryErrorRateCritical", "critical", SystemClock.now(), None)).await?;
    }
    let rolling = timeline.until(stage, |incident| incident.state != "grace").await?;
    while stage.api.share() != 0 {
        tokio::time::sleep(POLL).await;
    }
    timeline.say("the canary has no traffic any more; customers come back");
    stage.api.set_requests_per_second(6 * REQUESTS_PER_SECOND);
    stage.api.inject(Regression::default());
    let done = timeline
        .until(stage, |incident| {
            incident.id == rolling.id
                && incident.state == "rolled_back"
                && incident.evidence.iter().any(|file| file.name.ends_with("_after.prom"))
        })
        .await?;
    let verdict = done.verification.as_ref().map(|verification| verification.verdict);
    ensure!(verdict == Some(crate::incident::Verdict::Verified), "the rollback is not verified: {verdict:?}");
    ensure!(stage.api.share() == 0, "the canary has traffic although it was rolled back");
    for check in done.verification.iter().flat_map(|verification| &verification.checks) {
        timeline.say(&format!(
            "  read back: {}: {}: {}",
            check.name.words(),
            check.outcome.words(),
            shown(&check.detail)
        ));
    }
    let report = EvidenceDir::new(stage.evidence.clone()).verify(&[])?;
    ensure!(
        report.is_clean() && report.files > 0,
        "the evidence is not as it was written: {:?}",
        report.findings
    );
    for file in done.evidence.iter().filter(|file| file.name.ends_with(".txt")) {
        names_the_critical(&std::fs::read_to_string(stage.evidence.join(&file.name))?, &done)?;
        timeline.say(&format!("evidence, verified: {}", stage.evidence.join(&file.name).display()));
    }
    Ok(done)
}

/// The protocol's four lines have to name what acted: a warning may have opened the grace first, but
/// it was the critical that rolled the canary back.
fn names_the_critical(evidence: &str, done: &IncidentView) -> anyhow::Result<()> {
    let lines: Vec<_> = evidence.lines().take(4).collect();
    let critical = done.alerts.iter().map(|attached| &attached.alert);
    let critical = critical.filter(|alert| alert.severity() == crate::incident::Severity::Critical);
    let reasons: Vec<_> = critical.map(|alert| format!("Reason: {}", alert.name())).collect();
    let [executed, stage, reason, triggered] = lines.as_slice() else {
        anyhow::bail!("the evidence has no four lines: {evidence}")
    };
    ensure!(executed.starts_with("Rollback Executed: "), "the evidence begins with {executed}");
    ensure!(*stage == "Stage: 3 (25 %)", "the evidence says {stage}, the canary had 25 %");
    ensure!(
        reasons.iter().any(|expected| expected == reason),
        "the evidence says {reason}, not {}",
        reasons.join(" or ")
    );
    ensure!(*triggered == "Triggered By: Automatic", "the evidence says {triggered}");
    Ok(())
}

async fn a_warning_recovers(
    stage: &Stage,
    timeline: &mut Timeline,
    before: &IncidentView,
) -> anyhow::Result<IncidentView> {
    if stage.monitoring.is_none() {
        stage
            .post_webhook(body(
                "CanaryErrorRateCritical",
                "critical",
                before.opened_at,
                Some(SystemClock.now()),
            ))
            .await?;
    }
    // The first scene's alerts have to be over, or they would count for the new canary.
    while !stage.get::<RolloutView>("/api/v1/rollouts/spark-trading").await?.firing_alerts.is_empty() {
        tokio::time::sleep(POLL).await;
    }
    timeline.say("the canary is mended and gets 25 % again");
    stage.api.set_share(25);
    while stage.get::<RolloutView>("/api/v1/rollouts/spark-trading").await?.share_percent != Some(25) {
        tokio::time::sleep(POLL).await;
    }
    timeline
        .say(&format!("SLOWER: the canary's requests take 300 ms; the grace is {} s here", GRACE.as_secs()));
    stage.api.inject(Regression { slow_ratio: 1.0, slow_seconds: 0.29, ..Regression::default() });
    let fired_at = SystemClock.now();
    if stage.monitoring.is_none() {
        stage.post_webhook(body("CanaryLatencyP95Warning", "warning", fired_at, None)).await?;
    }
    let grace =
        timeline.until(stage, |incident| incident.id != before.id && incident.state == "grace").await?;
    timeline.say("recovered: the canary is fast again");
    stage.api.inject(Regression::default());
    stage.api.set_requests_per_second(20 * REQUESTS_PER_SECOND);
    if stage.monitoring.is_none() {
        let resolved_at = SystemClock.now() + TimeDelta::milliseconds(1);
        stage.post_webhook(body("CanaryLatencyP95Warning", "warning", fired_at, Some(resolved_at))).await?;
    }
    let done = timeline.until(stage, |incident| incident.id == grace.id && incident.state != "grace").await?;
    ensure!(done.state == "cancelled", "the grace ended as {} instead of cancelled", done.state);
    ensure!(
        stage.api.share() == 25 && done.steps.is_empty(),
        "the canary was touched although the grace was cancelled"
    );
    timeline.say("the canary was not touched: it still has its 25 %");
    Ok(done)
}

/// Prints what is new, with the seconds since the start.
struct Timeline {
    started: Instant,
    told: fn(&str),
    seen: BTreeMap<String, (usize, usize)>,
}

impl Timeline {
    fn say(&self, text: &str) {
        (self.told)(&format!("{:>5.1} s  {text}", self.started.elapsed().as_secs_f64()));
    }

    /// Shows the incidents' news until one of them is as wanted.
    async fn until(
        &mut self,
        stage: &Stage,
        wanted: impl Fn(&IncidentView) -> bool,
    ) -> anyhow::Result<IncidentView> {
        loop {
            let mut incidents: Vec<IncidentView> = stage.get("/api/v1/incidents").await?;
            incidents.sort_by_key(|incident| incident.opened_at);
            incidents.iter().for_each(|incident| self.news(incident));
            if let Some(incident) = incidents.into_iter().next_back().filter(|incident| wanted(incident)) {
                return Ok(incident);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn news(&mut self, incident: &IncidentView) {
        let (decisions, steps) = self.seen.get(&incident.id).copied().unwrap_or_default();
        for note in incident.decisions.iter().skip(decisions) {
            self.say(&format!("  {}", shown(&note.text)));
        }
        for step in incident.steps.iter().skip(steps) {
            for attempt in &step.attempts {
                let status =
                    attempt.answer.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
                let read = attempt.read_back.map_or_else(|| "not read".to_owned(), |share| share.to_string());
                self.say(&format!(
                    "  to {}: {}: answered {status}, read back: {read}",
                    step.step.words(),
                    shown(&attempt.request)
                ));
            }
        }
        self.seen.insert(incident.id.clone(), (incident.decisions.len(), incident.steps.len()));
    }
}

/// The body that Alertmanager would post for one alert.
fn body(name: &str, severity: &str, starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>) -> String {
    let status = if ends_at.is_some() { "resolved" } else { "firing" };
    let labels = serde_json::json!({
        "alertname": name, "severity": severity, "rollout": "spark-trading", "canary_rollback": "true"
    });
    let ends_at = ends_at.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| at.to_rfc3339());
    let alert = serde_json::json!({
        "status": status, "labels": labels, "annotations": { "summary": "posted by the demo" },
        "startsAt": starts_at.to_rfc3339(), "endsAt": ends_at, "generatorURL": ""
    });
    serde_json::json!({
        "receiver": "backstop", "status": status, "alerts": [alert], "groupLabels": labels, "commonLabels": labels,
        "commonAnnotations": {}, "externalURL": "", "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0
    })
    .to_string()
}
