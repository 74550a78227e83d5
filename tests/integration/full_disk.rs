//! Real file systems that are full or read-only: nothing that was answered 200 is lost, the
//! rollback happens, the evidence follows.

use std::collections::BTreeSet;

use backstop::demo::trading_api::{Fault, TradingApi};
use backstop::evidence::EvidenceDir;
use backstop::web::IncidentView;
use tokio::process::Child;

use crate::support::small_disk::SmallDisk;
use crate::support::{Site, body, now, wait_for};

const FAILED: &str = "backstop_evidence_writes_total{outcome=\"failed\"}";

/// More webhooks than fit into what a full disk may have left.
const MANY: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_data_disk_full_nothing_answered_200_is_lost_and_no_restart_is_needed() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("1h", &api);
    let disk = SmallDisk::mount(&site.folder.path().join("data"), "16m").await;
    let mut server = disk.serve(&site).await;
    let starts_at = now();
    let warning = |name: &str| body(name, "warning", &starts_at, None);
    assert_eq!(site.post(warning("Before")).await, 200);
    disk.fill();
    let (mut accepted, mut refused) = (BTreeSet::from(["Before".to_owned()]), Vec::new());
    for number in 0..MANY {
        let name = format!("Full{number}");
        match site.post(warning(&name)).await {
            200 => accepted.insert(name),
            503 => {
                refused.push(name);
                true
            }
            status => panic!("{name}: {status}"),
        };
        if refused.len() == 5 {
            break;
        }
    }
    assert_eq!(refused.len(), 5, "the disk is full, yet all was taken: {accepted:?}");
    assert!(site.metric("backstop_store_healthy").await < 1.0);
    assert!(site.log().contains("free space or mend the disk"), "{}", site.log());

    disk.free();
    // As Alertmanager would: again, until it is accepted.
    for name in refused {
        wait_for("what was refused to be taken", || async {
            (site.post(warning(&name)).await == 200).then_some(())
        })
        .await;
        accepted.insert(name);
    }
    server.kill().await.expect("killed");
    let mut server = disk.serve(&site).await;
    let incidents = site.incidents().await;
    let known: BTreeSet<_> = incidents
        .iter()
        .flat_map(|incident| &incident.alerts)
        .map(|attached| attached.alert.name().to_owned())
        .collect();
    assert_eq!((incidents.len(), known), (1, accepted), "what was answered 200, and only once each");
    server.kill().await.expect("killed");
    disk.unmount().await;
}

