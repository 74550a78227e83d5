//! `backstop demo --ramp`: three ramps, judged by what the real Prometheus says of them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::timeline::Timeline;
use super::{POLL, new_folder, people};
use crate::cli::rollout::progress_lines;
use crate::demo::monitoring::{INSTALL_HINT, Programs};
use crate::demo::stage::{Play, RAMP_STAGE, REQUESTS_PER_SECOND, Stage};
use crate::demo::trading_api::{CANARY_VERSION, Regression};
use crate::evidence::EvidenceDir;
use crate::incident::{HoldReason, Verdict};
use crate::text::shown;
use crate::web::{IncidentView, RampView, RolloutView};

/// Eleven stages, each with its rounds and two rollbacks; what takes longer than this has failed.
pub(super) const LIMIT: Duration = Duration::from_secs(360);

/// How long the monitoring watches before the first ramp: rates need something to begin with.
const WARM_UP: Duration = Duration::from_secs(7);

/// A stage's criteria are shown again when so much of its time is left.
const NEARLY_OVER_SECONDS: i64 = 3;

const ROLLOUT: &str = "/api/v1/rollouts/spark-trading";
const RAMP: &str = "/api/v1/rollouts/spark-trading/ramp";

#[derive(Debug, serde::Serialize)]
pub(super) struct Summary {
    succeeded: RampView,
    aborted: RampView,
    rolled_back: RampView,
    evidence: PathBuf,
    seconds: f64,
}

pub(super) async fn show(told: fn(&str)) -> anyhow::Result<(Stage, PathBuf, Summary)> {
    let started = Instant::now();
    let programs = Programs::find().with_context(|| {
        format!("a ramp is judged by what Prometheus says, and it is not installed: {INSTALL_HINT}")
    })?;
    let folder = new_folder()?;
    let stage = Stage::set(&folder, Some(&programs), Play::Ramp).await?;
    let mut show = Show { timeline: Timeline::new(started, told), stage, last: None };
    show.timeline.say(&format!(
        "canary {CANARY_VERSION} is there and has none of the {REQUESTS_PER_SECOND} requests a second; each stage lasts {} s here, not 15 min",
        RAMP_STAGE.as_secs()
    ));
    tokio::time::sleep(WARM_UP).await;
    let succeeded = show.a_good_canary_reaches_all_traffic().await?;
    let (aborted, before) = show.a_slow_canary_holds_and_is_aborted().await?;
    let (rolled_back, incident) = show.a_canary_that_turns_bad_is_rolled_back(&before).await?;
    people::saw(&show.stage.served, &incident, &["ROLLED BACK"], told).await?;
    let evidence = show.stage.served.evidence.clone();
    let report = EvidenceDir::new(evidence.clone()).verify(&[])?;
    let findings: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    ensure!(report.is_clean(), "the evidence is not as it was written: {}", findings.join("; "));
    let seconds = started.elapsed().as_secs_f64();
    told(&format!(
        "\n{} files of evidence were verified; all of it took {seconds:.0} s; the evidence: {}",
        report.files,
        evidence.display()
    ));
    let summary = Summary { succeeded, aborted, rolled_back, evidence, seconds };
    Ok((show.stage, folder, summary))
}

/// What was shown of a ramp: said again only when it changes.
type Seen = (String, usize, String, Vec<HoldReason>, bool);

struct Show {
    timeline: Timeline,
    stage: Stage,
    last: Option<Seen>,
}

impl Show {
    async fn a_good_canary_reaches_all_traffic(&mut self) -> anyhow::Result<RampView> {
        self.timeline.say("FIRST: a good canary. An engineer starts its ramp, and walks away");
        self.start(&json!({})).await?;
        let done = self.until(|ramp| !ramp.is_running && !ramp.evidence.is_empty()).await?;
        ensure!(done.state == "succeeded", "the ramp ended otherwise: {}", done.state_sentence);
        ensure!(self.stage.api.share() == 100, "the canary has {} %", self.stage.api.share());
        let shares: Vec<_> = self.stage.api.changes().iter().map(|(_, to)| to.to_string()).collect();
        let shares = shares.join(", ");
        ensure!(shares == "1, 5, 25, 50, 100", "its shares were {shares} %");
        for file in &done.evidence {
            self.timeline.say(&format!("record: {}", shown(&file.name)));
        }
        Ok(done)
    }

