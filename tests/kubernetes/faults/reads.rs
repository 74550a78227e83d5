//! Each fault on what a rollback reads.

use std::time::Duration;

use futures_util::future::join_all;

use super::scene::{Scene, took};
use crate::incidents::told;
use crate::proxy::{Fault, On};
use crate::rollouts::Router;

/// What is read, and for how long it fails.
const READS: [&str; 4] =
    ["/ingresses/api", "/deployments/stable", "/endpointslices", "/deployments/stable/scale"];

fn faults() -> [(&'static str, Fault); 5] {
    [
        ("overload", Fault::Later(429, 1)),
        ("error", Fault::Says(500)),
        ("unavailable", Fault::Says(503)),
        ("cut", Fault::Cut),
        ("hangs", Fault::Hangs),
    ]
}

/// Until the fault ends nothing can be decided; then it is a matter of seconds.
#[tokio::test]
async fn a_rollback_waits_while_what_it_depends_on_cant_be_read_and_goes_on_at_once() {
    let of = |read: &'static str, (fault, how): (&str, Fault)| {
        let name = format!("reads-{}-{fault}", read.trim_start_matches('/').replace('/', "-"));
        (name, read, how)
    };
    let cases: Vec<_> = READS.iter().flat_map(|read| faults().map(|fault| of(read, fault))).collect();
    let names: Vec<_> = cases.iter().map(|(name, ..)| name.as_str()).collect();
    let scene = Scene::new(&names, Router::Nginx).await;
    for (name, read, fault) in &cases {
        scene.proxy.fail(On::new("GET", name, read), fault.clone(), u32::MAX);
    }
    scene.critical(&names).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    for name in &names {
        let changes = scene.proxy.seen(&On::new("PATCH", name, ""));
        let moved = changes.iter().any(|seen| !seen.path.ends_with("/stable/scale"));
        assert!(!moved, "{name}: nothing moves before what it depends on is read: {changes:?}");
    }
    scene.proxy.mend();
    let ends = names.iter().map(async |name| {
        let incident = scene.ends_right(name, Duration::from_secs(10)).await;
        assert_eq!(told(&incident, "rollback_failed"), 0, "{name}");
        assert!(took(&incident) < Duration::from_secs(20), "{name}: {:?}", took(&incident));
    });
    join_all(ends).await;
}

/// Beyond ten seconds people are told, and it is tried again by itself.
#[tokio::test]
async fn people_are_told_once_what_cant_be_read_for_long() {
    let name = "reads-for-long";
    let scene = Scene::new(&[name], Router::Nginx).await;
    scene.proxy.fail(On::new("GET", name, "/endpointslices"), Fault::Says(503), u32::MAX);
    scene.critical(&[name]).await;
    let failed = scene
        .served
        .incident(name, Duration::from_secs(30), "failed", |incident| incident.state == "failed")
        .await;
    assert_eq!(failed.state_reason, "not_observed", "{failed:#?}");
    let said = failed.notifications.iter().find(|notice| notice.kind == "rollback_failed").expect("told");
    assert!(said.text.contains("list EndpointSlice of the Service stable"), "{}", said.text);
    assert!(said.text.contains("503"), "{}", said.text);
    scene.proxy.mend();
    let incident = scene.ends_right(name, Duration::from_secs(20)).await;
    assert_eq!(told(&incident, "rollback_failed"), 1);
}
