//! Criteria of a ramp that are programs, run by a server process.

use std::path::Path;

use backstop::demo::trading_api::TradingApi;
use backstop::incident::GateVerdict;
use backstop::web::RampView;
use serde_json::json;

use crate::support::{MATCH, PATIENCE, Site, rollout_toml, wait_for};

const RAMP: &str = "/api/v1/rollouts/spark-trading/ramp";

/// One that passes, one that fails, and one that never ends and has a child: both their numbers are in a file.
fn site(api: &TradingApi) -> Site {
    let one = |name: &str, script: &str| {
        let argv = serde_json::to_string(&["/bin/sh", "-c", script]).expect("JSON");
        format!(
            "[[rollouts.ramp.criteria]]\nname = \"{name}\"\nkind = \"command\"\nargv = {argv}\nenvironment = [\"PATH\"]\n\
             directory = \".\"\n"
        )
    };
    let criteria = [
        one("passes", "echo stage {stage} of {revision}"),
        one("fails", "echo 1 failed >&2; exit 1"),
        one("never-ends", "sleep 1000 & echo $$ $! > ids.new; mv ids.new ids; wait"),
    ];
    let ramp = "[rollouts.ramp]\ncriteria_files = []\njudge_interval = \"1s\"\n";
    let rollout = rollout_toml("spark-trading", MATCH, "5m", api);
    Site::new("[alertmanager]\npoll_interval = \"1s\"", &format!("{rollout}{ramp}{}", criteria.concat()))
}

/// Whether a process still runs: a zombie, whose parent is gone, does not.
fn runs(id: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(id).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[tokio::test]
async fn programs_are_judged_by_their_ends_and_as_the_server_stops_none_is_left() {
    let api = TradingApi::start(0, 10).await.expect("started");
    let site = site(&api);
    let mut server = site.spawn().await;
    site.share_read(0).await;
    let wanted = json!({ "actor": "ada", "revision": "v1.4.0", "stages": [1, 100], "stage_duration": "1h", "yes": true });
    let (status, answer) = site.ask(RAMP, wanted).await;
    assert_eq!(status, 201, "{answer}");
    let seen = wait_for("two of the programs to be judged", || async {
        let ramp: RampView = site.read(RAMP).await?;
        let judged = ramp.criteria.iter().filter(|one| !one.detail.is_empty()).count();
        (judged >= 2).then_some(ramp)
    })
    .await;
    let of = |name: &str| {
        let one = seen.criteria.iter().find(|one| one.name == name).expect(name);
        (one.verdict, one.detail.clone())
    };
    assert_eq!(of("passes"), (GateVerdict::Pass, "it ended with 0: stage 1 of v1.4.0".to_owned()));
    assert_eq!(of("fails"), (GateVerdict::Fail, "it ended with 1: 1 failed".to_owned()));
    let ids = site.folder.path().join("ids");
    let ids = wait_for("the endless one", || async { std::fs::read_to_string(&ids).ok() }).await;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| runs(id)), "{ids:?}");

    let pid = server.id().expect("a pid").to_string();
    let sent = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
    assert!(sent.success());
    let ended = tokio::time::timeout(PATIENCE, server.wait()).await.expect("in time").expect("waited");
    assert!(ended.success(), "{ended}");
    for id in ids {
        wait_for("the program's end", || async { (!runs(id)).then_some(()) }).await;
    }
}
