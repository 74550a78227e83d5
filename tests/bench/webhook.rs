//! Webhook to 200, against one durable commit.

use std::time::Instant;

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::floor::Floor;
use crate::own_commit::OwnCommit;
use crate::report::{Report, Times};
use crate::site::{Served, Site, WEBHOOK, alert, single};

/// Not counted: the first requests find cold caches, lazily made things, and a log that still grows
/// (see [`Floor`]).
pub(crate) const WARM_UP: usize = 250;

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let api = FlagApi::start(1).await;
    let site = Site::new(&api, 1);
    let served = site.serve().await;
    api.all_polled().await;
    let mut floor = Floor::new(site.folder.path());
    let samples = plan.samples(1_000, 50);
    let mut own = OwnCommit::new(site.folder.path()).await;
    let [floor, own, ours] = sample(&served, &mut floor, &mut own, samples).await;
    report.ratio("webhook -> 200, p50 (floor: one commit of the store)", own.p50(), ours.p50(), Some(1.5));
    report.ratio("webhook -> 200, p99", own.p99(), ours.p99(), None);
    report.ratio("webhook -> 200, p50 (floor: one row by bare SQLite)", floor.p50(), ours.p50(), None);
    let bare = nothing_to_store(&served, samples).await;
    report.ratio("webhook with nothing to store -> 200, p50", floor.p50(), bare.p50(), None);
}

/// An alert of nobody's: what HTTP, the token and parsing take of the time.
async fn nothing_to_store(served: &Served, samples: usize) -> Times {
    let mut wire = served.connect().await;
    let mut times = Times::new();
    for number in 0..samples {
        let body = single("of-nobody", "warning", number);
        let began = Instant::now();
        assert_eq!(wire.post(WEBHOOK, &body).await.0, 200);
        times.add(began.elapsed());
    }
    times
}

/// New warnings of one rollout, in turns with the floor.
async fn sample(served: &Served, floor: &mut Floor, own: &mut OwnCommit, samples: usize) -> [Times; 3] {
    let mut wire = served.connect().await;
    let (mut floors, mut owns, mut ours) = (Times::new(), Times::new(), Times::new());
    let row = alert("r0", "warning", 0);
    for number in 0..WARM_UP + samples {
        // Whoever comes second finds a disk that has just been busy: each does, in turns.
        let before = (number % 2 == 0).then(|| floor.commit(1, &row));
        let body = single("r0", "warning", number);
        let began = Instant::now();
        let (status, answer) = wire.post(WEBHOOK, &body).await;
        let took = began.elapsed();
        assert_eq!(
            (status, answer.as_slice()),
            (200, &br#"{"status":"stored"}"#[..]),
            "a new alert is stored"
        );
        let bare = before.unwrap_or_else(|| floor.commit(1, &row));
        let commit = own.commit("warning", WARM_UP + number).await;
        if number >= WARM_UP {
            floors.add(bare);
            owns.add(commit);
            ours.add(took);
        }
    }
    [floors, owns, ours]
}
