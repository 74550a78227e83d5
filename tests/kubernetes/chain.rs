//! The whole chain: a canary's bad metrics, scraped and judged by the real Prometheus, told by the real
//! Alertmanager, end in the real cluster, and in what people see.

pub(crate) mod monitored;
pub(crate) mod users;

use backstop::demo::trading_api::Regression;
use backstop::incident::{CheckName, CheckOutcome, Verdict};
use backstop::web::IncidentView;
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;

use self::monitored::{Beginning, CHANNEL, Monitored};
use crate::controlplane::{PATIENCE, wait_for};
use crate::incidents::told;
use crate::rollouts::{Rollout, Router};

const NGINX: &str = "chain-nginx";
const GATEWAY: &str = "chain-gateway";

/// A critical is rolled back at once, a warning at the end of its grace; both in the same cluster, at the
/// same time, as the account that is shipped.
#[tokio::test(flavor = "multi_thread")]
async fn bad_metrics_end_in_the_cluster_and_in_what_people_see() {
    let world =
        Monitored::start(&[(NGINX, Router::Nginx), (GATEWAY, Router::Gateway)], &Beginning::usual()).await;
    let healthy = Regression::default();
    world.users[0].inject(Regression { error_ratio: 0.5, ..healthy });
    world.users[1].inject(Regression { slow_ratio: 1.0, slow_seconds: 0.28, ..healthy });

    let (critical, warning) = tokio::join!(
        world.served.rolled_back(NGINX, 2 * PATIENCE),
        world.served.rolled_back(GATEWAY, 2 * PATIENCE)
    );
    assert_eq!((critical.severity.as_str(), critical.reason.as_str()), ("critical", "critical_alert"));
    assert!(critical.cause.starts_with("CanaryErrorRateCritical"), "{}", critical.cause);
    assert_eq!((warning.severity.as_str(), warning.reason.as_str()), ("warning", "still_firing"));
    assert!(warning.cause.starts_with("CanaryLatencyP95Warning"), "{}", warning.cause);
    let grace_ended = warning.grace_ends_at.expect("a grace");
    assert!(warning.steps.iter().all(|step| step.started_at >= grace_ended), "{:#?}", warning.steps);

    for (rollout, incident) in world.rollouts.iter().zip([&critical, &warning]) {
        ends_in_the_cluster(rollout, incident).await;
        is_in_the_evidence(&world, incident);
        is_in_slack(&world, incident).await;
        is_in_status(&world, incident);
    }
    let verified = world.served.site.command(&["evidence", "verify"]).output().expect("it runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

async fn ends_in_the_cluster(rollout: &Rollout, incident: &IncidentView) {
    rollout.pods_are(3, 0).await;
    assert!(rollout.observe().await.is_off(), "{}", incident.id);
    let verification = incident.verification.as_ref().expect("a verification");
    assert_eq!(verification.verdict, Verdict::Verified, "{incident:#?}");
    // Of a canary without pods nothing more is measured, for which nobody waits.
    let alerts = verification.checks.iter().find(|check| check.name == CheckName::AlertExpression);
    let alerts = alerts.expect("looked at");
    assert_eq!(alerts.outcome, CheckOutcome::Gone, "{incident:#?}");
    assert!(
        alerts.detail.contains("the canary, which it was about, has no pods any more"),
        "{}",
        alerts.detail
    );
    assert_eq!(told(incident, "rollback_failed"), 0, "{incident:#?}");
    let events = rollout.workloads.api::<Event>();
    let object = if rollout.router == Router::Nginx { "Ingress" } else { "HTTPRoute" };
    for kind in [object, "Deployment"] {
        wait_for(&format!("Events about the {kind}"), || async {
            let all = events.list(&ListParams::default()).await.ok()?.items;
            let ours = all.iter().filter(|event| {
                event.reporting_controller.as_deref() == Some("backstop")
                    && event.regarding.as_ref().is_some_and(|about| about.kind.as_deref() == Some(kind))
            });
            let done = |reason: &str| ours.clone().any(|event| event.reason.as_deref() == Some(reason));
            (done("RollbackStepStarted") && done("RollbackStepDone")).then_some(())
        })
        .await;
    }
}

/// The protocol's four lines come first.
fn is_in_the_evidence(world: &Monitored, incident: &IncidentView) {
    let file = incident.evidence.iter().find(|file| file.name.ends_with(".txt")).expect("a text");
    let file = world.served.site.folder().join("evidence").join(&file.name);
    let text = std::fs::read_to_string(file).expect("read");
    let lines: Vec<_> = text.lines().take(4).collect();
    assert!(lines[0].starts_with("Rollback Executed: "), "{lines:?}");
    assert_eq!(lines[1], "Stage: 3 (25 %)");
    assert_eq!(lines[2], format!("Reason: {}", incident.cause));
    assert_eq!(lines[3], "Triggered By: Automatic");
    for done in ["deployments/stable/scale", "deployments/canary/scale", "replicas 1 -> 0"] {
        assert!(text.contains(done), "{done} in {text}");
    }
}

async fn is_in_slack(world: &Monitored, incident: &IncidentView) {
    let says = |people: &backstop::demo::people::People| {
        let threads = people.slack().threads(CHANNEL).into_iter();
        threads
            .map(|thread| thread.root.current().text.clone())
            .find(|text| text.contains(&incident.rollout) && text.contains("ROLLED BACK"))
    };
    let found = world.people.wait_until("the message", PATIENCE, says).await;
    found.unwrap_or_else(|error| panic!("{error}\n{}", world.people.slack().transcript(CHANNEL)));
}

fn is_in_status(world: &Monitored, incident: &IncidentView) {
    let status =
        world.served.site.command(&["status", "--rollout", &incident.rollout]).output().expect("it runs");
    let text = String::from_utf8_lossy(&status.stdout);
    for words in
        ["in the cluster: 0 %; stable 3 of 3 ready, canary 0 of 0 ready", incident.id.as_str(), "ROLLED BACK"]
    {
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "{words} in {text}");
    }
}
