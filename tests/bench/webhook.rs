//! Webhook to 200, against one durable commit.

use std::time::Instant;

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::floor::Floor;
use crate::report::{Report, Times};
use crate::site::{Served, Site, WEBHOOK, alert, single};

/// Not counted: the first requests find cold caches and lazily made things.
const WARM_UP: usize = 20;

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let api = FlagApi::start(1).await;
    let site = Site::new(&api, 1);
    let served = site.serve().await;
    api.all_polled().await;
    let mut floor = Floor::new(site.folder.path());
    let samples = plan.samples(1_000, 50);
    let (floor, ours) = sample(&served, &mut floor, samples).await;
    report.ratio("webhook -> 200, p50 (floor: one commit)", floor.p50(), ours.p50(), Some(1.3));
    report.ratio("webhook -> 200, p99", floor.p99(), ours.p99(), None);
}

/// New warnings of one rollout, in turns with the floor.
async fn sample(served: &Served, floor: &mut Floor, samples: usize) -> (Times, Times) {
    let mut wire = served.connect().await;
    let (mut floors, mut ours) = (Times::new(), Times::new());
    let row = alert("r0", "warning", 0);
    for number in 0..WARM_UP + samples {
        let bare = floor.commit(1, &row);
        let body = single("r0", "warning", number);
        let began = Instant::now();
        let (status, answer) = wire.post(WEBHOOK, &body).await;
        let took = began.elapsed();
        assert_eq!(
            (status, answer.as_slice()),
            (200, &br#"{"status":"stored"}"#[..]),
            "a new alert is stored"
        );
        if number >= WARM_UP {
            floors.add(bare);
            ours.add(took);
        }
    }
    (floors, ours)
}
