//! Each fault on each change.

use std::time::Duration;

use backstop::incident::StepOutcome::{self, Done, Failed, Unknown};
use futures_util::future::join_all;

use super::scene::{CANARY_DOWN, ROUTE, STABLE_UP, Scene, WEIGHT, attempts, took};
use crate::proxy::{Fault, On};
use crate::rollouts::Router;

/// By default a call may take so long.
const CALL: Duration = Duration::from_secs(5);

struct Case {
    name: &'static str,
    fault: Fault,
    times: u32,
    /// What the first attempt leads to, and what it says.
    first: (StepOutcome, &'static str),
    /// How much longer the rollback may take for it, beside pauses.
    more: Duration,
}

/// A change that may have arrived is looked for before anything is sent again. So where it did arrive, the
/// first attempt is done; but for a 500, whose next attempt finds it done.
fn cases() -> Vec<Case> {
    let case = |name, fault, times, first, more| Case { name, fault, times, first, more };
    let none = Duration::ZERO;
    vec![
        case("overload", Fault::Says(429), 2, (Failed, "status 429: a proxy says so"), none),
        case(
            "later",
            Fault::Later(429, 1),
            2,
            (Failed, "asks to be left alone for 1 s"),
            2 * Duration::from_secs(1),
        ),
        case("error", Fault::Says(500), 2, (Failed, "status 500: a proxy says so"), none),
        case("unavailable", Fault::Says(503), 2, (Failed, "status 503: a proxy says so"), none),
        case("no-gateway", Fault::Says(504), 2, (Unknown, "status 504: a proxy says so"), none),
        case("cut", Fault::Cut, 2, (Unknown, "no answer: "), none),
        case("hangs", Fault::Hangs, 2, (Unknown, "no answer within 5s"), 2 * CALL),
        case("error-after", Fault::SaysAfter(500), 1, (Failed, "status 500: a proxy says so"), none),
        case("gateway-after", Fault::SaysAfter(504), 1, (Done, "status 504: a proxy says so"), none),
        case("cut-after", Fault::CutAfter, 1, (Done, "no answer: "), none),
        case("hangs-after", Fault::HangsAfter, 1, (Done, "no answer within 5s"), CALL),
    ]
}

async fn each_fault(router: Router, step: &str, (method, end): (&'static str, &'static str)) {
    let cases = cases();
    let word = step.replace('_', "-");
    let kind = if router == Router::Nginx { "nginx" } else { "gateway" };
    let names: Vec<_> = cases.iter().map(|case| format!("{kind}-{word}-{}", case.name)).collect();
    let rollouts: Vec<_> = names.iter().map(String::as_str).collect();
    let scene = Scene::new(&rollouts, router).await;
    for (case, name) in cases.iter().zip(&names) {
        scene.proxy.fail(On::new(method, name, end), case.fault.clone(), case.times);
    }
    scene.critical(&rollouts).await;
    let checks = cases.iter().zip(&names).map(|(case, name)| check(&scene, case, name, step));
    join_all(checks).await;
}

async fn check(scene: &Scene, case: &Case, name: &str, step: &str) {
    let incident = scene.ends_right(name, case.more).await;
    assert_eq!(scene.proxy.faults_left(name), 0, "{name}: each fault has been met");
    let attempts = attempts(&incident, step);
    let (outcome, words) = attempts.first().expect("an attempt");
    assert!(*outcome == case.first.0 && words.contains(case.first.1), "{name}: {attempts:#?}");
    // One attempt for each fault and one that is done, unless the change was found carried out.
    let expected = if case.first.0 == Done { 1 } else { case.times as usize + 1 };
    assert_eq!(attempts.len(), expected, "{name}: {attempts:#?}");
    if matches!(case.fault, Fault::SaysAfter(500)) {
        assert!(attempts[1].1.contains("already"), "{name}: {attempts:#?}");
    }
    // Its own pods take seconds, too.
    assert!(took(&incident) < case.more + Duration::from_secs(10), "{name}: {:?}", took(&incident));
    assert_eq!(incident.state_reason, "critical_alert", "{name}: no attempt of the rollback failed");
}

#[tokio::test]
async fn each_fault_while_stable_is_scaled_up() {
    each_fault(Router::Nginx, "stable_up", STABLE_UP).await;
}

#[tokio::test]
async fn each_fault_while_ingress_nginx_takes_the_traffic_off() {
    each_fault(Router::Nginx, "traffic_off", WEIGHT).await;
}

#[tokio::test]
async fn each_fault_while_an_http_route_takes_the_traffic_off() {
    each_fault(Router::Gateway, "traffic_off", ROUTE).await;
}

#[tokio::test]
async fn each_fault_while_the_canary_is_scaled_down() {
    each_fault(Router::Nginx, "canary_down", CANARY_DOWN).await;
}
