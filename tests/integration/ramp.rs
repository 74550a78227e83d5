//! A ramp, as people drive it: by `backstop rollout` and the API, against a server process.

use std::process::Stdio;

use backstop::demo::trading_api::TradingApi;
use backstop::web::RampView;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::support::{MATCH, PATIENCE, Site, binary, rollout_toml, wait_for};

const RAMP: &str = "/api/v1/rollouts/spark-trading/ramp";

/// What a person judges is asked of nobody else, so that a stage is left when it is approved and promoted.
const JUDGED_BY_A_PERSON: &str = "[rollouts.ramp]
criteria_files = []
judge_interval = \"1s\"
[[rollouts.ramp.criteria]]
name = \"user-feedback\"
title = \"Users are content\"
kind = \"approval\"
stages = [1, 25, 100]
";

fn site(api: &TradingApi) -> Site {
    let rollout = rollout_toml("spark-trading", MATCH, "5m", api) + JUDGED_BY_A_PERSON;
    Site::new("[alertmanager]\npoll_interval = \"1s\"", &rollout)
}

/// `backstop rollout …`, as a person types it: exit code, data and what is said beside it.
async fn rollout(site: &Site, arguments: &[&str]) -> (i32, String, String) {
    let mut command = binary();
    command.arg("rollout").args(arguments).arg("--config").arg(&site.config);
    let output = command.output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

async fn ramp(site: &Site, what: &str, wanted: impl Fn(&RampView) -> bool) -> RampView {
    wait_for(what, || async { site.read::<RampView>(RAMP).await.filter(&wanted) }).await
}

/// `backstop rollout status --watch`, and the lines that it prints.
fn watch(site: &Site) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut command = binary();
    command.args(["rollout", "status", "--watch", "--output=json", "--config"]).arg(&site.config);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    (child, lines)
}

/// Reads what `--watch` prints, a line each, up to what is waited for.
async fn watched_until(lines: &mut Lines<BufReader<ChildStdout>>, wanted: impl Fn(&RampView) -> bool) {
    let read = async {
        while let Some(line) = lines.next_line().await.expect("read") {
            let view: RampView = serde_json::from_str(&line).expect("a view on each line");
            if wanted(&view) {
                return;
            }
        }
        panic!("it ended before");
    };
    tokio::time::timeout(PATIENCE, read).await.expect("it is said in time");
}

fn begin(revision: &str) -> Value {
    json!({ "actor": "ada", "revision": revision, "stages": [1, 25, 100], "stage_duration": "1h" })
}

