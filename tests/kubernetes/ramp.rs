//! A ramp in the real cluster, judged by the real Prometheus, as the account that is shipped and under the
//! policies that are shipped for it.

use std::time::Duration;

use backstop::demo::trading_api::Regression;
use backstop::web::RampView;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;
use tokio::time::Instant;

use crate::chain::monitored::{Beginning, Monitored};
use crate::controlplane::{PATIENCE, shared, wait_for};
use crate::rollouts::{Rollout, Router};
use crate::shipped::limit_by;

/// How long each stage lasts.
const STAGE_SECONDS: i64 = 6;

/// Seconds where a real configuration has minutes.
const RAMP: &str = "[rollouts.ramp]\nstages = [5, 50, 100]\nstage_duration = \"6s\"\nlast_stage_duration = \"6s\"\n\
                    judge_interval = \"1s\"\ncriteria_files = [\"criteria.toml\"]\n";

const CRITERIA: &str = r#"
[[criteria]]
name = "server-errors"
title = "5xx errors < 1 %"
query = "sum(rate({requests}{{selector},{canary},status=~\"5..\"}[4s])) / sum(rate({requests}{{selector},{canary}}[4s]))"
below = 0.01
unit = "ratio"
window = "4s"
samples = "sum(max_over_time({requests}{{selector},{canary}}[$stage]) - min_over_time({requests}{{selector},{canary}}[$stage]))"
min_samples = 20
"#;

/// A canary that is there and has no traffic, in a cluster that lets ramps happen.
async fn at_rest(namespace: &'static str, router: Router) -> Monitored {
    let beginning = Beginning { share: 0, sections: RAMP, file: Some(("criteria.toml", CRITERIA)) };
    let world = Monitored::start(&[(namespace, router)], &beginning).await;
    limit_by(shared().await, namespace, router, (&world.ways[0], "admission-for-ramps")).await;
    world
}

