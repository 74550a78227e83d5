//! Ten thousand alerts in one body, and two thousand webhooks at once.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::floor::Floor;
use crate::report::{Report, Times};
use crate::site::{Site, WEBHOOK, alert, single};

const SOCKETS: usize = 500;
const WEBHOOKS_A_SOCKET: usize = 4;

/// The captured body of ten thousand criticals of the rollout `checkout`.
pub(crate) fn captured() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/storm_10000.json.gz");
    let bytes = std::fs::read(path).expect("a captured body");
    let mut whole = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut whole).expect("unpacked");
    whole
}

pub(crate) async fn one_body(plan: &Plan, report: &mut Report) {
    let body = captured();
    let (mut floors, mut accepted, mut acted) = (Times::new(), Times::new(), Times::new());
    let mut peak = 0;
    for _ in 0..plan.samples(5, 1) {
        let api = FlagApi::start(1).await;
        let site = Site::matching(&api, std::iter::once("checkout".to_owned()));
        let served = site.serve().await;
        api.all_polled().await;
        floors.add(Floor::new(site.folder.path()).commit(10_000, &alert("checkout", "critical", 0)));
        let mut wire = served.connect().await;
        let began = Instant::now();
        assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
        accepted.add(began.elapsed());
        let (_, acknowledged_by) = api.rolled_back(0).await;
        acted.add(acknowledged_by - began);
        // Its evidence is the other thing that needs memory.
        tokio::time::sleep(Duration::from_secs(1)).await;
        peak = peak.max(served.memory("VmHWM"));
    }
    let floor = Some(floors.p50());
    let half_a_second = Duration::from_millis(500);
    report.under(
        "10,000 alerts in one body -> 200 (floor: one commit of 10,000 rows)",
        floor,
        accepted.p50(),
        half_a_second,
    );
    report.under(
        "10,000 alerts in one body -> POST acknowledged",
        floor,
        acted.p50(),
        Duration::from_secs(1),
    );
    report.size("10,000 alerts in one body, peak memory", peak, Some(200 << 20));
}

pub(crate) async fn many_sockets(_: &Plan, report: &mut Report) {
    let api = FlagApi::start(1).await;
    let site = Site::new(&api, 1);
    let served = site.serve().await;
    api.all_polled().await;
    let together = Arc::new(Barrier::new(SOCKETS + 1));
    let mut senders = JoinSet::new();
    for socket in 0..SOCKETS {
        let mut wire = served.connect().await;
        let together = Arc::clone(&together);
        senders.spawn(async move {
            let mut slowest = Duration::ZERO;
            together.wait().await;
            for round in 0..WEBHOOKS_A_SOCKET {
                // One critical in the thick of it.
                let severity = if (socket, round) == (SOCKETS / 2, 1) { "critical" } else { "warning" };
                let body = single("r0", severity, socket * WEBHOOKS_A_SOCKET + round);
                let began = Instant::now();
                assert_eq!(wire.post(WEBHOOK, &body).await.0, 200, "socket {socket}, round {round}");
                slowest = slowest.max(began.elapsed());
            }
            slowest
        });
    }
    together.wait().await;
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while let Some(ended) = senders.join_next().await {
        slowest = slowest.max(ended.expect("every webhook was answered 200"));
    }
    let all = began.elapsed();
    let (_, acknowledged_by) = api.rolled_back(0).await;
    let second = Duration::from_secs(1);
    report.under(
        "2,000 webhooks, 500 sockets: the critical acted on, from the storm's start",
        None,
        acknowledged_by - began,
        second,
    );
    let all = crate::report::shown(all);
    let slowest = format!("slowest {}", crate::report::shown(slowest));
    report.row(["2,000 webhooks, 500 sockets: all answered 200", "", &all, &slowest, "none refused", "yes"]);
}
