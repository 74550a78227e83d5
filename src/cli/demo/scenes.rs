//! The two scenes of the flag's demo.

use anyhow::ensure;
use chrono::TimeDelta;

use super::POLL;
use super::record::recorded;
use super::timeline::{Timeline, body};
use crate::clock::{Clock, SystemClock};
use crate::demo::stage::{GRACE, REQUESTS_PER_SECOND, Stage};
use crate::demo::trading_api::Regression;
use crate::web::{IncidentView, RolloutView};

pub(super) async fn a_critical_rolls_back(
    stage: &Stage,
    timeline: &mut Timeline,
) -> anyhow::Result<IncidentView> {
    timeline.say("REGRESSION: half of the canary's requests now end in a 500");
    stage.api.inject(Regression { error_ratio: 0.5, ..Regression::default() });
    if stage.monitoring.is_none() {
        stage
            .served
            .post_webhook(body("CanaryErrorRateCritical", "critical", SystemClock.now(), None))
            .await?;
    }
    let rolling = timeline.until(&stage.served, |incident| incident.state != "grace").await?;
    while stage.api.share() != 0 {
        tokio::time::sleep(POLL).await;
    }
    timeline.say("the canary has no traffic any more; customers come back");
    stage.api.set_requests_per_second(6 * REQUESTS_PER_SECOND);
    stage.api.inject(Regression::default());
    let done = timeline
        .until(&stage.served, |incident| {
            incident.id == rolling.id
                && incident.state == "rolled_back"
                && incident.evidence.iter().any(|file| file.name.ends_with("_after.prom"))
        })
        .await?;
    ensure!(stage.api.share() == 0, "the canary has traffic although it was rolled back");
    recorded(&stage.served, timeline, &done, "Stage: 3 (25 %)")?;
    Ok(done)
}

pub(super) async fn a_warning_recovers(
    stage: &Stage,
    timeline: &mut Timeline,
    before: &IncidentView,
) -> anyhow::Result<IncidentView> {
    if stage.monitoring.is_none() {
        stage
            .served
            .post_webhook(body(
                "CanaryErrorRateCritical",
                "critical",
                before.opened_at,
                Some(SystemClock.now()),
            ))
            .await?;
    }
    // The first scene's alerts have to be over, or they would count for the new canary.
    while !stage.served.get::<RolloutView>("/api/v1/rollouts/spark-trading").await?.firing_alerts.is_empty() {
        tokio::time::sleep(POLL).await;
    }
    timeline.say("the canary is mended and gets 25 % again");
    stage.api.set_share(25);
    while stage.served.get::<RolloutView>("/api/v1/rollouts/spark-trading").await?.share_percent != Some(25) {
        tokio::time::sleep(POLL).await;
    }
    timeline
        .say(&format!("SLOWER: the canary's requests take 300 ms; the grace is {} s here", GRACE.as_secs()));
    stage.api.inject(Regression { slow_ratio: 1.0, slow_seconds: 0.29, ..Regression::default() });
    let fired_at = SystemClock.now();
    if stage.monitoring.is_none() {
        stage.served.post_webhook(body("CanaryLatencyP95Warning", "warning", fired_at, None)).await?;
    }
    let grace = timeline
        .until(&stage.served, |incident| incident.id != before.id && incident.state == "grace")
        .await?;
    timeline.say("recovered: the canary is fast again");
    stage.api.inject(Regression::default());
    stage.api.set_requests_per_second(20 * REQUESTS_PER_SECOND);
    if stage.monitoring.is_none() {
        let resolved_at = SystemClock.now() + TimeDelta::milliseconds(1);
        stage
            .served
            .post_webhook(body("CanaryLatencyP95Warning", "warning", fired_at, Some(resolved_at)))
            .await?;
    }
    let done = timeline
        .until(&stage.served, |incident| incident.id == grace.id && incident.state != "grace")
        .await?;
    ensure!(done.state == "cancelled", "the grace ended as {} instead of cancelled", done.state);
    ensure!(
        stage.api.share() == 25 && done.steps.is_empty(),
        "the canary was touched although the grace was cancelled"
    );
    timeline.say("the canary was not touched: it still has its 25 %");
    Ok(done)
}
