//! The whole way: an alert to the process, a rollback in the cluster.

use backstop::incident::Share;

use crate::rollouts::{Rollout, Router};
use crate::served::Served;

#[tokio::test]
async fn a_critical_alert_takes_the_canary_out_of_the_cluster_though_stable_had_no_pod() {
    let rollout = Rollout::new("whole", Router::Nginx, 0).await;
    let served = Served::of("whole", Router::Nginx).await;
    served.share_is("whole", 25).await;
    served.critical("whole").await;
    rollout.pods_are(3, 0).await;
    let observed = rollout.observe().await;
    assert!(observed.share == Share::ZERO && observed.is_off(), "{observed:?}");
    let incident = served.becomes("whole", "rolled_back").await;
    // Stable first, then the traffic, then the canary.
    let steps = incident["steps"].to_string();
    let at = |text: &str| steps.find(text).unwrap_or_else(|| panic!("{text} in {steps}"));
    assert!(at("deployments/stable/scale") < at("ingresses/api"), "{steps}");
    assert!(at("ingresses/api") < at("deployments/canary/scale"), "{steps}");
    // It knows, and shows, all of it after a power cut, too.
    served.kill();
    served.restart().await;
    let incidents = served.incidents("whole").await;
    assert!(incidents.len() == 1 && incidents[0]["state"] == "rolled_back", "{incidents:#?}");
    let verified = served.command(&["evidence", "verify"]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    assert!(std::fs::read_dir(served.evidence()).expect("a folder").count() > 2);
}
