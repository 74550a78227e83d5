//! `backstop snapshot` and `backstop evidence replay`, as a person types them.

use std::path::PathBuf;

use backstop::demo::monitoring::{PrometheusSettings, ScrapeTarget, Server};
use backstop::demo::trading_api::TradingApi;
use serde_json::Value;

use crate::support::alerting::{configure, programs};
use crate::support::{MATCH, Site, binary, rollout_toml, wait_for};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Files that a command has printed, by their names.
fn printed(stdout: &str) -> Vec<PathBuf> {
    stdout.lines().map(PathBuf::from).collect()
}

fn names(files: &[PathBuf]) -> Vec<&str> {
    files.iter().filter_map(|file| file.file_name()?.to_str()).collect()
}

#[tokio::test]
async fn a_stages_metrics_are_kept_by_hand_as_the_protocols_script_does_and_in_the_manifest() {
    let api = TradingApi::start(25, 50).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, stdout, stderr) = run(&site, &["snapshot", "25"]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let files = printed(&stdout);
    assert_eq!(names(&files), ["rollout_stage_25.txt"]);
    let text = std::fs::read_to_string(&files[0]).expect("it lies where it is said to");
    assert!(text.contains("http_request_duration_seconds_bucket"), "{text}");
    let directory = site.evidence().display().to_string();
    assert_eq!(run(&site, &["evidence", "verify", "--directory", &directory]).await.0, 0);
    std::fs::write(&files[0], "all is well").expect("changed");
    let (code, findings, _) = run(&site, &["evidence", "verify", "--directory", &directory]).await;
    assert_eq!(code, 1);
    assert!(findings.contains("changed: ") && findings.contains("rollout_stage_25.txt"), "{findings}");
}

#[tokio::test]
async fn what_a_snapshot_lacks_is_said_and_fails_it_and_a_stage_that_there_is_not_is_refused() {
    let api = TradingApi::start(25, 50).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, _, stderr) = run(&site, &["snapshot", "7"]).await;
    assert_eq!(code, 2);
    assert!(stderr.contains("there is no stage of 7 %: the stages are 1, 5, 25, 50, 100"), "{stderr}");
    site.edit("metrics.prom", "metrics.none");
    let (code, _, stderr) = run(&site, &["snapshot", "25"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("rollout_stage_25.txt is missing: "), "{stderr}");
    assert!(!site.evidence().exists(), "nothing was read, and nothing is written");
}

/// A real Prometheus that scrapes the application.
async fn prometheus(site: &Site, api: &TradingApi) -> Server {
    let settings = PrometheusSettings {
        targets: vec![ScrapeTarget {
            job: "spark-trading".to_owned(),
            address: api.address(),
            path: "/api/public/metrics.prom".to_owned(),
            labels: vec![("namespace".to_owned(), "spark".to_owned())],
        }],
        rule_files: Vec::new(),
        alertmanagers: Vec::new(),
        interval: std::time::Duration::from_secs(1),
        resend_delay: std::time::Duration::from_secs(2),
        alert_relabel_configs: Vec::new(),
    };
    let server = programs().prometheus(site.folder.path(), &settings).await.expect("Prometheus");
    wait_for("a scrape", || async {
        let url = format!("{}/api/v1/query?query=http_requests_total", server.url());
        let answer: Value = reqwest::get(url).await.ok()?.json().await.ok()?;
        answer["data"]["result"].as_array().is_some_and(|found| !found.is_empty()).then_some(())
    })
    .await;
    server
}

#[tokio::test]
async fn with_a_prometheus_a_snapshot_has_gates_and_a_picture_and_its_verdicts_follow_from_its_answers() {
    let api = TradingApi::start(5, 50).await.expect("started");
    let site = Site::new("#monitoring", &rollout_toml("spark-trading", MATCH, "5m", &api));
    let server = prometheus(&site, &api).await;
    configure(&site, &[], Some(&server));
    let directory = site.folder.path().join("by-hand").display().to_string();
    let (code, stdout, stderr) = run(&site, &["snapshot", "5", "--directory", &directory]).await;
    assert_eq!((code, stderr.as_str()), (0, ""));
    let files = printed(&stdout);
    assert_eq!(names(&files), ["rollout_stage_5.txt", "stage_5.png", "gates_stage_5.json"]);
    assert!(!site.evidence().exists(), "it was to lie elsewhere");
    let (code, text, _) = run(&site, &["evidence", "list", "--directory", &directory]).await;
    assert!(code == 0 && text.contains("  snapshot  stage: 5 %") && !text.contains("unfinished"), "{text}");
    let (code, text, _) = run(&site, &["evidence", "replay", &directory]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("API P95 < 200 ms") && text.contains("stage 2 (5 %)"), "{text}");
    let gates = files[2].display().to_string();
    let (code, json, _) = run(&site, &["evidence", "replay", &gates, "--output", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let criteria = json[0]["criteria"].as_array().expect("criteria");
    assert_eq!((code, criteria.iter().all(|one| one["agrees"] == true)), (0, true));
    // Its age is less than any window, so the answers are none yet: what counts is that one was asked.
    assert!(criteria.iter().any(|one| one["name"] == "api-p95" && one["threshold"] == 0.2), "{json}");

    let changed = std::fs::read_to_string(&files[2]).expect("read").replace("\"unknown\"", "\"pass\"");
    std::fs::write(&files[2], changed).expect("changed");
    let (code, text, _) = run(&site, &["evidence", "replay", &gates]).await;
    assert_eq!(code, 1);
    assert!(text.contains("DIFFERS") && text.contains("recorded PASS"), "{text}");
}