    async fn a_slow_canary_holds_and_is_aborted(&mut self) -> anyhow::Result<(RampView, IncidentView)> {
        self.timeline
            .say("SECOND: the next one takes 210 ms a request. No alert fires at that, but a gate fails");
        self.taken_off().await?;
        self.stage.api.inject(Regression { slow_ratio: 1.0, slow_seconds: 0.21, ..Regression::default() });
        self.start(&json!({})).await?;
        let holds = self.until(|ramp| ramp.holds.contains(&HoldReason::CriterionFails)).await?;
        ensure!(self.stage.api.share() == 1, "it went on to {} %", self.stage.api.share());
        self.timeline
            .say("it holds at its first stage, and people are told; an engineer looks, and aborts it");
        let words = json!({ "actor": "ada", "reason": "API P95 is 210 ms" });
        self.stage.served.ask(&format!("{RAMP}/abort"), &words).await?;
        let incident = self.rolled_back(None).await?;
        let ramp = self.until(|ramp| ramp.id == holds.id && !ramp.is_running).await?;
        ensure!(ramp.state == "aborted", "the ramp ended otherwise: {}", ramp.state_sentence);
        Ok((ramp, incident))
    }

    async fn a_canary_that_turns_bad_is_rolled_back(
        &mut self,
        before: &IncidentView,
    ) -> anyhow::Result<(RampView, IncidentView)> {
        self.timeline.say("THIRD: the same revision once more");
        self.stage.api.inject(Regression::default());
        match self.start(&json!({})).await {
            Err(refusal) => self.timeline.say(&format!("  {refusal}")),
            Ok(()) => anyhow::bail!("a revision that was rolled back was ramped again without a word"),
        }
        self.start(&json!({ "again": true, "reason": "the slow query is mended" })).await?;
        self.until(|ramp| ramp.share_percent == 25 && ramp.stage_began_at.is_some()).await?;
        self.timeline.say("REGRESSION: half of the canary's requests now end in a 500");
        self.stage.api.inject(Regression { error_ratio: 0.5, ..Regression::default() });
        let incident = self.rolled_back(Some(before)).await?;
        let ramp = self.until(|ramp| !ramp.is_running && !ramp.evidence.is_empty()).await?;
        ensure!(ramp.state == "rolled_back", "the ramp ended otherwise: {}", ramp.state_sentence);
        Ok((ramp, incident))
    }

    /// The release before is over: its version is the stable one.
    async fn taken_off(&self) -> anyhow::Result<()> {
        self.stage.api.set_share(0);
        loop {
            let rollout: RolloutView = self.stage.served.get(ROLLOUT).await?;
            if rollout.share_percent == Some(0) && rollout.firing_alerts.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks for a ramp of the canary's revision.
    async fn start(&self, more: &Value) -> anyhow::Result<()> {
        let mut body = json!({ "actor": "ada", "revision": CANARY_VERSION });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        self.stage.served.ask(RAMP, &body).await
    }

    /// Shows how a ramp goes until it is as wanted.
    async fn until(&mut self, wanted: impl Fn(&RampView) -> bool) -> anyhow::Result<RampView> {
        loop {
            let ramp: RampView = self.stage.served.get(RAMP).await?;
            let is_nearly_over = ramp.stage_seconds_left.is_some_and(|left| left <= NEARLY_OVER_SECONDS);
            let seen = (ramp.id.clone(), ramp.stage, ramp.state.clone(), ramp.holds.clone(), is_nearly_over);
            if self.last.as_ref() != Some(&seen) {
                progress_lines(&ramp).iter().for_each(|line| self.timeline.say(line));
                self.last = Some(seen);
            }
            if wanted(&ramp) {
                return Ok(ramp);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the canary is rolled back and read back, in another incident than the one before.
    async fn rolled_back(&mut self, before: Option<&IncidentView>) -> anyhow::Result<IncidentView> {
        let is_written =
            |incident: &IncidentView| incident.evidence.iter().any(|file| file.name.ends_with("_after.prom"));
        let is_another = |incident: &IncidentView| before.is_none_or(|before| before.id != incident.id);
        self.timeline
            .say("(a rollback is verified once the canary's own counter has shown no request for a minute)");
        let done = self.timeline.until(&self.stage.served, |incident| {
            is_another(incident) && incident.state == "rolled_back" && is_written(incident)
        });
        let done = done.await?;
        let verdict = done.verification.as_ref().map(|verification| verification.verdict);
        let words = verdict.map_or("there is no verdict", Verdict::sentence);
        ensure!(verdict == Some(Verdict::Verified), "the rollback is not verified: {words}");
        ensure!(self.stage.api.share() == 0, "the canary has traffic although it was rolled back");
        Ok(done)
    }
}
