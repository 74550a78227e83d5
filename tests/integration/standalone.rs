//! `rollback --standalone` by somebody who is not the server's user: root, or one who may not write.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backstop::demo::trading_api::TradingApi;
use tokio::process::Command;

use crate::support::{Site, binary};

/// A user that is not ours and owns nothing: the server's, or somebody's.
const OTHER: u32 = 65_533;

const ROLLBACK: &[&str] = &["rollback", "--reason=down", "--actor=ada", "--standalone"];

async fn ended(command: &mut Command, site: &Site) -> (i32, String, String) {
    let ended = command.args(ROLLBACK).arg("--config").arg(&site.config).kill_on_drop(true).output();
    let output =
        tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it returns").expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

/// The program as another user, where this one is root and the other may run it.
#[expect(clippy::print_stdout, reason = "who runs the tests has to know what was not tested")]
async fn by_another() -> Option<Command> {
    let command = || {
        let mut command = Command::new("setpriv");
        let (user, group) = (format!("--reuid={OTHER}"), format!("--regid={OTHER}"));
        command.args([&user, &group, "--clear-groups"]).arg(binary().as_std().get_program());
        command
    };
    let runs = command().arg("--version").output().await.is_ok_and(|output| output.status.success());
    if !runs {
        println!("not tested: this needs root, setpriv, and a build folder that others may enter");
    }
    runs.then(command)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).expect("read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn who_may_not_write_the_evidence_is_told_so_within_seconds_of_the_verdict() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let mut command = if is_root() {
        set_mode(site.folder.path(), 0o755);
        let Some(command) = by_another().await else { return };
        command
    } else {
        set_mode(site.folder.path(), 0o555);
        binary()
    };
    let begun = Instant::now();
    let (code, stdout, stderr) = ended(&mut command, &site).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}\n{stderr}", begun.elapsed());
    assert_eq!((code, api.share()), (1, 0), "{stdout}{stderr}");
    assert!(stdout.contains("rolled_back"), "what became of the rollback is said all the same: {stdout}");
    let said = stderr.lines().last().expect("a last line");
    for part in ["evidence could not be written", "ermission denied", "as the server's user"] {
        assert!(said.contains(part), "{part} in\n{stderr}");
    }
    set_mode(site.folder.path(), 0o755);
}

#[tokio::test]
async fn what_root_makes_in_the_server_users_folders_is_the_server_users() {
    let Some(mut server_user) = by_another().await else { return };
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    for path in files_below(site.folder.path()) {
        chown(&path, Some(OTHER), Some(OTHER)).expect("given away");
    }
    let (code, _, stderr) = ended(&mut binary(), &site).await;
    assert_eq!((code, api.share()), (0, 0), "{stderr}");
    assert!(!stderr.contains("chown"), "{stderr}");
    let made = files_below(&site.evidence()).into_iter().chain(files_below(&site.folder.path().join("data")));
    let made: Vec<_> = made.collect();
    assert!(made.iter().any(|path| path.ends_with("manifest.head")), "{made:?}");
    for path in made {
        let found = std::fs::metadata(&path).expect("there");
        assert_eq!((found.uid(), found.gid()), (OTHER, OTHER), "{}", path.display());
    }

    api.set_share(25);
    let (code, stdout, stderr) = ended(&mut server_user, &site).await;
    assert_eq!((code, api.share()), (0, 0), "{stdout}{stderr}");
    assert!(!site.folder.path().join("data/evidence-fallback").exists(), "{stderr}");
}

#[tokio::test]
async fn root_is_told_which_folders_it_made_that_the_servers_user_can_not_use() {
    if !is_root() {
        println!("not tested: this needs root");
        return;
    }
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (code, _, stderr) = ended(&mut binary(), &site).await;
    assert_eq!((code, api.share()), (0, 0), "{stderr}");
    let said = stderr.lines().find(|line| line.contains("chown -R")).expect("a command to run");
    for folder in [site.evidence(), site.folder.path().join("data")] {
        assert!(said.contains(folder.to_str().expect("a name")), "{} in {said}", folder.display());
    }

    api.set_share(25);
    let (_, _, stderr) = ended(&mut binary(), &site).await;
    assert!(!stderr.contains("chown"), "it made none this time: {stderr}");
}