async fn start(world: &Monitored) {
    let revision = world.rollouts[0].observe().await.revision.expect("an image with a tag");
    let arguments = ["rollout", "start", "--revision", revision.as_str()];
    let started = world.served.command(&arguments).await;
    let said = [&started.stdout, &started.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(started.status.success(), "{said:?}");
}

async fn ramp(world: &Monitored, namespace: &str) -> Option<RampView> {
    let read: Value = world.served.read(&format!("/api/v1/rollouts/{namespace}/ramp")).await?;
    serde_json::from_value(read).ok()
}

/// Waits until the ramp is as wanted.
async fn becomes(
    world: &Monitored,
    namespace: &str,
    what: &str,
    wanted: impl Fn(&RampView) -> bool,
) -> RampView {
    let deadline = Instant::now() + 2 * PATIENCE;
    loop {
        let found = ramp(world, namespace).await;
        match found {
            Some(ramp) if wanted(&ramp) => return ramp,
            other => assert!(Instant::now() < deadline, "{what}: {other:#?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// No stage was left before its time, and its share was read back before the time began.
fn each_stage_had_its_time(ramp: &RampView) {
    for stage in &ramp.stages {
        let began_at = stage.began_at.unwrap_or_else(|| panic!("it began: {stage:?}"));
        let passed_at = stage.passed_at.unwrap_or_else(|| panic!("it passed: {stage:?}"));
        assert!((passed_at - began_at).num_seconds() >= STAGE_SECONDS, "{stage:?}");
        assert!(!stage.evidence.is_empty(), "{stage:?}");
    }
}

async fn evidence_is_whole(world: &Monitored) {
    let folder = world.served.evidence().display().to_string();
    for arguments in [&["evidence", "verify"][..], &["evidence", "replay", &folder]] {
        let checked = world.served.command(arguments).await;
        let said =
            [&checked.stdout, &checked.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(checked.status.success(), "{arguments:?}: {said:?}");
    }
}

async fn replicas(rollout: &Rollout, name: &str) -> i32 {
    let deployment = rollout.workloads.api::<Deployment>().get(name).await.expect("a Deployment");
    deployment.spec.and_then(|spec| spec.replicas).expect("replicas")
}

/// SIGKILL as each stage begins, as it is left, and as its share is being set.
async fn reaches_everything_whenever_it_is_killed(namespace: &'static str, router: Router) {
    let world = at_rest(namespace, router).await;
    start(&world).await;
    for stage in 1..=3 {
        becomes(&world, namespace, "the next stage", |ramp| ramp.stage == stage || !ramp.is_running).await;
        world.served.kill();
        world.served.restart().await;
        let begun = |ramp: &RampView| ramp.stage == stage && ramp.stage_began_at.is_some();
        becomes(&world, namespace, "its share to be read back", begun).await;
        world.served.kill();
        world.served.restart().await;
    }
    let is_recorded = |ramp: &RampView| !ramp.is_running && !ramp.evidence.is_empty();
    let done = becomes(&world, namespace, "the end", is_recorded).await;
    assert_eq!(done.state, "succeeded", "{done:#?}");
    each_stage_had_its_time(&done);
    let rollout = &world.rollouts[0];
    assert_eq!(rollout.observe().await.share.0, 100);
    // A rollback from here must not wait for pods.
    assert_eq!((replicas(rollout, "stable").await, replicas(rollout, "canary").await), (2, 3));
    assert!(world.served.incidents(namespace).await.is_empty());
    evidence_is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_canary_gets_all_traffic_of_ingress_nginx_whenever_backstop_is_killed() {
    reaches_everything_whenever_it_is_killed("ramp-nginx", Router::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_canary_gets_all_traffic_of_an_http_route_whenever_backstop_is_killed() {
    reaches_everything_whenever_it_is_killed("ramp-route", Router::Gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_prometheus_a_stage_holds_and_with_it_the_ramp_goes_on_by_itself() {
    const NAMESPACE: &str = "ramp-blind";
    let mut world = at_rest(NAMESPACE, Router::Nginx).await;
    start(&world).await;
    becomes(&world, NAMESPACE, "the first stage", |ramp| ramp.stage_began_at.is_some()).await;
    world.prometheus.kill().await;
    let is_blind = |ramp: &RampView| ramp.holds.iter().any(|reason| reason.as_str() == "criterion_unknown");
    becomes(&world, NAMESPACE, "to hold", is_blind).await;
    // For as long as the stage lasts once more, nothing moves.
    tokio::time::sleep(Duration::from_secs(STAGE_SECONDS as u64)).await;
    let held = ramp(&world, NAMESPACE).await.expect("a ramp");
    assert!(held.stage == 1 && is_blind(&held), "{held:#?}");
    assert_eq!(world.rollouts[0].observe().await.share.0, 5);
    world.prometheus.resume().await.expect("Prometheus");
    let is_recorded = |ramp: &RampView| !ramp.is_running && !ramp.evidence.is_empty();
    let done = becomes(&world, NAMESPACE, "the end", is_recorded).await;
    assert_eq!(done.state, "succeeded", "{done:#?}");
    each_stage_had_its_time(&done);
    evidence_is_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_turns_bad_in_a_stage_is_rolled_back_and_its_ramp_ends() {
    const NAMESPACE: &str = "ramp-turns";
    let world = at_rest(NAMESPACE, Router::Nginx).await;
    start(&world).await;
    let at_half = |ramp: &RampView| ramp.share_percent == 50 && ramp.stage_began_at.is_some();
    becomes(&world, NAMESPACE, "half of the traffic", at_half).await;
    world.users[0].inject(Regression { error_ratio: 0.5, ..Regression::default() });
    let incident = world.served.rolled_back(NAMESPACE, 2 * PATIENCE).await;
    assert_eq!(incident.reason.as_str(), "critical_alert");
    let is_recorded = |ramp: &RampView| !ramp.is_running && !ramp.evidence.is_empty();
    let done = becomes(&world, NAMESPACE, "the end", is_recorded).await;
    assert_eq!((done.state.as_str(), done.incident.as_deref()), ("rolled_back", Some(incident.id.as_str())));
    let rollout = &world.rollouts[0];
    rollout.pods_are(3, 0).await;
    assert!(rollout.observe().await.is_off());
    let again = wait_for("an answer", || async {
        let revision = done.revision.as_str();
        let again = world.served.command(&["rollout", "start", "--revision", revision]).await;
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        said.contains("was rolled back at").then_some(again)
    })
    .await;
    assert!(!again.status.success());
    evidence_is_whole(&world).await;
}
