//! Who is let in while secrets are rotated, removed, or can't be read: over real HTTP and files.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backstop::demo::trading_api::TradingApi;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::support::{Site, binary, body, now, wait_for};

const HOLD: &str = "/api/v1/incidents/none/hold";

/// What an operator's request is answered; 404 is being let in.
async fn ask(url: &str, token: &str) -> (u16, String) {
    let request = reqwest::Client::new().post(url).bearer_auth(token).json(&json!({}));
    let reply = request.send().await.expect("an answer");
    (reply.status().as_u16(), reply.text().await.unwrap_or_default())
}

#[tokio::test]
async fn a_token_whose_file_is_deleted_opens_nothing_any_more_and_everybody_is_told() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let url = site.url(HOLD);
    let file = site.folder.path().join("operator");
    assert_eq!(ask(&url, "operator-token").await.0, 404);
    std::fs::remove_file(&file).expect("removed");
    let removed = Instant::now();
    let (_, told) = wait_for("the token to be revoked", || async {
        let answer = ask(&url, "operator-token").await;
        (answer.0 == 401).then_some(answer)
    })
    .await;
    assert!(removed.elapsed() < Duration::from_secs(10), "{:?}", removed.elapsed());
    assert!(told.contains("missing or empty") && told.contains("log"), "{told}");
    wait_for("the metric", || async {
        (site.metric("backstop_secret_files{state=\"gone\"}").await == 1.0).then_some(())
    })
    .await;
    std::fs::write(&file, "a-newer-operator-token").expect("written");
    wait_for("the new token", || async {
        (ask(&url, "a-newer-operator-token").await.0 == 404).then_some(())
    })
    .await;
    assert_eq!(ask(&url, "operator-token").await.0, 401);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn a_token_that_is_rotated_by_rename_is_never_refused() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let (url, file) = (site.url(HOLD), site.folder.path().join("operator"));
    let until = Instant::now() + Duration::from_secs(4);
    let mut round = 0;
    while Instant::now() < until {
        let next = site.folder.path().join("next");
        std::fs::write(&next, format!("number-{round}-of-many\noperator-token\n")).expect("written");
        std::fs::rename(&next, &file).expect("renamed");
        assert_eq!(ask(&url, "operator-token").await.0, 404, "after {round} rotations");
        round += 1;
    }
    app.shutdown().await.expect("drained");
}

/// Keeps everybody from opening a file, as a file system that hangs would: the kernel makes an open
/// wait for whoever holds a lease.
async fn hanging(file: &Path) -> Child {
    let program = r#"$SIG{IO} = "IGNORE"; $| = 1; open(F, "+<", $ARGV[0]) or die; fcntl(F, 1024, 1) or die "$!"; print "held\n"; sleep 40;"#;
    let mut child = Command::new("perl");
    child.args(["-e", program]).arg(file).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = child.spawn().expect("perl");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    assert_eq!(lines.next_line().await.expect("read").as_deref(), Some("held"));
    child
}

