//! Who asks, where the environment does not say so: cron and containers have no `$USER`.

use backstop::demo::trading_api::TradingApi;
use serde_json::Value;

use crate::support::{Site, binary, body, now};

type Environment<'a> = &'a [(&'a str, &'a str)];

async fn run(site: &Site, environment: Environment<'_>, arguments: &[&str]) -> (i32, String, String) {
    let mut command = binary();
    command.env_remove("USER").env_remove("LOGNAME").envs(environment.iter().copied());
    let output = command.args(arguments).arg("--config").arg(&site.config).output().await.expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn uid() -> String {
    format!("uid {}", rustix::process::getuid().as_raw())
}

#[tokio::test]
async fn a_rollback_by_hand_never_fails_for_want_of_a_name() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    let cases: &[(Environment<'_>, String)] = &[
        (&[("USER", "")], uid()),
        (&[("USER", " "), ("LOGNAME", "ada")], "ada".to_owned()),
        (&[("USER", "bob"), ("LOGNAME", "ada")], "bob".to_owned()),
        (&[], uid()),
    ];
    for (environment, name) in cases {
        api.set_share(25);
        site.share_read(25).await;
        let arguments = ["rollback", "--reason=x", "--output=json"];
        let (code, stdout, stderr) = run(&site, environment, &arguments).await;
        assert_eq!((code, api.share()), (0, 0), "{environment:?}: {stderr}");
        let view: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(view["triggered_by"], format!("Manual ({name})"), "{environment:?}");
    }
    app.shutdown().await.expect("drained");
    api.set_share(25);
    let arguments = ["rollback", "--reason=x", "--standalone", "--output=json"];
    let (code, stdout, stderr) = run(&site, &[("USER", "")], &arguments).await;
    assert_eq!(code, 0, "{stderr}");
    let view: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(view["triggered_by"], format!("Manual ({})", uid()));
}

#[tokio::test]
async fn an_incident_is_acknowledged_by_somebody_also_without_a_user() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let app = site.start().await;
    assert_eq!(site.post(body("CanaryLatencyP95Warning", "warning", &now(), None)).await, 200);
    site.incident("the grace", |incident| incident.state == "grace").await;
    for arguments in [&["acknowledge"][..], &["hold"], &["resume"], &["close", "--reason=x"]] {
        let arguments = [&["incident"], arguments].concat();
        let (code, stdout, stderr) = run(&site, &[("USER", "")], &arguments).await;
        assert!(code == 0 && stdout.contains(&format!("acknowledged by {}", uid())), "{stdout}{stderr}");
    }
    app.shutdown().await.expect("drained");
}

#[tokio::test]
async fn an_explicit_name_that_is_empty_is_refused_before_anything_is_sent() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    for command in [
        &["rollback", "--reason=x", "--actor="][..],
        &["rollback", "--reason=x", "--actor=  ", "--standalone"],
        &["incident", "hold", "--actor="],
    ] {
        let (code, _, stderr) = run(&site, &[("USER", "ada")], command).await;
        assert!(code == 2 && stderr.contains("leave --actor out"), "{code} {stderr}");
    }
    assert!(api.sets().is_empty());
}
