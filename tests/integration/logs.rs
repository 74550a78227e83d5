//! A log that nobody reads, or that can't be written, stops nothing.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;

use backstop::demo::trading_api::TradingApi;
use tokio::process::{Child, Command};

use crate::support::{Site, binary, body, now, wait_for};

/// Where stderr goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stderr {
    /// A pipe whose reader never reads.
    Unread,
    /// A pipe whose reader is gone.
    Broken,
    /// A disk without room.
    Full,
    /// Closed before the program starts.
    Closed,
}

const ALL: [Stderr; 4] = [Stderr::Unread, Stderr::Broken, Stderr::Full, Stderr::Closed];

/// A pipe that is full to the brim; its reading end, which must be kept.
fn brimful() -> (std::io::PipeReader, OwnedFd) {
    use std::io::Write;
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).expect("non-blocking");
    while writer.write(&[b'.'; 512]).is_ok() {}
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).expect("blocking");
    (reader, writer.into())
}

/// The program with its stderr there, and what has to live as long as it.
fn command(site: &Site, stderr: Stderr, arguments: &[&str]) -> (Command, Option<std::io::PipeReader>) {
    if stderr == Stderr::Closed {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" \"$@\" 2>&-", env!("CARGO_BIN_EXE_backstop")]);
        shell.args(arguments).arg("--config").arg(&site.config).kill_on_drop(true);
        return (shell, None);
    }
    let mut command = binary();
    command.args(arguments).arg("--config").arg(&site.config).kill_on_drop(true);
    let reader = match stderr {
        Stderr::Unread => {
            let (reader, writer) = brimful();
            command.stderr(Stdio::from(writer));
            Some(reader)
        }
        Stderr::Broken => {
            let (_gone, writer) = std::io::pipe().expect("a pipe");
            command.stderr(Stdio::from(OwnedFd::from(writer)));
            None
        }
        Stderr::Full => {
            command.stderr(Stdio::from(File::options().write(true).open("/dev/full").expect("opened")));
            None
        }
        Stderr::Closed => None,
    };
    (command, reader)
}

async fn terminated(mut child: Child) -> Option<i32> {
    let pid = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
    assert!(sent.success());
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await.expect("it ends");
    ended.expect("waited").code()
}

/// Each of these is a line of the log.
/// Requests that are under way at once.
const AT_ONCE: usize = 20;

async fn strangers(site: &Site, requests: usize) {
    let (client, url) = (reqwest::Client::new(), site.url("/api/v1/alertmanager"));
    // Several at once: on a slow machine they would else come so slowly that each may be logged.
    let requests = futures_util::stream::iter(0..requests);
    let each = |_| async {
        let wrong = client.post(&url).bearer_auth("wrong-token").body("{}");
        assert_eq!(wrong.send().await.expect("an answer").status(), 401);
    };
    requests.for_each_concurrent(AT_ONCE, each).await;
}

async fn livez(site: &Site) -> Option<()> {
    let url = format!("http://{}/livez", site.parsed().server.admin_listen);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().expect("a client");
    client.get(url).send().await.ok()?.status().is_success().then_some(())
}

#[tokio::test]
async fn the_server_lives_and_rolls_back_whatever_becomes_of_its_log() {
    for stderr in ALL {
        let api = TradingApi::start(25, 10).await.expect("started");
        let site = Site::simple("5m", &api);
        let (mut command, _reader) = command(&site, stderr, &["serve"]);
        let mut child = command.spawn().expect("it starts");
        wait_for("the server", || async { livez(&site).await }).await;

        // More lines than a pipe holds.
        strangers(&site, 600).await;
        livez(&site).await.unwrap_or_else(|| panic!("{stderr:?}: /livez does not answer"));
        assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
        site.incident("the rollback", |incident| incident.state == "rolled_back").await;
        assert_eq!(api.share(), 0, "{stderr:?}");

        let cause = |cause| format!("backstop_log_lines_dropped_total{{cause=\"{cause}\"}}");
        assert!(
            site.metric(&cause("repeated")).await >= 300.0,
            "{stderr:?}: 600 alike, 200 at once are logged"
        );
        let unwritable = site.metric(&cause("unwritable")).await;
        let counted = matches!(stderr, Stderr::Full | Stderr::Broken);
        assert_eq!(unwritable > 0.0, counted, "{stderr:?}: {unwritable} lines that could not be written");
        assert_eq!(child.try_wait().expect("asked"), None, "{stderr:?}: it has ended");
        assert_eq!(terminated(child).await, Some(0), "{stderr:?}");
    }
}

