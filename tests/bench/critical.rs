//! A critical webhook to the flag's POST acknowledged, against one commit and one POST.

use std::time::{Duration, Instant};

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::floor::Floor;
use crate::own_commit::OwnCommit;
use crate::report::{Report, Times};
use crate::site::{Site, WEBHOOK, alert, single};
use crate::webhook::WARM_UP;
use crate::wire::Wire;

/// The pause before each sample, ours and the floor's alike: a critical comes to a resting machine.
const REST: Duration = Duration::from_millis(20);

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    // One rollout a sample, and one more flag for the bare client.
    let samples = plan.samples(200, 10);
    let api = FlagApi::start(samples + 1).await;
    let site = Site::new(&api, samples + 1);
    let served = site.serve().await;
    api.all_polled().await;
    let mut floor = Floor::new(site.folder.path());
    let mut own = OwnCommit::new(site.folder.path()).await;
    let mut bare = Wire::connect(api.address, "").await;
    let mut wire = served.connect().await;
    for number in 0..WARM_UP {
        assert_eq!(wire.post(WEBHOOK, &single(&format!("r{samples}"), "warning", number)).await.0, 200);
    }
    let (mut floors, mut ours, mut sent, mut owns) = (Times::new(), Times::new(), Times::new(), Times::new());
    let row = alert("r0", "critical", 0);
    for number in 0..samples {
        let rollout = format!("r{number}");
        let body = single(&rollout, "critical", number);
        let began = Instant::now();
        assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
        let (set_at, acknowledged_by) = api.rolled_back(number).await;
        sent.add(set_at - began);
        ours.add(acknowledged_by - began);
        finished(&mut wire, &rollout).await;

        let began = Instant::now();
        floor.commit(1, &row);
        let (status, _) =
            bare.post(&format!("/flag/{samples}"), br#"{"feature":"v1.4.0","percentage":0}"#).await;
        assert_eq!(status, 200);
        floors.add(began.elapsed());
        tokio::time::sleep(REST).await;

        // Numbers distinguish incidents of one second, and its warm-up has used the first.
        let commit = own.commit("critical", WARM_UP + number).await;
        let began = Instant::now();
        let (status, _) =
            bare.post(&format!("/flag/{samples}"), br#"{"feature":"v1.4.0","percentage":0}"#).await;
        assert_eq!(status, 200);
        owns.add(commit + began.elapsed());
        tokio::time::sleep(REST).await;
    }
    report.ratio(
        "critical -> POST acknowledged, p50 (floor: commit of the store + POST)",
        owns.p50(),
        ours.p50(),
        Some(1.6),
    );
    report.ratio("critical -> POST acknowledged, p99", owns.p99(), ours.p99(), Some(3.0));
    report.ratio("critical -> POST arrives, p50", owns.p50(), sent.p50(), None);
    let bare = "critical -> POST acknowledged, p50 (floor: one row by bare SQLite + POST)";
    report.ratio(bare, floors.p50(), ours.p50(), None);
}

/// Waits until the rollback is done to its end, so that the next sample finds a resting process, as
/// a critical does in life.
async fn finished(wire: &mut Wire, rollout: &str) {
    loop {
        let (status, answer) = wire.get(&format!("/api/v1/incidents?rollout={rollout}")).await;
        assert_eq!(status, 200);
        let incidents: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        if incidents[0]["state"] == "rolled_back" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // The last evidence is written now.
    tokio::time::sleep(REST).await;
}
