//! How cost grows with the alerts in a body and with the open incidents.

use std::time::Instant;

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::report::{Report, Times, shown};
use crate::site::{Site, WEBHOOK, alert, body, single};

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    alerts_in_a_body(plan, report).await;
    open_incidents(plan, report).await;
}

async fn alerts_in_a_body(plan: &Plan, report: &mut Report) {
    let mut rows = vec![["alerts in a body", "-> 200", "for each"].map(str::to_owned).to_vec()];
    for count in [1, 10, 100, 1_000, 10_000] {
        let api = FlagApi::start(1).await;
        let served_by = Site::new(&api, 1);
        let served = served_by.serve().await;
        api.all_polled().await;
        let mut wire = served.connect().await;
        assert_eq!(wire.post(WEBHOOK, &single("r0", "warning", usize::MAX)).await.0, 200);
        let mut times = Times::new();
        for round in 0..plan.samples(if count < 1_000 { 20 } else { 3 }, 1) {
            let alerts: Vec<_> =
                (0..count).map(|number| alert("r0", "warning", round * count + number)).collect();
            let body = body(&alerts);
            let began = Instant::now();
            assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
            times.add(began.elapsed());
        }
        let each = times.p50() / u32::try_from(count).expect("few");
        rows.push(vec![count.to_string(), shown(times.p50()), shown(each)]);
    }
    report.table("Growth with the alerts in one body (new warnings that join a grace)", rows);
}

async fn open_incidents(plan: &Plan, report: &mut Report) {
    let head = ["open incidents", "one more webhook -> 200, p50", "p99", "memory"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for count in [1, 10, 100, 1_000] {
        let api = FlagApi::start(count).await;
        let site = Site::new(&api, count);
        let served = site.serve().await;
        api.all_polled().await;
        let mut wire = served.connect().await;
        let all: Vec<_> = (0..count).map(|number| alert(&format!("r{number}"), "warning", 0)).collect();
        assert_eq!(wire.post(WEBHOOK, &body(&all)).await.0, 200);
        let mut times = Times::new();
        for number in 0..plan.samples(200, 10) {
            let rollout = format!("r{}", number % count);
            let body = single(&rollout, "warning", 1 + number);
            let began = Instant::now();
            assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
            times.add(began.elapsed());
        }
        let memory = crate::report::mebibytes(served.memory("VmRSS"));
        rows.push(vec![count.to_string(), shown(times.p50()), shown(times.p99()), memory]);
    }
    report.table("Growth with the open incidents (one a rollout, all in a grace)", rows);
}
