//! Runs the scripts, with the packages that they need and a bound.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// The longest that a script may take: `tsc` on a slow machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// The longest that the packages may take, the first time.
const INSTALLING: Duration = Duration::from_secs(900);

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn here() -> PathBuf {
    project().join("tests/notifications")
}

/// Where the packages are; installed by whichever test asks first.
pub(crate) async fn packages() -> &'static Path {
    static READY: OnceCell<PathBuf> = OnceCell::const_new();
    let install = || async {
        let mut command = Command::new(here().join("install"));
        // What it says is for whoever waits.
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().expect("tests/notifications/install starts");
        let ended = tokio::time::timeout(INSTALLING, child.wait_with_output()).await;
        let output = ended.expect("installed in time").expect("it ends");
        assert!(output.status.success(), "tests/notifications/install has failed, and says why above");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    };
    READY.get_or_init(install).await
}

/// A script in Python, which can import the pinned packages.
pub(crate) async fn python(script: &str) -> Command {
    let mut command = Command::new(packages().await.join("python/bin/python"));
    command.arg(here().join("scripts").join(script));
    // The source tree stays as it is; two packages argue about the version of a third.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONWARNINGS", "ignore");
    alone(&mut command);
    command
}

/// A script or a program in JavaScript.
pub(crate) async fn node(script: &Path) -> Command {
    let mut command = Command::new("node");
    command.arg(script).env("CHECKS", packages().await);
    alone(&mut command);
    command
}

fn alone(command: &mut Command) {
    command.env("NO_PROXY", "*").current_dir(here()).kill_on_drop(true);
}

/// Runs it, and returns what it printed; what it found fails the test.
pub(crate) async fn passes(command: &mut Command) -> String {
    passes_with(command, "").await
}

/// The same with a text for it to read.
pub(crate) async fn passes_with(command: &mut Command, input: &str) -> String {
    let what = format!("{:?}", command.as_std());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let running = async move {
        // One that doesn't read may have ended already.
        let _unread = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.expect("it ends")
    };
    let output = tokio::time::timeout(PATIENCE, running).await;
    let output = output.unwrap_or_else(|_| panic!("{what} took over {PATIENCE:?}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
    out.into_owned()
}
