//! Nothing is left of a control plane, however those who started it end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::controlplane::{PATIENCE, shared, wait_for};

/// Where the tests below want to be told the folder of the control plane.
const TOLD: &str = "BACKSTOP_TESTS_FOLDER_IS_TOLD_IN";

/// Not a test of its own: the tests below run it as a process, and end that.
#[tokio::test]
async fn a_process_that_shares_a_control_plane() {
    let Ok(told) = std::env::var(TOLD) else { return };
    let folder = shared().await.folder().to_owned();
    let half = format!("{told}.half");
    std::fs::write(&half, folder.to_string_lossy().as_bytes()).expect("written");
    std::fs::rename(half, &told).expect("told");
    // It ends by itself, or is killed before.
    let go_on = Path::new(&told).with_extension("go-on");
    wait_for("the word to go on", || async { go_on.exists().then_some(()) }).await;
}

struct Sharing {
    process: Child,
    told: PathBuf,
    folder: PathBuf,
}

async fn sharing(scratch: &Path) -> Sharing {
    let told = scratch.join("folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "proofs::ends::a_process_that_shares_a_control_plane"]).env(TOLD, &told);
    let process = command.stdout(Stdio::null()).spawn().expect("it starts");
    let folder = wait_for("a control plane", || async { std::fs::read_to_string(&told).ok() }).await;
    let folder = PathBuf::from(folder);
    assert!(folder.is_dir() && processes(&folder).len() >= 6, "{:?}", processes(&folder));
    Sharing { process, told, folder }
}

/// The processes with this folder in their arguments: the five parts and the guardian.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").expect("Linux");
    let arguments = entries.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    let arguments = arguments.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    arguments.filter(|arguments| arguments.contains(&folder)).collect()
}

async fn nothing_is_left(folder: &Path) {
    let gone = || async { (!folder.exists() && processes(folder).is_empty()).then_some(()) };
    let waited = tokio::time::timeout(PATIENCE, wait_for("everything to end", gone)).await;
    waited.unwrap_or_else(|_| panic!("left: {:?}", processes(folder)));
}

#[tokio::test]
async fn nothing_is_left_of_it_when_the_tests_have_ended() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut sharing = sharing(scratch.path()).await;
    std::fs::write(sharing.told.with_extension("go-on"), "").expect("written");
    assert!(sharing.process.wait().expect("it ends").success());
    nothing_is_left(&sharing.folder).await;
}

#[tokio::test]
async fn nothing_is_left_of_it_when_the_tests_are_killed() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut sharing = sharing(scratch.path()).await;
    sharing.process.kill().expect("killed");
    sharing.process.wait().expect("it ends");
    nothing_is_left(&sharing.folder).await;
}
