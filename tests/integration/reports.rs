//! Incident reports and what is measured of reactions, from a webhook to what a person reads.

use backstop::demo::trading_api::TradingApi;
use backstop::web::IncidentView;
use serde_json::Value;

use crate::support::{Site, binary, body, now};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

async fn get(site: &Site, path: &str, token: &str) -> (u16, String, String) {
    let request = reqwest::Client::new().get(site.url(path)).bearer_auth(token);
    let reply = request.send().await.expect("an answer");
    let header = reply.headers().get("content-type").and_then(|value| value.to_str().ok());
    let content_type = header.unwrap_or_default().to_owned();
    (reply.status().as_u16(), content_type, reply.text().await.expect("a text"))
}

#[tokio::test]
async fn a_rollback_is_reported_in_words_and_numbers_to_whoever_may_read() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    std::fs::write(site.folder.path().join("viewer"), "viewer-token").expect("written");
    site.edit(
        "auth.operator_token_files = [\"operator\"]",
        "auth.operator_token_files = [\"operator\"]\nauth.viewer_token_files = [\"viewer\"]",
    );
    let mut server = site.spawn().await;
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None).replace(
        "\"annotations\":{}",
        "\"annotations\":{\"description\":\"# 4.2 % of [requests](http://evil.example)\"}",
    );
    assert_eq!(site.post(critical).await, 200);
    // Its last evidence too: each report of the same incident has to say the same.
    let ended = |incident: &IncidentView| {
        let is_complete = incident.evidence.iter().any(|file| file.name.ends_with("_after.prom"));
        incident.state == "rolled_back" && is_complete
    };
    let closed = site.incident("the end", ended).await;

    let (code, text, said) = run(&site, &["incident", "report", &closed.id]).await;
    assert_eq!(code, 0, "{said}");
    for expected in [
        "# spark-trading v1.4.0: rolled back, for CanaryErrorRateCritical",
        "(critical): \\# 4.2 % of `[requests](http://evil.example)`",
        "**Safe now?** Yes",
        "At most 25 % of the traffic for at most",
        "| to act | ",
        "Nobody: no channel was configured for it.",
        "- [ ] Schedule the post-mortem",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    let (code, json, said) = run(&site, &["incident", "report", &closed.id, "--output=json"]).await;
    assert_eq!(code, 0, "{said}");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&report["schema_version"], &report["summary"]["safe"]), (&1.into(), &"yes".into()));
    let act = report["times"]["act_seconds"].as_f64();
    assert!(act.is_some_and(|seconds| seconds < 5.0), "{json}");
    let (code, markdown, _) =
        run(&site, &["incident", "report", &closed.id, "--output=json", "--format=markdown"]).await;
    assert_eq!((code, markdown), (0, text.clone()), "what is asked for counts");

    let path = format!("/api/v1/incidents/{}/report", closed.id);
    let (status, content_type, served) = get(&site, &path, "viewer-token").await;
    assert_eq!((status, content_type.as_str()), (200, "text/plain; charset=utf-8"));
    assert_eq!(served.trim_end(), text.trim_end());
    assert_eq!(get(&site, &path, "hook-token").await.0, 401);
    let (status, _, refusal) = get(&site, &format!("{path}?format=pdf"), "viewer-token").await;
    assert!(status == 400 && refusal.contains("markdown or json"), "{status} {refusal}");
    assert_eq!(get(&site, "/api/v1/incidents/none/report", "viewer-token").await.0, 404);
    let (code, _, said) = run(&site, &["incident", "report", "none"]).await;
    assert!(code == 1 && said.contains("no incident none"), "{said}");
    let (code, latest, said) = run(&site, &["incident", "report"]).await;
    assert!(code == 0 && said.contains(&format!("the latest: {}", closed.id)), "{code} {said}");
    assert_eq!(latest.trim_end(), text.trim_end(), "without an id, the latest is meant");
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_companys_own_template_is_filled_and_a_broken_one_is_refused_before_the_server_starts() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    site.edit("[alertmanager]", "[report]\ntemplate_file = \"own.md\"\n[alertmanager]");
    let own = site.folder.path().join("own.md");
    std::fs::write(&own, "# POST-MORTEM {{title}}\n{{nonsense}}\n").expect("written");
    let (code, _, said) = run(&site, &["serve"]).await;
    assert!(code == 2 && said.contains("report.template_file") && said.contains("line 2"), "{code} {said}");
    std::fs::write(&own, "# POST-MORTEM {{title}}\n").expect("written");
    let mut server = site.spawn().await;
    let (_, incident) = site
        .ask("/api/v1/rollouts/spark-trading/rollback", serde_json::json!({ "reason": "x", "actor": "ada" }))
        .await;
    let id = incident["id"].as_str().expect("an id").to_owned();
    site.incident("the end", |incident| incident.state == "rolled_back").await;
    let (_, text, _) = run(&site, &["incident", "report", &id]).await;
    assert_eq!(text, "# POST-MORTEM spark-trading v1.4.0: rolled back, asked for by ada\n");
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_reaction_is_measured_once_and_not_again_after_a_restart() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut server = site.spawn().await;
    let series = |name: &str, stage: &str| {
        format!(
            "backstop_reaction_seconds_{name}{{rollout=\"spark-trading\",severity=\"critical\",stage=\"{stage}\"}}"
        )
    };
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let closed = site.incident("the end", |incident| incident.state == "rolled_back").await;
    crate::support::wait_for("the metrics", || async {
        (site.metric(&series("count", "verified")).await >= 1.0).then_some(())
    })
    .await;
    for stage in ["received", "traffic_off", "verified"] {
        assert_eq!(site.metric(&series("count", stage)).await, 1.0, "{stage}");
        assert!(site.metric(&series("sum", stage)).await < 60.0, "{stage}");
    }
    let of = "backstop_rollback_started_timestamp_seconds{rollout=\"spark-trading\"}";
    let started = site.metric(of).await;
    assert!(started >= closed.opened_at.timestamp() as f64, "{started}");
    server.kill().await.expect("killed");
    let mut server = site.spawn().await;
    assert_eq!(site.metric(&series("count", "traffic_off")).await, 0.0);
    assert_eq!(site.metric(of).await, started, "a mark is still where it was");
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn without_a_channel_there_is_nothing_to_test_and_that_is_said() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, text, said) = run(&site, &["notify", "test"]).await;
    assert!(code == 3 && text.contains("no channel is configured"), "{code} {text}{said}");
    assert_eq!(run(&site, &["notify", "test", "--output=json"]).await.1, "[]\n");
    let (code, _, said) = run(&site, &["notify", "test", "--channel=slack"]).await;
    assert!(code == 2 && said.contains("no channel slack is configured; there is: none"), "{code} {said}");
    let (code, text, said) = run(&site, &["check-config", "--online"]).await;
    assert!(code == 0 && text.contains("no channel is configured"), "{code} {text}{said}");
    assert!(!run(&site, &["check-config"]).await.1.contains("channel"), "nobody asked");
}

