//! `backstop doctor` beside clusters: files, flags, the real Prometheus and Alertmanager.

use backstop::demo::monitoring::AlertmanagerSettings;
use backstop::demo::trading_api::TradingApi;
use serde_json::Value;

use crate::support::alerting::{Fires, alertmanager, configure, programs, settings, tell};
use crate::support::chain::Chain;
use crate::support::{Site, binary, rollout_toml, wait_for};

/// The exit code, and the findings.
async fn doctor(site: &Site, arguments: &[&str]) -> (i32, Vec<Value>) {
    let mut command = binary();
    let command =
        command.args(["doctor", "--output", "json"]).args(arguments).arg("--config").arg(&site.config);
    let output = command.output().await.expect("run");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap_or(-1), report["findings"].as_array().expect("findings").clone())
}

fn of<'a>(findings: &'a [Value], severity: &str) -> Vec<&'a str> {
    let bad = findings.iter().filter(|finding| finding["severity"] == severity);
    bad.map(|finding| finding["message"].as_str().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_sound_site_has_no_error_and_what_is_wrong_with_its_files_is_one_each() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, findings) = doctor(&site, &[]).await;
    let errors = of(&findings, "error");
    assert!(code == 1 && errors.len() == 1 && errors[0].contains("alerts lead to nothing"), "{findings:?}");
    assert!(of(&findings, "fine").contains(&"The canary's share is read back: 25 %."), "{findings:?}");
    let left = ["evidence", "data"].map(|name| site.folder.path().join(name).exists());
    assert_eq!(left, [false, false], "a look makes no folder");

    let app = site.start().await;
    let (code, findings) = doctor(&site, &[]).await;
    assert_eq!((code, of(&findings, "error")), (0, vec![]), "it was the server alone: {findings:?}");
    let (_, findings) = doctor(&site, &["--only", "store"]).await;
    assert!(findings[0]["message"].as_str().is_some_and(|text| text.contains("has it open")), "{findings:?}");
    app.shutdown().await.expect("drained");
    // Its threads let go of the lock a moment after the rest has ended.
    wait_for("nobody to have the store open", || async {
        let (_, findings) = doctor(&site, &["--only", "store"]).await;
        findings.iter().any(|one| one["severity"] == "note").then_some(())
    })
    .await;

    site.edit("read_url = ", "read_pointer = \"/nowhere\"\nread_url = ");
    let (code, findings) = doctor(&site, &["--only", "traffic"]).await;
    assert_eq!((code, of(&findings, "error").len()), (1, 1), "{findings:?}");
    assert!(findings[0]["remedy"].as_str().is_some_and(|text| text.contains("read_pointer")), "{findings:?}");

    std::fs::remove_file(site.folder.path().join("operator")).expect("removed");
    std::fs::remove_dir_all(site.evidence()).unwrap_or_default();
    std::fs::write(site.evidence(), "in the folder's place").expect("written");
    std::fs::write(site.folder.path().join("data/backstop.db"), "this is no database at all")
        .expect("written");
    let (code, findings) =
        doctor(&site, &["--only", "configuration", "--only", "evidence", "--only", "store"]).await;
    let (errors, warnings) = (of(&findings, "error"), of(&findings, "warning"));
    assert!(code == 1 && errors.len() == 2, "{findings:?}");
    assert!(errors[0].contains("operator can't be read") && errors[1].contains("backstop.db"), "{errors:?}");
    assert!(warnings.iter().any(|text| text.starts_with("Evidence can't be written there")), "{warnings:?}");

    site.edit("[server]", "[servers]");
    let (code, findings) = doctor(&site, &[]).await;
    assert_eq!((code, findings[0]["area"].as_str()), (2, Some("configuration")), "{findings:?}");
}

