//! Our golden messages against what their receivers say that they take.

use std::path::{Path, PathBuf};

use crate::toolbox::{node, packages, passes, project, python};

fn messages_of(channel: &str) -> PathBuf {
    project().join("tests/fixtures/notifications").join(channel)
}

/// Lets TypeScript's compiler check a program that assigns each message to its type.
async fn assert_compiles(generator: &str, channel: &str) {
    let program = passes(python(generator).await.arg(messages_of(channel))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let modules = packages().await.join("node_modules");
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules")).expect("linked");
    let file = folder.path().join("messages.ts");
    std::fs::write(&file, program).expect("written");
    let options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
    let mut compiler = node(&modules.join("typescript/bin/tsc")).await;
    passes(compiler.args(options).arg(&file).current_dir(folder.path())).await;
}

async fn assert_passes(script: &str, described_by: Option<&Path>, channel: &str) {
    let mut command = python(script).await;
    passes(command.args(described_by).arg(messages_of(channel))).await;
}

#[tokio::test]
async fn slacks_models_take_our_messages() {
    assert_passes("slack_models.py", None, "slack").await;
}

#[tokio::test]
async fn slacks_types_take_our_messages() {
    assert_compiles("slack_types.py", "slack").await;
}

#[tokio::test]
async fn pagerdutys_types_take_our_events() {
    assert_compiles("pagerduty_types.py", "pagerduty").await;
}

#[tokio::test]
async fn pagerdutys_limits_hold_our_events() {
    assert_passes("pagerduty_limits.py", None, "pagerduty").await;
}

#[tokio::test]
async fn statuspages_model_takes_our_incidents() {
    assert_passes("statuspage_model.py", None, "status_page").await;
}

#[tokio::test]
async fn microsofts_reader_takes_our_cards() {
    let script = project().join("tests/notifications/scripts/teams_cards.cjs");
    passes(node(&script).await.arg(messages_of("teams"))).await;
}

#[tokio::test]
async fn microsofts_types_take_our_cards() {
    assert_compiles("teams_types.py", "teams").await;
}

#[tokio::test]
async fn the_schema_that_we_ship_describes_our_webhooks() {
    let schema = project().join("deploy/schemas/webhook.schema.json");
    assert_passes("webhook_schema.py", Some(&schema), "webhook").await;
}