#[tokio::test]
async fn a_ramp_is_started_paused_approved_promoted_and_aborted_by_the_command_line() {
    let api = TradingApi::start(0, 10).await.expect("started");
    let site = site(&api);
    let mut server = site.spawn().await;
    site.share_read(0).await;
    let (code, _, said) = rollout(&site, &["status"]).await;
    assert!(code == 3 && said.contains("no ramp of spark-trading was ever started"), "{code} {said}");
    let (code, _, said) = rollout(&site, &["pause"]).await;
    assert!(code == 3 && said.contains("no ramp runs"), "{code} {said}");
    let (code, _, said) = rollout(&site, &["start", "--revision=v9.9.9"]).await;
    assert!(code == 1 && said.contains("v1.4.0 is on canary, not v9.9.9"), "{code} {said}");
    assert_eq!(api.sets(), [0u8; 0], "nothing was begun");

    let start =
        ["start", "--revision=v1.4.0", "--stages=1,25,100", "--stage-duration=1h", "--actor=ada", "--yes"];
    let (code, text, said) = rollout(&site, &start).await;
    assert!(code == 0 && text.contains("ramp of v1.4.0  stage 1 of 3 (1 %)"), "{code} {text}{said}");
    let seen = ramp(&site, "the first stage", |ramp| ramp.stage_began_at.is_some()).await;
    assert_eq!((api.share(), seen.started_by.as_str()), (1, "ada"));
    assert_eq!(seen.started_through, "command line");
    let (mut watch, mut watched) = watch(&site);
    watched_until(&mut watched, |view| view.state == "stage_running").await;
    let (code, text, _) = rollout(&site, &["status"]).await;
    assert!(
        code == 0 && text.contains("it needs a person's approval at its end: backstop rollout approve"),
        "{text}"
    );
    let status = binary().arg("status").arg("--config").arg(&site.config).output().await.expect("run");
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("  ramp of v1.4.0  stage 1 of 3 (1 %)  stage running"), "{status}");

    let (code, text, said) = rollout(&site, &["pause", "--reason=lunch", "--actor=bob"]).await;
    assert!(code == 0 && text.contains("paused by bob: lunch"), "{code} {text}{said}");
    let (code, _, said) = rollout(&site, &["pause"]).await;
    assert!(code == 1 && said.contains("it is paused already"), "{code} {said}");
    let seen = ramp(&site, "the pause", |ramp| ramp.state == "stage_holding").await;
    assert!(seen.stage_ends_at.is_none() && seen.stage_seconds_left > Some(3_000), "{seen:?}");
    watched_until(&mut watched, |view| view.paused.is_some()).await;
    assert_eq!(rollout(&site, &["resume"]).await.0, 0);
    let (code, _, said) = rollout(&site, &["approve"]).await;
    assert!(code == 1 && said.contains("an approval comes last"), "{code} {said}");
    assert_eq!(rollout(&site, &["promote", "--force"]).await.0, 2, "it needs a reason");
    let (code, _, said) = rollout(&site, &["promote", "--actor=eve"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, text, said) = rollout(&site, &["approve", "--actor=eve"]).await;
    assert!(code == 0 && text.contains("approved by eve (command line)"), "{code} {text}{said}");
    ramp(&site, "the second stage", |ramp| ramp.stage == 2 && ramp.stage_began_at.is_some()).await;
    assert_eq!(api.share(), 25);

    let abort = ["abort", "--reason=customers complain", "--actor=ada", "--output=json"];
    let (code, json, said) = rollout(&site, &abort).await;
    let incident: Value = serde_json::from_str(&json).expect("an incident");
    assert_eq!((code, incident["state"].as_str()), (0, Some("rolled_back")), "{incident} {said}");
    assert_eq!(incident["triggered_by"], "Manual (ada)");
    assert_eq!(incident["acknowledged_by"], "ada");
    assert_eq!((incident["cause"].as_str(), api.share()), (Some("customers complain"), 0));
    assert!(incident["evidence"].as_array().is_some_and(|files| !files.is_empty()), "{incident}");
    let ended = ramp(&site, "its end", |ramp| ramp.state == "aborted").await;
    assert_eq!(ended.incident.as_deref(), incident["id"].as_str());
    assert_eq!(rollout(&site, &["abort", "--reason=again"]).await.0, 3, "it has ended");

    watched_until(&mut watched, |view| view.state == "aborted").await;
    let watched = tokio::time::timeout(PATIENCE, watch.wait()).await.expect("it ends with the ramp");
    assert_eq!(watched.expect("its end").code(), Some(1), "it did not succeed");

    let (code, _, said) = rollout(&site, &start).await;
    assert!(code == 1 && said.contains("v1.4.0 was rolled back at"), "{code} {said}");
    let again: Vec<_> = start.into_iter().chain(["--again", "--reason=the fault is mended"]).collect();
    let (code, _, said) = rollout(&site, &again).await;
    assert_eq!(code, 0, "{said}");
    let seen = ramp(&site, "the second ramp", |ramp| ramp.is_running).await;
    assert_eq!(seen.again_because.as_deref(), Some("the fault is mended"));
    server.kill().await.expect("killed");
    assert_eq!(rollout(&site, &["status"]).await.0, 1, "without a server");
}

#[tokio::test]
async fn a_ramp_survives_a_kill_and_so_does_whoever_watches_it() {
    let api = TradingApi::start(0, 10).await.expect("started");
    let site = site(&api);
    let mut server = site.spawn().await;
    site.share_read(0).await;
    assert_eq!(site.ask(RAMP, begin("v1.4.0")).await.0, 201);
    let before = ramp(&site, "the first stage", |ramp| ramp.stage_began_at.is_some()).await;
    let (mut watch, mut watched) = watch(&site);
    watched_until(&mut watched, |view| view.state == "stage_running").await;
    let pause = json!({ "actor": "bob", "reason": "lunch" });
    assert_eq!(site.ask(&format!("{RAMP}/pause"), pause).await.0, 200);
    watched_until(&mut watched, |view| view.paused.is_some()).await;
    server.kill().await.expect("killed");
    let (code, _, said) = rollout(&site, &["resume"]).await;
    assert!(code == 1 && said.contains("no server answers"), "{code} {said}");

    let mut server = site.spawn().await;
    let after = ramp(&site, "the ramp again", |ramp| ramp.is_running).await;
    assert_eq!((&after.id, after.stage_began_at), (&before.id, before.stage_began_at));
    assert_eq!(after.paused.map(|paused| paused.actor).as_deref(), Some("bob"));
    assert_eq!(api.sets(), [1], "nothing is set again");
    assert_eq!(rollout(&site, &["resume"]).await.0, 0);
    watched_until(&mut watched, |view| view.paused.is_none()).await;
    // Somebody else's deed ends it, and whoever watches is told.
    api.set_share(0);
    watched_until(&mut watched, |view| view.state == "ended_outside").await;
    let ended = tokio::time::timeout(PATIENCE, watch.wait()).await.expect("it ends with the ramp");
    assert_eq!(ended.expect("its end").code(), Some(1));
    server.kill().await.expect("killed");
}