#[tokio::test]
async fn prometheus_is_asked_for_the_rules_their_metrics_and_whom_it_tells() {
    let chain = Chain::new(&[("spark-trading", "5m")]).await;
    configure(&chain.site, &[&chain.alertmanager], Some(&chain.prometheus));
    // Until it has scraped often enough.
    let found = wait_for("Prometheus to have what the rules judge", || async {
        let (_, findings) = doctor(&chain.site, &["--only", "prometheus", "--only", "clocks"]).await;
        findings.iter().all(|one| one["check"] != "metrics" || one["severity"] != "error").then_some(findings)
    })
    .await;
    let message = |check: &str| -> Vec<_> {
        let of_check = found.iter().filter(|one| one["check"] == check);
        of_check
            .map(|one| {
                (one["severity"].as_str().unwrap_or_default(), one["message"].as_str().unwrap_or_default())
            })
            .collect()
    };
    assert_eq!(message("reachable"), [("fine", "It answers.")], "{found:?}");
    assert_eq!(message("alertmanagers")[0].0, "fine", "{found:?}");
    assert_eq!(message("clocks")[0].0, "fine", "{found:?}");
    assert_eq!(message("rules")[0].0, "fine", "{found:?}");

    // What nobody measures stops a ramp, until its criterion is turned off.
    let text = std::fs::read_to_string(&chain.site.config).expect("read");
    let own = "[[rollouts.ramp.criteria]]\nname = \"own-gauge\"\nquery = \"max(no_such_gauge)\"\nbelow = 1\n";
    let of_own = |findings: &[Value]| -> Vec<Value> {
        let about = |one: &&Value| one["message"].as_str().is_some_and(|text| text.contains("own-gauge"));
        findings.iter().filter(about).cloned().collect()
    };
    std::fs::write(&chain.site.config, format!("{text}\n{own}")).expect("written");
    let (code, findings) = doctor(&chain.site, &["--only", "ramp"]).await;
    let missing = of_own(&findings);
    assert_eq!((code, missing.len()), (0, 1), "{findings:#?}");
    let said = ["severity", "message", "remedy"].map(|part| missing[0][part].as_str().unwrap_or_default());
    assert_eq!(
        said[..2],
        ["warning", "own-gauge: no ramp can start, since Prometheus has no no_such_gauge."]
    );
    assert!(said[2].contains("name = \"own-gauge\" and enabled = false"), "{said:?}");
    let unborn = "no money_precision_errors_total{job=~\"spark-trading|\",namespace=\"spark-trading\"}. That is as it should be for a counter that is born";
    assert!(of(&findings, "note").iter().any(|text| text.contains(unborn)), "{findings:#?}");
    std::fs::write(&chain.site.config, format!("{text}\n{own}enabled = false\n")).expect("written");
    let (_, findings) = doctor(&chain.site, &["--only", "ramp"]).await;
    let left = of_own(&findings);
    assert!(left.len() == 1 && left[0]["severity"] == "note", "it is off, and named so: {left:?}");
    std::fs::write(&chain.site.config, text).expect("written");

    chain.site.edit("{ rollout = \"spark-trading\"", "{ rollout = \"another\"");
    let (_, findings) = doctor(&chain.site, &["--only", "prometheus"]).await;
    let rules: Vec<_> = findings.iter().filter(|one| one["check"] == "rules").collect();
    assert!(rules.len() == 1 && rules[0]["severity"] == "error", "{rules:?}");

    chain.site.edit(&format!("url = \"{}\"", chain.prometheus.url()), "url = \"http://127.0.0.1:1\"");
    let (code, findings) = doctor(&chain.site, &["--only", "prometheus"]).await;
    assert_eq!((code, of(&findings, "error").len()), (1, 1), "{findings:?}");
}

/// A rollout that takes every alert with the label that leads to a rollback, the test alert's too.
async fn watched(api: &TradingApi) -> Site {
    let matching = "{ canary_rollback = \"true\" }";
    Site::new("#monitoring", &rollout_toml("spark-trading", matching, "5m", api))
}

#[tokio::test]
async fn a_test_alert_comes_back_through_alertmanager_and_leads_to_nothing() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = watched(&api).await;
    let alertmanager = alertmanager(&site).await;
    configure(&site, &[&alertmanager], None);
    let arguments = ["--only", "alertmanager", "--only", "server", "--only", "clocks", "--send-test-alert"];
    let (code, findings) = doctor(&site, &arguments).await;
    let warnings = of(&findings, "warning");
    assert!(code == 1 && of(&findings, "error")[0].contains("alerts lead to nothing"), "{findings:?}");
    assert!(warnings.iter().any(|text| text.starts_with("No test alert was sent")), "{warnings:?}");

    let app = site.start().await;
    site.share_read(25).await;
    let (code, findings) = doctor(&site, &arguments).await;
    let fine = of(&findings, "fine");
    assert!(fine.iter().any(|text| text.starts_with("A test alert came through it")), "{findings:?}");
    assert!(fine.iter().any(|text| text.ends_with("with this configuration.")), "{findings:?}");
    assert!(fine.iter().any(|text| text.contains("show the same time")), "{findings:?}");
    assert_eq!(code, 0, "{findings:?}");
    // The poll lists it as well, and asks for a decision.
    tell(&alertmanager, &[Fires::now("TestAlertOfBackstopDoctor", "critical", "x")]).await;
    let real = site.incident("what only has its name is a real alert", |_| true).await;
    assert_eq!(site.incidents().await.len(), 1, "{real:?}");
    assert!(
        real.alerts.iter().all(|one| !one
            .alert
            .labels
            .iter()
            .any(|(name, _)| name == "backstop_doctor_test")),
        "{real:?}"
    );

    // Another text than the one that the server was started with.
    site.edit("drain = \"5s\"", "drain = \"6s\"");
    let (_, findings) = doctor(&site, &["--only", "server"]).await;
    assert!(of(&findings, "warning")[0].contains("another text"), "{findings:?}");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_route_that_does_not_lead_to_us_is_an_error_that_says_where_to_look() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = watched(&api).await;
    let settings = AlertmanagerSettings {
        webhook_url: site.url("/api/v1/alertmanager-of-another"),
        ..settings(&site, None)
    };
    let elsewhere = programs().alertmanager(site.folder.path(), &settings).await.expect("Alertmanager");
    configure(&site, &[&elsewhere], None);
    let app = site.start().await;
    let (code, findings) = doctor(&site, &["--only", "alertmanager", "--send-test-alert"]).await;
    let errors: Vec<_> = findings.iter().filter(|one| one["severity"] == "error").collect();
    assert!(code == 1 && errors.len() == 1 && errors[0]["check"] == "routes", "{findings:?}");
    assert!(
        errors[0]["remedy"].as_str().is_some_and(|text| text.contains("amtool config routes test")),
        "{errors:?}"
    );
    assert!(site.incidents().await.is_empty());
    // Nobody is there at all.
    let url = elsewhere.url();
    drop(elsewhere);
    let (code, findings) = doctor(&site, &["--only", "alertmanager"]).await;
    assert_eq!((code, of(&findings, "error").len()), (1, 1), "{url}: {findings:?}");
    app.shutdown().await.expect("drained");
}