/// Waits until nothing is held in memory any more, and asserts that the next process knows the end.
async fn recorded(site: &Site, api: &TradingApi, disk: &SmallDisk, server: &mut Child) {
    site.incident("the end", |incident| incident.state == "rolled_back").await;
    wait_for("everything to be stored", || async {
        (site.metric("backstop_store_unrecorded_events").await < 1.0
            && site.metric("backstop_store_healthy").await > 0.0)
            .then_some(())
    })
    .await;
    server.kill().await.expect("killed");
    *server = disk.serve(site).await;
    let incidents = site.incidents().await;
    assert_eq!((incidents.len(), incidents[0].state.as_str()), (1, "rolled_back"));
    assert_eq!(api.changes(), [(25, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_data_disk_full_a_critical_sets_the_flag_at_once_and_is_recorded_later() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let disk = SmallDisk::mount(&site.folder.path().join("data"), "16m").await;
    let mut server = disk.serve(&site).await;
    disk.fill();
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    assert_eq!(site.post(critical.clone()).await, 503, "it can't be kept, so it is not accepted");
    wait_for("the flag to be set", || async { (api.share() == 0).then_some(()) }).await;
    disk.free();
    wait_for("it to be taken", || async { (site.post(critical.clone()).await == 200).then_some(()) }).await;
    recorded(&site, &api, &disk, &mut server).await;
    server.kill().await.expect("killed");
    disk.unmount().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_data_disk_full_in_the_middle_of_a_rollback_it_goes_on_and_its_record_follows() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let disk = SmallDisk::mount(&site.folder.path().join("data"), "16m").await;
    let mut server = disk.serve(&site).await;
    api.fault(Fault::Status(503), Fault::None);
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    wait_for("a first attempt", || async { (!api.sets().is_empty()).then_some(()) }).await;
    disk.fill();
    api.fault(Fault::None, Fault::None);
    wait_for("the flag to be set", || async { (api.share() == 0).then_some(()) }).await;
    wait_for("a result that can't be stored", || async {
        (site.metric("backstop_store_append_failures_total").await >= 1.0).then_some(())
    })
    .await;

    disk.free();
    recorded(&site, &api, &disk, &mut server).await;
    let done = site.incidents().await.remove(0);
    let evidence = EvidenceDir::new(site.evidence());
    wait_for("the complete evidence", || async {
        let shown = evidence.show(&done.id, false).ok()?;
        shown.contains("This File: complete").then_some(())
    })
    .await;
    server.kill().await.expect("killed");
    disk.unmount().await;
}

/// Posts a critical while the evidence folder can't be written: the rollback must not care, and its
/// evidence is written beside, and said to be.
async fn rolls_back_with_evidence_beside(site: &Site, api: &TradingApi) {
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((api.share(), api.changes()), (0, vec![(25, 0)]));
    let evidence = EvidenceDir::new(site.parsed().evidence.fallback_directory);
    complete(&evidence, &done.id).await;
    let done = site.incident("the record of it", |incident| !incident.evidence.is_empty()).await;
    let directory = done.evidence[0].directory.clone().expect("a directory");
    assert!(directory.ends_with("evidence-fallback"), "{directory}");
    let log = site.log();
    assert!(log.contains("not all is well") && log.contains("make it writable"), "{log}");
    assert!(site.metric("backstop_evidence_problems_total").await >= 1.0);
}

async fn complete(evidence: &EvidenceDir, incident: &str) {
    wait_for("the complete evidence", || async {
        let shown = evidence.show(incident, false).ok()?;
        shown.contains("This File: complete").then_some(())
    })
    .await;
    let report = evidence.verify(&[]).expect("verified");
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_evidence_disk_full_the_rollback_happens_and_the_evidence_is_written_beside() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let disk = SmallDisk::mount(&site.evidence(), "1m").await;
    let mut server = disk.serve(&site).await;
    disk.fill();
    rolls_back_with_evidence_beside(&site, &api).await;
    server.kill().await.expect("killed");
    disk.unmount().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_evidence_disk_read_only_the_rollback_happens_and_the_evidence_is_written_beside() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let disk = SmallDisk::mount(&site.evidence(), "1m").await;
    let mut server = disk.serve(&site).await;
    disk.remount("ro").await;
    rolls_back_with_evidence_beside(&site, &api).await;
    server.kill().await.expect("killed");
    disk.unmount().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_files_where_both_evidence_folders_should_be_the_rollback_happens_and_the_evidence_follows() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let fallback = site.parsed().evidence.fallback_directory;
    std::fs::create_dir_all(fallback.parent().expect("a folder")).expect("made");
    std::fs::write(&fallback, "in the way").expect("written");
    std::fs::write(site.evidence(), "in the way").expect("written");
    let mut server = site.spawn().await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((api.share(), api.changes()), (0, vec![(25, 0)]));
    wait_for("a failure that is told", || async { (site.metric(FAILED).await >= 2.0).then_some(()) }).await;
    let log = site.log();
    assert!(log.contains("evidence not written") && log.contains("in its way elsewhere"), "{log}");
    assert!(site.incidents().await[0].evidence.is_empty());

    std::fs::remove_file(site.evidence()).expect("removed");
    complete(&EvidenceDir::new(site.evidence()), &done.id).await;
    site.incident("the record of it", |incident| !incident.evidence.is_empty()).await;
    server.kill().await.expect("killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_started_on_a_full_disk_rolls_back_and_records_it_once_there_is_room() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("1h", &api);
    let disk = SmallDisk::mount(&site.folder.path().join("data"), "16m").await;
    for stored_before in [false, true] {
        disk.fill();
        let mut server = disk.serve(&site).await;
        // What the last process left may be given back only now, so the disk is kept full; that a database
        // which is there can't be written is found by the next look at it.
        wait_for("it to be unready", || async {
            disk.fill();
            (site.metric("backstop_ready").await < 1.0).then_some(())
        })
        .await;
        let status: serde_json::Value = site.read("/api/v1/rollouts").await.expect("an answer");
        assert_eq!(status[0]["store_healthy"], false, "{status}");
        api.set_share(25);
        site.share_read(25).await;
        let critical = body(&format!("Critical{stored_before}"), "critical", &now(), None);
        assert_eq!(site.post(critical.clone()).await, 503);
        wait_for("the flag", || async { (api.share() == 0).then_some(()) }).await;

        disk.free();
        wait_for("it to be taken", || async { (site.post(critical.clone()).await == 200).then_some(()) })
            .await;
        let done = |incident: &IncidentView| {
            incident.state == "rolled_back" && incident.cause.ends_with(&stored_before.to_string())
        };
        let done = site.incident("the rollback", done).await;
        assert!(site.metric("backstop_ready").await > 0.0);
        // An orderly end, so that the next start finds a database without a log beside it.
        stop(&mut server).await;
        let mut server = disk.serve(&site).await;
        assert!(site.incidents().await.iter().any(|incident| incident.id == done.id), "it is stored");
        stop(&mut server).await;
    }
    assert_eq!(api.sets(), [0, 0], "one order each");
    disk.unmount().await;
}

async fn stop(server: &mut Child) {
    let pid = server.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())).expect("it runs");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("signalled");
    server.wait().await.expect("ended");
}

#[tokio::test]
async fn a_server_whose_data_folder_is_a_file_says_so_acts_all_the_same_and_needs_no_restart() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let data = site.folder.path().join("data");
    std::fs::write(&data, "no folder").expect("written");
    let mut server = site.spawn().await;
    let log = site.log();
    assert!(
        log.contains("the store can't be opened") && log.contains("Backstop starts without its store"),
        "{log}"
    );
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    assert_eq!(site.post(critical.clone()).await, 503);
    wait_for("the flag", || async { (api.share() == 0).then_some(()) }).await;
    std::fs::remove_file(&data).expect("removed");
    wait_for("it to be taken", || async { (site.post(critical.clone()).await == 200).then_some(()) }).await;
    site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    server.kill().await.expect("killed");
}
