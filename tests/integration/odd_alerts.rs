//! Criticals that are not as Alertmanager sends them, over real HTTP.

use backstop::demo::trading_api::TradingApi;
use serde_json::json;

use crate::support::{Site, body, now, wait_for};

#[tokio::test]
async fn a_critical_with_one_odd_member_is_acted_upon() {
    let critical: serde_json::Value =
        serde_json::from_str(&body("CanaryErrorRateCritical", "critical", &now(), None)).expect("JSON");
    for (member, odd) in [
        ("/alerts/0/annotations", json!({ "summary": null, "value": 7 })),
        ("/alerts/0/endsAt", json!("")),
        ("/alerts/0/startsAt", json!("yesterday")),
        ("/alerts/0/labels/severity", json!("Critical ")),
        ("/alerts/0/status", json!(" FIRING ")),
        ("/alerts/0/status", json!(null)),
        ("/alerts/0/generatorURL", json!(["x"])),
    ] {
        let mut critical = critical.clone();
        *critical.pointer_mut(member).expect(member) = odd.clone();
        critical["alerts"][0]["labels"]["replica"] = json!(1);
        let api = TradingApi::start(25, 10).await.expect("started");
        let site = Site::simple("5m", &api);
        let app = site.start().await;
        assert_eq!(site.post(critical.to_string()).await, 200, "{member}: {odd}");
        let share = || async { (api.share() == 0).then_some(()) };
        wait_for(&format!("the rollback of a critical with {member} = {odd}"), share).await;
        app.shutdown().await.expect("drained");
    }
}

#[tokio::test]
async fn an_organisations_own_word_for_critical_is_acted_upon_and_an_unknown_one_is_told() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    site.edit("poll_interval = \"1s\"", "poll_interval = \"1s\"\nseverity_map = { P1 = \"critical\" }");
    let app = site.start().await;
    assert_eq!(site.post(body("CanaryErrorRate", "page", &now(), None)).await, 200);
    assert!(site.metric("backstop_alerts_of_unknown_severity_total").await > 0.0);
    assert_eq!(api.share(), 25, "nobody said what page means");
    assert_eq!(site.post(body("CanaryErrorRate", "p1 ", &now(), None)).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    assert_eq!(done.severity, "critical");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn what_cannot_be_read_is_called_so_counted_and_kept() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let alert = r#"{"status":"firing","labels":"severity=critical"}"#;
    let client = reqwest::Client::new();
    let request = client.post(site.url("/api/v1/alertmanager")).bearer_auth("hook-token");
    let answer = request.body(format!("{{\"version\":\"4\",\"alerts\":[{alert}]}}")).send().await;
    let answer = answer.expect("an answer").text().await.expect("text");
    assert_eq!(answer, r#"{"status":"unreadable"}"#);
    assert!(site.metric("backstop_alerts_total{outcome=\"unreadable\"}").await > 0.0);
    let folder = site.parsed().store.path.with_file_name("unreadable-alerts");
    let kept = wait_for("the file", || async {
        let entry = std::fs::read_dir(&folder).ok()?.next()?.expect("an entry");
        let text = std::fs::read_to_string(entry.path()).expect("read");
        serde_json::from_str::<serde_json::Value>(&text).ok()
    })
    .await;
    assert_eq!(kept["alerts"][0]["text"], alert);
    app.shutdown().await.expect("drained");
}
