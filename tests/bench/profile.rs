//! Where a critical's time goes: each stage alone, by the library's own functions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstop::clock::{Clock, SystemClock};
use backstop::config::{BodyTemplate, FlagMethod, ShareScale};
use backstop::decision::{Context, Decided, Input, Mode, OnUnverified, PlanPolicy, Policy, Reading, decide};
use backstop::execution::{FeatureFlag, ReadRequest, SetRequest, Target};
use backstop::incident::{
    Alert, BlobRef, Event, Observation, Revision, RolloutName, RolloutState, SeverityMap, Share, Step,
    StoredAs,
};
use backstop::outbound::Outbound;
use backstop::pipeline::blob_ref;
use backstop::store::{Batch, IncidentStore, SqliteStore};
use backstop::webhook::parse;
use chrono::TimeDelta;

use crate::Plan;
use crate::flag_api::FlagApi;
use crate::floor::Floor;
use crate::report::{Report, Times, shown};
use crate::site::{alert, single};

/// The stages in order.
const STAGES: [&str; 5] = ["parse and hash the body", "decide", "commit", "POST", "read back"];

pub(crate) async fn run(plan: &Plan, report: &mut Report) {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let store = SqliteStore::open(&folder.path().join("backstop.db")).expect("opened");
    let api = FlagApi::start(1).await;
    let url: reqwest::Url = format!("http://{}/flag/0", api.address).parse().expect("a URL");
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let scale = ShareScale::Percent;
    let read = ReadRequest { url: url.clone(), pointer: "/percentage".to_owned(), scale };
    let set = SetRequest {
        method: FlagMethod::Post,
        url,
        body: BodyTemplate::protocol(scale),
        feature: "v1.4.0".to_owned(),
        revision: "v1.4.0".to_owned(),
    };
    let target = FeatureFlag::new(outbound, set, Some(read));
    let mut times = [(); STAGES.len()].map(|()| Times::new());
    let mut seq = 0;
    let (mut floor, mut floors, mut smallest) = (Floor::new(folder.path()), Times::new(), Times::new());
    // The first finds no connection to the API yet.
    target.observe().await.expect("read");
    for number in 0..plan.samples(500, 20) {
        let body = single("r0", "critical", number);
        let began = Instant::now();
        let payload = parse(&body, SystemClock.now(), &SeverityMap::default()).expect("a body");
        let blob = blob_ref(&body);
        times[0].add(began.elapsed());

        let began = Instant::now();
        let first = payload.alerts.into_iter().next().expect("one");
        let events = decided(RolloutState::default(), first, &blob, number).events;
        times[1].add(began.elapsed());

        let began = Instant::now();
        let batch = Batch { expected_seq: seq, events, blobs: vec![(blob, Arc::from(body))] };
        seq = store.append(batch).await.expect("appended");
        times[2].add(began.elapsed());

        floors.add(floor.commit(1, &alert("r0", "critical", number)));
        let began = Instant::now();
        let (at, rollout) = (SystemClock.now(), RolloutName::new("r0"));
        let events = vec![StoredAs { at, rollout, incident: None, event: Event::WatchdogBack }];
        seq = store.append(Batch { expected_seq: seq, events, blobs: Vec::new() }).await.expect("appended");
        smallest.add(began.elapsed());

        let began = Instant::now();
        target.apply(Step::TrafficOff).await.expect("set");
        times[3].add(began.elapsed());

        let began = Instant::now();
        assert_eq!(target.observe().await, Ok(Observation::of_share(Share::ZERO)));
        times[4].add(began.elapsed());
    }
    table(&times, report);
    report.ratio("a critical's events stored, p50 (floor: one commit)", floors.p50(), times[2].p50(), None);
    report.ratio("one small event stored, p50", floors.p50(), smallest.p50(), None);
}

pub(crate) fn decided(state: RolloutState, alert: Alert, blob: &BlobRef, number: usize) -> Decided {
    let now = SystemClock.now();
    let policy = Policy {
        rollback_deadline: TimeDelta::minutes(12),
        mode: Mode::Armed,
        matching: [("rollout".to_owned(), "r0".to_owned())].into(),
        revision: Revision::new("v1.4.0"),
        grace: TimeDelta::minutes(5),
        hold: TimeDelta::minutes(30),
        on_unverified: OnUnverified::RollBack,
        plan: PlanPolicy::TrafficOnly,
        verify_window: TimeDelta::minutes(10),
        guard: TimeDelta::zero(),
        reading_valid: TimeDelta::seconds(40),
        watchdog_timeout: TimeDelta::minutes(3),
        recipients: Vec::new(),
    };
    let context = Context {
        rollout: &RolloutName::new("r0"),
        policy: &policy,
        revision: &policy.revision,
        now,
        nonce: u16::try_from(number).expect("few"),
        reading: Reading::At { at: now, share: Some(Share(25)) },
        observed: None,
        last_zero_at: None,
        not_before: None,
        frozen: None,
        watchdog_silent_seconds: Some(1),
        watchdog_heard: true,
    };
    decide(state, &Input::Alert { alert, body: Some(blob.clone()) }, &context)
}

fn table(times: &[Times; STAGES.len()], report: &mut Report) {
    let whole: Duration = times.iter().map(Times::p50).sum();
    let mut rows = vec![["stage of a critical", "p50", "p99", "part"].map(str::to_owned).to_vec()];
    for (stage, times) in STAGES.iter().zip(times) {
        let part = 100.0 * times.p50().as_secs_f64() / whole.as_secs_f64();
        rows.push(vec![(*stage).to_owned(), shown(times.p50()), shown(times.p99()), format!("{part:.0} %")]);
    }
    rows.push(vec!["together".into(), shown(whole), String::new(), "100 %".into()]);
    report.table("Where a critical's time goes (each stage alone; the rest is HTTP and hand-overs)", rows);
}
