//! Our Slack channel against an emulator of Slack that others wrote and compared with slack.com (backlot).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backstop::clock::{Clock, SystemClock};
use backstop::incident::{NoticeFact, References};
use backstop::notification::slack::Slack;
use backstop::notification::{Channel, SendError};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::sending::{LOST, deliver, first, message, slack};
use crate::toolbox::{packages, passes};

/// The longest that the emulator may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The one token that the emulator knows of itself.
const TOKEN: &str = "admin-service-token";

/// A running emulator with one channel; it ends when dropped.
struct Emulator {
    folder: TempDir,
    url: String,
    _process: Child,
}

async fn backlot(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(packages().await.join("python/bin/python"));
    command.args(["-m", "backlot"]).args(arguments).arg("--data-dir").arg(folder.join("data"));
    // It would tell its authors how it is used.
    command.env("BACKLOT_TELEMETRY", "0").env("DO_NOT_TRACK", "1");
    command.current_dir(folder).kill_on_drop(true);
    command
}

impl Emulator {
    async fn start() -> Self {
        let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let message = json!({
            "source_type": "slack", "doc_id": "first", "channel": "spark-incidents", "group": "engineering",
            "content": "Here incidents are told.", "created": "2026-09-01T09:00:00Z", "visibility": "public",
            "author_email": "ana@example.com", "author_name": "Ana", "author_groups": ["engineering"],
        });
        std::fs::write(folder.path().join("corpus.jsonl"), message.to_string()).expect("written");
        passes(&mut backlot(&["import", "corpus.jsonl"], folder.path()).await).await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("a port").port().to_string();
        let mut command = backlot(&["serve", "--disable-telemetry", "--port", &port], folder.path()).await;
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let emulator = Self { folder, url: format!("http://127.0.0.1:{port}/slack/api"), _process: process };
        let answers = async {
            while emulator.asked("auth.test", &[]).await.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(PATIENCE, answers).await.expect("the emulator answers");
        emulator
    }

    async fn asked(&self, method: &str, arguments: &[(&str, &str)]) -> Option<Value> {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.get(format!("{}/{method}", self.url)).query(arguments).bearer_auth(TOKEN);
        request.send().await.ok()?.json().await.ok()
    }

    async fn ask(&self, method: &str, arguments: &[(&str, &str)]) -> Value {
        let answer = self.asked(method, arguments).await.expect("an answer");
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer
    }

    /// That of the one person in its corpus, which it makes up when it reads that.
    fn token_of_a_member(&self) -> String {
        let tokens = std::fs::read_to_string(self.folder.path().join("data/tokens.yaml")).expect("read");
        let token = tokens.lines().find_map(|line| line.trim().strip_prefix("token: "));
        token.expect("a person's token").to_owned()
    }

    fn slack(&self, channel: &str, token: &str) -> Slack {
        slack(&self.url, channel, token, self.folder.path())
    }
}

#[tokio::test]
async fn a_message_is_posted_changed_and_replied_to() {
    let emulator = Emulator::start().await;
    let slack = emulator.slack("#spark-incidents", TOKEN);
    let mut references = References::new();
    let calls = deliver(&slack, message(1, LOST, &references), &mut references).await;
    assert_eq!(calls, ["root"]);
    let (channel, ts) = first(&references);
    let arguments = [("channel", channel), ("ts", ts)];
    let before = emulator.ask("conversations.replies", &arguments).await;
    let said = before["messages"][0]["text"].as_str().expect("a text").to_owned();
    assert!(said.contains("BLIND") && before["messages"][0]["edited"].is_null(), "{before}");

    let known = references.clone();
    let calls = deliver(&slack, message(2, NoticeFact::WatchdogBack, &known), &mut references).await;
    assert_eq!((calls.as_slice(), &references), (["update", "reply"].as_slice(), &known));
    let (channel, ts) = first(&references);
    let after = emulator.ask("conversations.replies", &[("channel", channel), ("ts", ts)]).await;
    let [root, reply] = after["messages"].as_array().expect("messages").as_slice() else { panic!("{after}") };
    assert!(root["text"] != said.as_str() && root["edited"].is_object(), "{root}");
    assert_eq!(reply["thread_ts"], ts, "{reply}");

    // A trouble that begins anew has a message of its own, with its own link.
    let calls = deliver(&slack, message(3, LOST, &known), &mut references).await;
    assert!(calls == ["root"] && references["root"] != known["root"], "{references:?}");
}

#[tokio::test]
async fn a_test_message_has_a_link_that_names_it() {
    let emulator = Emulator::start().await;
    let said = emulator.slack("spark-incidents", TOKEN).test(SystemClock.now()).await.expect("sent");
    let history = emulator.ask("conversations.list", &[]).await;
    let id = history["channels"][0]["id"].as_str().expect("an id");
    let newest = emulator.ask("conversations.history", &[("channel", id), ("limit", "1")]).await;
    let ts = newest["messages"][0]["ts"].as_str().expect("a time").replace('.', "");
    assert!(said.contains(&format!("/archives/{id}/p{ts}")), "{said} {newest}");
    // The emulator takes whoever spoke in a channel for its members.
    let found = emulator.slack("#spark-incidents", &emulator.token_of_a_member()).check().await;
    assert!(found.as_ref().is_ok_and(|found| found.iter().any(|line| line.contains(id))), "{found:?}");
    let outside = emulator.slack("#spark-incidents", TOKEN).check().await;
    assert!(matches!(&outside, Err(SendError::Refused { error }) if error.contains("invite")), "{outside:?}");
}

#[tokio::test]
async fn a_message_that_is_gone_is_posted_anew() {
    let emulator = Emulator::start().await;
    let slack = emulator.slack("#spark-incidents", TOKEN);
    let mut references = References::new();
    deliver(&slack, message(1, LOST, &references), &mut references).await;
    references.insert("root".to_owned(), "1788253200.000009".to_owned());
    let known = references.clone();
    let calls = deliver(&slack, message(2, NoticeFact::WatchdogBack, &known), &mut references).await;
    assert_eq!(calls, ["update", "reply"]);
    let (channel, ts) = first(&references);
    assert_ne!(ts, known["root"]);
    let thread = emulator.ask("conversations.replies", &[("channel", channel), ("ts", ts)]).await;
    assert_eq!(thread["messages"].as_array().map(Vec::len), Some(2), "{thread}");
}

#[tokio::test]
async fn what_no_retry_can_mend_is_refused_with_the_reason() {
    let emulator = Emulator::start().await;
    let nothing = References::new();
    for (channel, token, reason) in [
        ("#nowhere", TOKEN, "channel_not_found"),
        ("C0123456789", TOKEN, "channel_not_found"),
        ("#spark-incidents", "xoxb-another", "invalid_auth"),
    ] {
        let slack = emulator.slack(channel, token);
        let sent = slack.send("root", &message(1, LOST, &nothing)).await;
        let Err(SendError::Refused { error }) = sent else { panic!("{channel} {token}: {sent:?}") };
        assert!(error.contains(reason), "{error}");
        let checked = slack.check().await;
        assert!(matches!(checked, Err(SendError::Refused { .. })), "{channel} {token}: {checked:?}");
    }
}
