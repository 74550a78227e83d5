//! The commands as a person types them: output, exit codes, with and without a server.

use backstop::demo::trading_api::TradingApi;
use serde_json::Value;

use crate::support::{Site, binary};

async fn run(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let output = binary().args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_rollback_by_hand_goes_through_the_server_and_says_what_became_of_it() {
    let api = TradingApi::start(50, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let arguments = ["rollback", "--reason=checkout broken", "--stage=4", "--actor=ada", "--output=json"];
    let (code, stdout, stderr) = run(&site, &arguments).await;
    assert_eq!(code, 0, "{stderr}");
    let view: Value = serde_json::from_str(&stdout).expect("JSON on stdout");
    assert_eq!(view["triggered_by"], "Manual (ada)");
    assert_eq!(
        (view["state"].as_str(), view["stage"].as_u64(), api.share()),
        (Some("rolled_back"), Some(4), 0)
    );
    let (again, _, _) = run(&site, &arguments).await;
    assert_eq!(again, 3, "there is nothing left to do");
    let (code, stdout, _) = run(&site, &["status"]).await;
    assert_eq!(code, 0);
    assert!(stdout.contains("spark-trading  armed") && stdout.contains("0 %"), "{stdout}");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn without_a_server_the_message_names_standalone_and_standalone_does_it() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, _, stderr) = run(&site, &["rollback", "--reason=down"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("--standalone"), "{stderr}");
    let (code, stdout, stderr) =
        run(&site, &["rollback", "--reason=down", "--standalone", "--actor=ada"]).await;
    assert_eq!((code, api.share()), (0, 0), "{stderr}");
    assert!(stdout.contains("rolled_back") && stdout.contains("evidence rollback_"), "{stdout}");

    let (code, listed, _) = run(&site, &["evidence", "list"]).await;
    assert_eq!(code, 0);
    let name = listed.split_whitespace().next().expect("a name").to_owned();
    let (_, shown, _) = run(&site, &["evidence", "show", &name]).await;
    let lines: Vec<_> = shown.lines().take(4).collect();
    assert!(lines[0].starts_with("Rollback Executed: ") && lines[0].contains(" UTC "), "{shown}");
    assert_eq!(lines[1..], ["Stage: 3 (25 %)", "Reason: down", "Triggered By: Manual (ada)"]);

    assert_eq!(run(&site, &["evidence", "verify"]).await.0, 0);
    std::fs::write(site.evidence().join(format!("{name}.txt")), "nothing happened").expect("changed");
    let (code, findings, _) = run(&site, &["evidence", "verify"]).await;
    assert_eq!(code, 1);
    assert!(findings.contains(&format!("changed: {name}.txt")), "{findings}");
}

#[tokio::test]
async fn standalone_works_while_a_server_that_hangs_holds_the_store() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let _held = backstop::store::SqliteStore::open(&site.parsed().store.path).expect("opened");
    let (code, _, stderr) = run(&site, &["rollback", "--reason=the server hangs", "--standalone"]).await;
    assert_eq!((code, api.share()), (0, 0), "{stderr}");
    assert!(stderr.contains("another Backstop process"), "{stderr}");
}

#[tokio::test]
async fn check_config_reports_every_problem_with_its_line_and_exits_1() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    assert_eq!(run(&site, &["check-config"]).await.0, 0);
    std::fs::remove_file(site.folder.path().join("operator")).expect("removed");
    let (code, stdout, _) = run(&site, &["check-config"]).await;
    assert!(code == 1 && stdout.contains("backstop.toml:6:") && stdout.contains("create"), "{stdout}");
    let broken = std::fs::read_to_string(&site.config)
        .expect("read")
        .replace("grace", "grase")
        .replace("drain = \"5s\"", "drain = 5");
    std::fs::write(&site.config, broken).expect("written");
    let (code, stdout, _) = run(&site, &["check-config"]).await;
    assert_eq!(code, 1);
    for text in ["backstop.toml:4:", "server.drain", "rollouts[0].grase", "did you mean \"grace\"?"] {
        assert!(stdout.contains(text), "{text} in\n{stdout}");
    }
    let (code, stdout, _) = run(&site, &["check-config", "--output=json"]).await;
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    let errors =
        report["problems"].as_array().expect("a list").iter().filter(|problem| problem["level"] == "error");
    assert_eq!((code, report["valid"].as_bool(), errors.count()), (1, Some(false), 2));
    assert_eq!(run(&site, &["serve"]).await.0, 2, "an invalid configuration is a usage error");
}

#[tokio::test]
async fn a_second_server_on_the_same_store_is_refused_with_a_message() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let _held = backstop::store::SqliteStore::open(&site.parsed().store.path).expect("opened");
    let (code, _, stderr) = run(&site, &["serve"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("in use by another Backstop process"), "{stderr}");
}

#[tokio::test]
async fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = binary().args(["completions", shell]).output().await.expect("run");
        assert!(
            output.status.success() && String::from_utf8_lossy(&output.stdout).contains("check-config"),
            "{shell}"
        );
    }
}
