//! What somebody does to the evidence behind a running server, and that it shows.

use backstop::demo::trading_api::TradingApi;
use backstop::evidence::EvidenceDir;

use crate::support::{Site, binary, body, now, wait_for};

async fn verify(site: &Site) -> (i32, String) {
    let command = ["evidence", "verify", "--config"];
    let output = binary().args(command).arg(&site.config).output().await.expect("run");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Rolls back once more; returns when its evidence is complete, as the API says.
async fn rolled_back(site: &Site, api: &TradingApi, alert: &str) {
    api.set_share(25);
    site.share_read(25).await;
    let fired_at = now();
    assert_eq!(site.post(body(alert, "critical", &fired_at, None)).await, 200);
    site.incident("complete evidence", |incident| {
        let recorded = incident.evidence.iter().any(|file| file.name.ends_with("_after.prom"));
        incident.cause == alert && incident.state == "rolled_back" && recorded
    })
    .await;
    // Or it would count for the next canary.
    assert_eq!(site.post(body(alert, "critical", &fired_at, Some(&now()))).await, 200);
}

#[tokio::test]
async fn an_emptied_folder_is_missing_before_and_after_the_next_rollback() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    assert_eq!(verify(&site).await.0, 3, "nothing was ever written");
    let mut server = site.spawn().await;
    rolled_back(&site, &api, "CanaryErrorRateCritical").await;
    assert_eq!(verify(&site).await.0, 0);

    std::fs::remove_dir_all(site.evidence()).expect("emptied");
    let (code, said) = verify(&site).await;
    assert!(code == 1 && said.contains("MISSING: rollback_"), "{said}");

    rolled_back(&site, &api, "PgBouncerSaturation").await;
    let (code, said) = verify(&site).await;
    assert!(code == 1 && said.contains("was found broken: MISSING: rollback_"), "{said}");
    assert!(site.metric("backstop_evidence_problems_total").await >= 1.0);
    assert!(site.log().contains("not all is well"), "{}", site.log());
    server.kill().await.expect("killed");
    assert_eq!(verify(&site).await.0, 1, "without a server, too");
    let database = site.parsed().store.path;
    for beside in ["db-wal", "db-shm"] {
        let _gone_already = std::fs::remove_file(database.with_extension(beside));
    }
    std::fs::write(&database, "no database, whatever its name says").expect("written");
    let (_, said) = verify(&site).await;
    assert!(said.contains("THE DATABASE COULD NOT BE ASKED"), "{said}");
}

#[tokio::test]
async fn after_a_restart_a_cut_manifest_is_noticed_by_the_next_rollback() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut first = site.spawn().await;
    rolled_back(&site, &api, "CanaryErrorRateCritical").await;
    first.kill().await.expect("killed");
    for name in ["manifest.jsonl", "manifest.head"] {
        std::fs::remove_file(site.evidence().join(name)).expect("removed");
    }
    let mut second = site.spawn().await;
    rolled_back(&site, &api, "PgBouncerSaturation").await;
    let (code, said) = verify(&site).await;
    assert!(code == 1 && said.contains("as the database recorded it"), "{said}");
    second.kill().await.expect("killed");
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_does_not_keep_evidence_from_being_written() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    std::fs::write(site.evidence(), "a file in the way").expect("written");
    let app = site.start().await;
    rolled_back(&site, &api, "CanaryErrorRateCritical").await;
    wait_for("the gauge", || async { (site.metric("backstop_evidence_healthy").await < 1.0).then_some(()) })
        .await;
    site.incident("a notice", |incident| {
        incident.notifications.iter().any(|notice| notice.kind == "evidence_problem")
    })
    .await;
    let fallback = EvidenceDir::new(site.parsed().evidence.fallback_directory);
    let report = fallback.verify(&[]).expect("verified");
    assert!(report.is_clean() && report.files >= 5, "{report:?}");
    std::fs::remove_file(site.evidence()).expect("removed");
    let (code, said) = verify(&site).await;
    assert!(code == 0 && said.contains("evidence-fallback: "), "{said}");
    app.shutdown().await.expect("drained");
}