#[tokio::test]
async fn of_two_that_start_a_ramp_at_once_one_does_and_the_other_is_told_by_name() {
    let api = TradingApi::start(0, 10).await.expect("started");
    let site = site(&api);
    let app = site.start().await;
    site.share_read(0).await;
    let (one, other) = tokio::join!(site.ask(RAMP, begin("v1.4.0")), site.ask(RAMP, begin("v1.4.0")));
    let (started, refused) = if one.0 == 201 { (one, other) } else { (other, one) };
    assert_eq!((started.0, refused.0), (201, 409), "{started:?} {refused:?}");
    assert_eq!(refused.1["refusal"], "already_running", "{refused:?}");
    assert!(refused.1["error"].as_str().is_some_and(|error| error.contains("runs already")), "{refused:?}");
    ramp(&site, "the first stage", |ramp| ramp.stage_began_at.is_some()).await;
    assert_eq!(api.sets(), [1], "set once");
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_what_to_write_and_begins_nothing() {
    let api = TradingApi::start(0, 10).await.expect("started");
    let site = site(&api);
    let app = site.start().await;
    site.share_read(0).await;
    let with = |member: &str, value: Value| {
        let mut body = begin("v1.4.0");
        body[member] = value;
        body
    };
    for (verb, body, status, says) in [
        ("", json!({}), 400, "expected {\"actor\", \"revision\""),
        ("", with("stage", json!(3)), 400, "unknown field `stage`"),
        ("", with("stages", json!([25, 5, 100])), 400, "\"stages\""),
        ("", with("stages", json!([1, 50])), 400, "\"stages\""),
        ("", with("stages", json!([-1, 100])), 400, "\"stages\""),
        ("", with("stage_duration", json!("soon")), 400, "\"stage_duration\""),
        ("", with("stage_duration", json!("0s")), 400, "judge_interval"),
        ("", with("stage_duration", json!("900 years")), 400, "\"stage_duration\""),
        ("", with("revision", json!(" \n")), 400, "\"revision\" needs 1 to"),
        ("", with("again", json!(true)), 409, "this needs a reason"),
        ("", with("reason", json!("x")), 400, "add \"again\""),
        ("", with("through", json!("the window")), 400, "unknown variant"),
        ("/pause", json!([]), 400, "expected {\"actor\""),
        ("/pause", json!({ "actor": "x".repeat(501) }), 400, "\"actor\" needs 1 to 500"),
        ("/abort", json!({ "actor": "ada" }), 400, "missing field `reason`"),
        ("/abort", json!({ "actor": "ada", "reason": "x" }), 409, "no ramp runs"),
        ("/promote", json!({ "actor": "ada", "full": "yes" }), 400, "expected {\"actor\""),
        ("/explode", json!({ "actor": "ada" }), 404, "there is nothing at"),
    ] {
        let (answered, answer) = site.ask(&format!("{RAMP}{verb}"), body.clone()).await;
        let words = answer["error"].as_str().unwrap_or_default();
        assert!(answered == status && words.contains(says), "{verb} {body}: {answered} {answer}");
    }
    let (status, answer) = site.ask("/api/v1/rollouts/another/ramp", begin("v1.4.0")).await;
    assert!(status == 404 && answer["error"].as_str().is_some_and(|error| error.contains("spark-trading")));
    let without = reqwest::Client::new().post(site.url(RAMP)).json(&begin("v1.4.0"));
    assert_eq!(without.send().await.expect("an answer").status().as_u16(), 401);
    assert_eq!(
        site.read::<Value>(RAMP).await.expect("an answer")["error"],
        "no ramp of spark-trading was ever started"
    );
    assert_eq!(api.sets(), [0u8; 0]);
    app.shutdown().await.expect("drained");
}
