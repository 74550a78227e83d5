//! SIGKILL between what was promised and what was done.

use std::time::Duration;

use backstop::demo::trading_api::{Fault, TradingApi};
use backstop::evidence::EvidenceDir;

use crate::support::{Site, body, now, wait_for};

#[tokio::test]
async fn killed_between_the_200_and_the_rollback_it_finishes_after_a_restart() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut first = site.spawn().await;
    api.fault(Fault::Hangs(Duration::from_secs(60)), Fault::None);
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    first.kill().await.expect("killed");
    assert_eq!(api.share(), 25, "nothing was rolled back before the crash");
    api.fault(Fault::None, Fault::None);

    let mut second = site.spawn().await;
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((api.share(), site.incidents().await.len()), (0, 1));
    assert_eq!(done.cause, "CanaryErrorRateCritical");
    let evidence = EvidenceDir::new(site.evidence());
    wait_for("the complete evidence", || async {
        let shown = evidence.show(&done.id, false).ok()?;
        shown.contains("This File: complete").then_some(())
    })
    .await;
    assert!(evidence.verify(&[]).expect("verified").is_clean());
    second.kill().await.expect("killed");
}

#[tokio::test]
async fn a_grace_that_ends_while_nobody_is_there_is_decided_at_the_next_start() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("2s", &api);
    let mut first = site.spawn().await;
    assert_eq!(site.post(body("CanaryLatencyP95Warning", "warning", &now(), None)).await, 200);
    let grace = site.incident("the grace", |incident| incident.state == "grace").await;
    first.kill().await.expect("killed");
    let ends_at = grace.grace_ends_at.expect("an end");
    wait_for("the end of the grace", || async {
        use backstop::clock::Clock;
        (backstop::clock::SystemClock.now() > ends_at).then_some(())
    })
    .await;
    assert_eq!(api.share(), 25);
    let mut second = site.spawn().await;
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!((done.id, done.grace_ends_at, api.share()), (grace.id, Some(ends_at), 0));
    second.kill().await.expect("killed");
}

#[tokio::test]
async fn the_first_sigterm_drains_and_the_process_ends_well() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut server = site.spawn().await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let pid = server.id().expect("a pid").to_string();
    let sent = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
    assert!(sent.success());
    let ended =
        tokio::time::timeout(Duration::from_secs(30), server.wait()).await.expect("ended").expect("waited");
    assert!(ended.success(), "{ended}");
}
