//! Where the programs are: `tests/controlplane/install` says, and builds what isn't there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;

/// The longest that building may take, the first time: a machine that is slow and busy.
const BUILDING: Duration = Duration::from_secs(3600);

/// What `install` printed.
pub(super) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// The path of one of them.
    pub(super) fn path(&self, name: &str) -> &Path {
        self.0.get(name).unwrap_or_else(|| panic!("tests/controlplane/install names no {name}"))
    }
}

/// The programs; the first to ask waits until they are built. What says no once says no to all.
pub(super) async fn find() -> &'static Programs {
    static FOUND: OnceCell<Option<Programs>> = OnceCell::const_new();
    let found = FOUND.get_or_init(install).await.as_ref();
    found.expect(
        "no Kubernetes control plane: tests/controlplane/install has failed, and says above what to do \
        (install Go 1.26 or newer, or set KUBEBUILDER_ASSETS)",
    )
}

async fn install() -> Option<Programs> {
    let mut command = Command::new(super::setup::here().join("install"));
    // What it says is for whoever waits, so its error output stays the tests' own.
    command.stdout(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().expect("tests/controlplane/install starts");
    let ended = tokio::time::timeout(BUILDING, child.wait_with_output()).await;
    let output = ended.expect("built in time").expect("it ends");
    let line = |line: &str| line.split_once(' ').map(|(name, path)| (name.to_owned(), PathBuf::from(path)));
    let lines = String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect();
    output.status.success().then_some(Programs(lines))
}
