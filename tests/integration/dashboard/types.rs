//! Grafana's own types read it, without a field too many or too few.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{DASHBOARD, dashboard};
use crate::support::project;

/// The longest that the check may take to build, the first time, on a machine that does other things too.
const BUILDING: Duration = Duration::from_secs(900);

/// The program that checks; built by whoever asks first, and what it says meanwhile is for whoever waits.
async fn program() -> PathBuf {
    let mut install = Command::new(project().join("tests/grafana/install"));
    let child = install.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    let ended = tokio::time::timeout(BUILDING, child.wait_with_output()).await;
    let output = ended.expect("built in time").expect("it ends");
    assert!(output.status.success(), "tests/grafana/install has failed, and says why above");
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// What is wrong with a dashboard, if anything is.
async fn wrong(program: &Path, dashboard: &Path) -> Option<String> {
    let output = Command::new(program).arg(dashboard).output().await.expect("run");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn grafanas_own_types_read_the_dashboard_strictly() {
    let program = program().await;
    assert_eq!(wrong(&program, &project().join(DASHBOARD)).await, None);

    // The check itself notices what Grafana would drop or misread.
    let folder = tempfile::tempdir().expect("a folder");
    let changed = folder.path().join("changed.json");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 7] = [
        ("unexpected field 'dashboard'", |whole| *whole = json!({ "dashboard": whole.take() })),
        ("panels of type \"graph\"", |whole| whole["panels"][0]["type"] = json!("graph")),
        ("unexpected field 'query'", |whole| whole["panels"][0]["targets"][0]["query"] = json!("up")),
        ("unexpected field 'thresholdStyle'", |whole| {
            whole["panels"][0]["fieldConfig"]["defaults"]["custom"]["thresholdStyle"] = json!({});
        }),
        ("Threshold", |whole| {
            whole["panels"][0]["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] = json!("0.2");
        }),
        ("unexpected field 'colour'", |whole| whole["annotations"]["list"][1]["colour"] = json!("red")),
        ("required field is missing", |whole| {
            drop(whole["panels"][11]["options"].as_object_mut().expect("options").remove("graphMode"));
        }),
    ];
    for (said, change) in changes {
        let mut whole = dashboard();
        change(&mut whole);
        std::fs::write(&changed, whole.to_string()).expect("written");
        let found = wrong(&program, &changed).await.unwrap_or_else(|| panic!("{said:?} was not noticed"));
        assert!(found.contains(said), "{said:?} in {found}");
    }
}