#[tokio::test]
async fn who_could_not_be_told_is_named_by_status_metrics_report_and_every_trial() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    std::fs::write(site.folder.path().join("slack"), "xoxb-0123456789abcdef").expect("written");
    // Nobody listens there.
    let slack =
        format!("[slack]\ntoken_file = \"slack\"\napi_url = \"http://{}/api\"\n", crate::support::own_port());
    site.edit("[alertmanager]", &format!("{slack}[alertmanager]"));
    let (code, text, said) = run(&site, &["notify", "test"]).await;
    assert!(code == 1 && text.starts_with("slack: FAILED: "), "{code} {text}{said}");
    let (code, text, said) = run(&site, &["check-config", "--online"]).await;
    assert!(
        code == 1 && text.contains("slack: FAILED: ") && text.contains("is valid"),
        "{code} {text}{said}"
    );
    let (_, json, _) = run(&site, &["check-config", "--online", "--output=json"]).await;
    let checked: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&checked["valid"], &checked["channels"][0]["ok"]), (&true.into(), &false.into()));

    let mut server = site.spawn().await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    site.incident("the end", |incident| incident.state == "rolled_back").await;
    let refused = crate::support::wait_for("a refused try", || async {
        let (_, status, _) = run(&site, &["status"]).await;
        let line = status.lines().find(|line| line.contains("slack has not been told since"))?.to_owned();
        line.contains("last error: ").then_some(line)
    });
    let line = refused.await;
    assert!(line.contains("messages wait") || line.contains("message waits"), "{line}");
    let rollouts: Value = site.read("/api/v1/rollouts").await.expect("an answer");
    assert_eq!(rollouts[0]["undelivered"][0]["channel"], "slack", "{rollouts}");
    let told = &rollouts[0]["incident"]["notifications"][0];
    assert_eq!((&told["id"], &told["channels"][0]["state"]), (&1.into(), &"waiting".into()), "{told}");
    assert!(site.metric("backstop_messages_undelivered{channel=\"slack\"}").await >= 1.0);
    assert!(site.metric("backstop_messages_total{channel=\"slack\",outcome=\"failed\"}").await >= 1.0);
    let id = rollouts[0]["incident"]["id"].as_str().expect("an id");
    let (_, report, _) = run(&site, &["incident", "report", id]).await;
    assert!(report.contains("Who does not know yet? Messages wait for slack"), "{report}");
    server.kill().await.expect("killed");
}