#[tokio::test]
async fn a_secret_on_a_file_system_that_hangs_shuts_nobody_out_and_holds_up_no_rollback() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (url, webhook) = (site.url(HOLD), site.url("/api/v1/alertmanager"));
    let admin = format!("http://{}", site.parsed().server.admin_listen);
    let mut server = site.spawn().await;
    let mut held = Vec::new();
    for name in ["operator", "webhook"] {
        held.push(hanging(&site.folder.path().join(name)).await);
    }
    wait_for("the hang to be noticed", || async {
        let page = reqwest::get(format!("{admin}/metrics")).await.ok()?.text().await.ok()?;
        page.contains("backstop_secret_files{state=\"unclear\"} 2\n").then_some(())
    })
    .await;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().expect("a client");
    assert_eq!(ask(&url, "operator-token").await.0, 404, "the last look counts");
    let critical = body("CanaryErrorRateCritical", "critical", &now(), None);
    let posted =
        client.post(&webhook).bearer_auth("hook-token").body(critical).send().await.expect("an answer");
    assert_eq!(posted.status(), 200);
    wait_for("the rollback", || async { (api.share() == 0).then_some(()) }).await;
    let live = client.get(format!("{admin}/livez")).send().await.expect("an answer");
    assert!(live.status().is_success());
    for mut holder in held {
        holder.kill().await.expect("killed");
    }
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn a_rollback_without_the_server_waits_for_no_secret_that_it_does_not_need() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    std::fs::remove_file(site.folder.path().join("operator")).expect("removed");
    let key = site.folder.path().join("key.pem");
    std::fs::write(&key, "of a server that is not there").expect("written");
    site.edit(
        "drain = \"5s\"\n",
        "drain = \"5s\"\ntls.cert_file = \"key.pem\"\ntls.key_file = \"key.pem\"\n",
    );
    let mut holders = [hanging(&site.folder.path().join("webhook")).await, hanging(&key).await];
    let mut command = binary();
    command
        .args(["rollback", "--reason=down", "--standalone", "--config"])
        .arg(&site.config)
        .kill_on_drop(true);
    let run = tokio::time::timeout(Duration::from_secs(30), command.output()).await.expect("in time");
    let output = run.expect("run");
    assert_eq!(
        (output.status.code(), api.share()),
        (Some(0), 0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for holder in &mut holders {
        holder.kill().await.expect("killed");
    }
}

#[tokio::test]
async fn sighup_has_the_secrets_read_again_and_ends_nothing() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut server = site.spawn().await;
    let pid = server.id().expect("a pid").to_string();
    for _ in 0..3 {
        let sent = Command::new("kill").args(["-HUP", &pid]).status().await.expect("kill");
        assert!(sent.success());
        wait_for("the log to say so", || async {
            site.log().contains("secrets are read again").then_some(())
        })
        .await;
    }
    assert_eq!(server.try_wait().expect("asked"), None);
    assert_eq!(ask(&site.url(HOLD), "operator-token").await.0, 404);
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn without_operator_tokens_nothing_can_be_changed_and_no_foreign_page_can_read() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    site.edit("auth.operator_token_files = [\"operator\"]\n", "");
    let app = site.start().await;
    let client = reqwest::Client::new();
    let rollback = site.url("/api/v1/rollouts/spark-trading/rollback");
    for content_type in ["text/plain", "application/json"] {
        let request = client
            .post(&rollback)
            .header("content-type", content_type)
            .header("origin", "http://evil.example");
        let reply = request.body(r#"{"reason":"x","actor":"y"}"#).send().await.expect("an answer");
        assert_eq!(reply.status(), 403);
        let told = reply.text().await.expect("text");
        assert!(told.contains("operator_token_files") && told.contains("--standalone"), "{told}");
    }
    assert_eq!(api.share(), 25);
    let incidents = site.url("/api/v1/incidents");
    assert_eq!(client.get(&incidents).send().await.expect("an answer").status(), 200);
    let rebound = client.get(&incidents).header("host", "evil.example:8080").send().await.expect("an answer");
    assert_eq!(rebound.status(), 403);
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn with_tokens_reading_needs_one_too_and_the_commands_send_theirs() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    std::fs::write(site.folder.path().join("viewer"), "a-viewers-own-token").expect("written");
    site.edit("[\"operator\"]\n", "[\"operator\"]\nauth.viewer_token_files = [\"viewer\"]\n");
    let app = site.start().await;
    let get = async |token: &str| {
        let request = reqwest::Client::new().get(site.url("/api/v1/incidents")).bearer_auth(token);
        request.send().await.expect("an answer").status().as_u16()
    };
    let asked = (
        get("").await,
        get("hook-token").await,
        get("a-viewers-own-token").await,
        get("operator-token").await,
    );
    assert_eq!(asked, (401, 401, 200, 200));
    assert_eq!(ask(&site.url(HOLD), "a-viewers-own-token").await.0, 401);

    // A person who has the viewer's token only: for them, the operator's file is not there.
    let theirs = site.folder.path().join("theirs.toml");
    let text =
        std::fs::read_to_string(&site.config).expect("read").replace("[\"operator\"]", "[\"not-for-you\"]");
    std::fs::write(&theirs, text).expect("written");
    let run = async |arguments: &[&str]| {
        let output = binary().args(arguments).arg("--config").arg(&theirs).output().await.expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = run(&["status"]).await;
    assert!(code == Some(0) && stdout.contains("spark-trading"), "{stderr}");
    assert_eq!(stderr, "", "warnings are for whoever runs the server");
    let (code, _, stderr) = run(&["rollback", "--reason=x"]).await;
    assert_eq!((code, api.share()), (Some(1), 25));
    assert!(stderr.contains("operator token") && stderr.contains("--standalone"), "{stderr}");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn check_config_names_tokens_that_nobody_can_send_or_everybody_guess_and_ports_that_meet() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let check = async || {
        let output =
            binary().args(["check-config", "--output=json", "--config"]).arg(&site.config).output().await;
        let report: Value = serde_json::from_slice(&output.expect("run").stdout).expect("JSON");
        let errors =
            report["problems"].as_array().expect("a list").iter().filter(|one| one["level"] == "error");
        errors.map(|one| format!("{} {} {}", one["key"], one["message"], one["remedy"])).collect::<Vec<_>>()
    };
    for (token, word) in [
        ("\u{feff}a-good-token-otherwise", "byte order mark"),
        ("a-good-token\0otherwise", "control character"),
        ("a good token otherwise", "blank"),
        ("x", "shorter than 8"),
        ("hook-token", "the same token"),
        ("", "is empty"),
    ] {
        std::fs::write(site.folder.path().join("operator"), token).expect("written");
        let errors = check().await;
        let named = |error: &&String| error.contains(word) && error.contains("operator_token_files");
        assert!(errors.iter().any(|error| named(&error)), "{token:?}: {errors:?}");
    }
    std::fs::write(site.folder.path().join("operator"), "operator-token").expect("written");
    assert_eq!(check().await, [""; 0]);

    let text = std::fs::read_to_string(&site.config).expect("read");
    let port = site.parsed().server.listen.port();
    for admin in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        let own = site.parsed().server.admin_listen.to_string();
        std::fs::write(&site.config, text.replace(&own, &admin)).expect("written");
        let errors = check().await;
        assert!(errors.iter().any(|error| error.contains("server.admin_listen")), "{admin}: {errors:?}");
        std::fs::write(&site.config, &text).expect("written");
    }
    site.edit(
        "auth.webhook_token_files = [\"webhook\"]\nauth.operator_token_files = [\"operator\"]\n",
        "behind_proxy = true\n",
    );
    let errors = check().await.join("\n");
    assert!(errors.contains("webhook_token_files") && errors.contains("operator_token_files"), "{errors}");
}
