//! `backstop incident` and `backstop status`, as a person types them, against a server process.

use backstop::demo::trading_api::TradingApi;
use serde_json::Value;

use crate::support::{Site, binary, body, now};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_person_holds_resumes_acknowledges_and_closes_the_only_open_incident_without_its_id() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut server = site.spawn().await;
    let (code, _, said) = run(&site, &["incident", "acknowledge"]).await;
    assert!(code == 3 && said.contains("no incident is open"), "{code} {said}");
    let (code, text, _) = run(&site, &["incident", "list"]).await;
    assert_eq!((code, text.trim_end()), (3, "there is no incident"));
    for look in ["show", "report"] {
        let (code, _, said) = run(&site, &["incident", look]).await;
        assert!(code == 3 && said.contains("there is no incident"), "{look}: {code} {said}");
    }

    assert_eq!(site.post(body("CanaryLatencyP95Warning", "warning", &now(), None)).await, 200);
    let open = site.incident("the grace", |incident| incident.state == "grace").await;
    let (code, status, _) = run(&site, &["status"]).await;
    assert!(code == 0 && status.contains("    next, in 2") && status.contains("the grace ends"), "{status}");
    assert!(!status.contains('\u{1b}'), "no colours without a terminal: {status:?}");

    let hold = ["incident", "hold", "--for=30m", "--actor=ada"];
    let (code, text, said) = run(&site, &hold).await;
    assert!(code == 0 && text.contains("held by ada") && text.contains("next, in 17"), "{text}{said}");
    let (code, _, said) = run(&site, &hold).await;
    assert!(code == 0 || said.contains(&open.id), "held again, or told why not: {said}");
    assert_eq!(run(&site, &["incident", "hold", "--for=soon"]).await.0, 2);
    let (code, _, said) = run(&site, &["incident", "hold", "--for=25h"]).await;
    assert!(code == 1 && said.contains("at most 24h"), "{said}");

    let (code, _, said) = run(&site, &["incident", "acknowledge", "--actor=bob"]).await;
    assert_eq!(code, 0, "{said}");
    for (actor, words) in
        [("bob", "you have acknowledged it already"), ("zoe", "bob has acknowledged it already")]
    {
        let (code, _, said) = run(&site, &["incident", "acknowledge", &format!("--actor={actor}")]).await;
        assert!(code == 1 && said.contains(words), "{code} {said}");
    }
    let (code, text, said) = run(&site, &["incident", "resume", &open.id, "--actor=ada"]).await;
    assert!(code == 0 && text.contains("acknowledged by bob"), "{text}{said}");

    let (code, _, said) = run(&site, &["incident", "close", "--actor=ada"]).await;
    assert!(code == 2 && said.contains("--reason"), "{said}");
    let close = ["incident", "close", "--reason=switched off by hand", "--actor=ada", "--output=json"];
    let (code, json, said) = run(&site, &close).await;
    assert_eq!(code, 0, "{said}");
    let view: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((view["state"].as_str(), view["id"].as_str()), (Some("closed"), Some(open.id.as_str())));
    assert_eq!(api.share(), 25, "nobody touched the canary");

    for (look, words) in [("show", "closed by ada"), ("report", "ada closed it")] {
        let (code, text, said) = run(&site, &["incident", look]).await;
        assert!(code == 0 && text.contains(words), "{look}: {code} {text}{said}");
        assert!(said.contains(&format!("no incident is open; the latest: {}", open.id)), "{said}");
    }
    let (code, _, said) = run(&site, &close).await;
    assert!(code == 3 && said.contains("no incident is open"), "{code} {said}");
    let (code, text, _) = run(&site, &["incident", "show", &open.id]).await;
    assert!(code == 0 && text.contains("closed by ada: switched off by hand"), "{text}");
    let (code, text, _) = run(&site, &["incident", "list", "--state=closed"]).await;
    assert!(code == 0 && text.contains(&open.id), "{text}");
    assert_eq!(run(&site, &["incident", "list", "--state=failed"]).await.0, 3);
    let (code, _, said) = run(&site, &["incident", "close", "no/such", "--reason=x"]).await;
    assert!(code == 1 && said.contains("no incident no/such"), "{said}");
    server.kill().await.expect("killed");
    assert_eq!(run(&site, &["incident", "list"]).await.0, 1, "without a server");
}

#[tokio::test]
async fn with_two_open_incidents_one_has_to_be_named() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let rollouts = [("spark-trading", "spark-trading"), ("second", "second")].map(|(name, label)| {
        crate::support::rollout_toml(name, &format!("{{ rollout = \"{label}\" }}"), "5m", &api)
    });
    let site = Site::new("[alertmanager]\npoll_interval = \"1s\"", &rollouts.concat());
    let mut server = site.spawn().await;
    let first = body("CanaryLatencyP95Warning", "warning", &now(), None);
    assert_eq!(site.post(first.clone()).await, 200);
    assert_eq!(site.post(first.replace("spark-trading", "second")).await, 200);
    site.incident("both", |incident| incident.rollout == "second").await;
    site.incident("both", |incident| incident.rollout == "spark-trading").await;
    let (code, _, said) = run(&site, &["incident", "hold"]).await;
    assert!(code == 2 && said.contains("several incidents are open, name one: "), "{said}");
    server.kill().await.expect("killed");
}
