//! Memory at rest, time to ready, size of the program.

use std::time::{Duration, Instant};

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::report::{Report, Times};
use crate::site::{BINARY, Site};

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let api = FlagApi::start(1).await;
    let site = Site::new(&api, 1);
    let (mut floors, mut ours) = (Times::new(), Times::new());
    for _ in 0..plan.samples(20, 3) {
        // The least that any start of this program takes: it says its version.
        let began = Instant::now();
        let ended = tokio::process::Command::new(BINARY).arg("--version").output().await.expect("it runs");
        assert!(ended.status.success());
        floors.add(began.elapsed());
        let served = site.serve().await;
        ours.add(served.ready_after);
        served.kill().await;
    }
    let floor = Some(floors.p50());
    report.under("start -> ready, p50 (floor: --version)", floor, ours.p50(), Duration::from_millis(100));
    let served = site.serve().await;
    api.all_polled().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    report.size("memory at rest", served.memory("VmRSS"), Some(20 << 20));
    report.size("program, stripped", std::fs::metadata(BINARY).expect("the program").len(), Some(22 << 20));
}