#[tokio::test]
async fn a_log_that_is_read_again_says_how_much_is_missing() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let (mut command, reader) = command(&site, Stderr::Unread, &["serve"]);
    let child = command.spawn().expect("it starts");
    drop(command);
    wait_for("the server", || async { livez(&site).await }).await;
    strangers(&site, 300).await;
    let mut reader = reader.expect("a reader");
    let read = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _whole = reader.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    assert_eq!(terminated(child).await, Some(0));
    let text = read.join().expect("read");
    assert!(text.contains("more lines of this kind were left out"), "{}", &text[text.len() - 2_000..]);
    let last = text.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("whole to the last line");
    assert!(last["message"].is_string() && last["timestamp"].is_string(), "{last}");
}

#[tokio::test]
async fn a_rollback_without_the_server_is_done_whatever_becomes_of_its_words() {
    for stderr in ALL {
        let api = TradingApi::start(25, 10).await.expect("started");
        let site = Site::simple("5m", &api);
        let arguments = ["rollback", "--reason=the server hangs", "--standalone", "--actor=ada"];
        let (mut command, _reader) = command(&site, stderr, &arguments);
        // Not `output()`: it would put pipes of its own in place.
        let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let run = tokio::time::timeout(Duration::from_secs(40), child.wait_with_output());
        let output = run.await.unwrap_or_else(|_| panic!("{stderr:?}: it hangs")).expect("run");
        assert_eq!((output.status.code(), api.share()), (Some(0), 0), "{stderr:?}");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("rolled_back") || told.contains("rolled back"), "{stderr:?}: {told}");
    }
}

#[tokio::test]
async fn a_rollback_whose_data_can_not_be_written_is_done_and_data_that_is_lost_is_told() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").expect("opened"));
    let run = async |arguments: &[&str]| {
        let mut command = binary();
        command.args(arguments).arg("--config").arg(&site.config).stdout(full()).stderr(Stdio::piped());
        let output = command.spawn().expect("it starts").wait_with_output().await.expect("run");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, _) = run(&["rollback", "--reason=down", "--standalone"]).await;
    assert_eq!((code, api.share()), (Some(0), 0), "the exit code tells of the rollback");
    let (code, stderr) = run(&["evidence", "list"]).await;
    assert!(code == Some(1) && stderr.contains("the output can't be written"), "{code:?} {stderr}");
}

#[tokio::test]
async fn each_line_is_a_sentence_and_says_of_which_incident_it_is() {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::simple("5m", &api);
    // No evidence can be written, neither where it belongs nor beside: a line from the midst of the
    // work on an incident.
    std::fs::write(site.evidence(), "in the way").expect("written");
    let fallback = site.parsed().evidence.fallback_directory;
    std::fs::create_dir_all(fallback.parent().expect("a folder")).expect("created");
    std::fs::write(fallback, "in the way").expect("written");
    let server = site.spawn().await;
    assert_eq!(site.post(body("CanaryErrorRateCritical", "critical", &now(), None)).await, 200);
    let done = site.incident("the rollback", |incident| incident.state == "rolled_back").await;
    let evidence = wait_for("the evidence to fail", || async {
        site.log().lines().find(|line| line.contains("evidence not written")).map(str::to_owned)
    })
    .await;
    let evidence: serde_json::Value = serde_json::from_str(&evidence).expect("JSON");
    assert_eq!(
        (&evidence["rollout"], &evidence["incident"]),
        (&"spark-trading".into(), &done.id.as_str().into())
    );
    assert_eq!(terminated(server).await, Some(0));
    for line in site.log().lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let message = line["message"].as_str().expect("a message");
        assert!(message.contains(' '), "{message:?} is no sentence: {line}");
        if let Some(event) = line["event"].as_str() {
            assert!(!message.contains(event), "{message:?} names its type");
        }
    }
}
