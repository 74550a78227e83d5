//! Socket Mode: clicks over a connection that this side opens, and opens again for ever.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use super::clicks::{Clicks, Taken};
use crate::config::SlackConfig;
use crate::metrics::Metrics;
use crate::notification::slack::{Api, Connection, SocketMode, kind};

/// How often the other side is asked whether it lives. A connection that is dead and looks alive is what
/// clients of Socket Mode suffer from most (reference notes on notifications, section 1.5).
const PING_EVERY: Duration = Duration::from_secs(15);

/// How long it may be silent: three questions without an answer.
const SILENT_FOR: Duration = Duration::from_secs(45);

/// How long opening may take, from the first request on.
const OPENING: Duration = Duration::from_secs(20);

/// The pause before it is opened again, doubling from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Keeps a connection open.
#[derive(Debug, Clone)]
pub(super) struct Socket {
    mode: SocketMode,
    clicks: Clicks,
    metrics: Metrics,
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// Slack asks for another one: it closes each after some hours.
    Renew,
    /// For this reason.
    Broken(String),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow, default)]
    envelope_id: Option<&'a str>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

impl Socket {
    pub(super) fn new(config: &SlackConfig, api: Api, clicks: Clicks, metrics: Metrics) -> Self {
        Self { mode: SocketMode::new(config, api), clicks, metrics }
    }

    /// Keeps a connection open until `stop`. Nothing else ends it: without it nobody can press a button,
    /// and everything else goes on.
    pub(super) async fn run(self, stop: CancellationToken) {
        // From now on something should be heard.
        self.metrics.socket_heard();
        let mut pause = FIRST_PAUSE;
        loop {
            let (mut task, socket) = (JoinSet::new(), self.clone());
            // A task of its own: a panic harms only its own connection.
            task.spawn(async move { socket.connect().await });
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                ended = task.join_next() => ended,
            };
            let (end, was_open) = match ended {
                Some(Ok(ended)) => ended,
                Some(Err(_)) | None => {
                    self.metrics.task_panicked();
                    (End::Broken("it broke off here; please report it".to_owned()), false)
                }
            };
            pause = if was_open { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            match end {
                End::Renew if was_open => continue,
                End::Renew => {}
                End::Broken(why) => {
                    tracing::warn!(why, "Slack's Socket Mode is not open; it is opened again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One connection, from opening to its end; and whether Slack has greeted on it.
    async fn connect(self) -> (End, bool) {
        match self.mode.open(Instant::now() + OPENING).await {
            Ok(connection) => self.listen(connection).await,
            Err(trouble) => (End::Broken(trouble.to_string()), false),
        }
    }

    async fn listen(self, mut connection: Connection) -> (End, bool) {
        let (mut heard_at, mut is_greeted) = (Instant::now(), false);
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frame = tokio::select! {
                frame = connection.next() => frame,
                _ = ping.tick() => {
                    if heard_at.elapsed() >= SILENT_FOR {
                        let why = format!("nothing came for {} s", SILENT_FOR.as_secs());
                        return (End::Broken(why), is_greeted);
                    }
                    match connection.send(Message::Ping(Default::default())).await {
                        Ok(()) => continue,
                        Err(error) => return (End::Broken(kind(&error)), is_greeted),
                    }
                }
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return (End::Broken(kind(&error)), is_greeted),
                None => return (End::Broken("it was closed".to_owned()), is_greeted),
            };
            heard_at = Instant::now();
            self.metrics.socket_heard();
            let Message::Text(text) = frame else { continue };
            match self.heard(&text, &mut is_greeted) {
                Heard::Nothing => {}
                Heard::Renew => return (End::Renew, is_greeted),
                Heard::Acknowledge(id) => {
                    let answer = serde_json::json!({ "envelope_id": id }).to_string();
                    if let Err(error) = connection.send(Message::text(answer)).await {
                        return (End::Broken(kind(&error)), is_greeted);
                    }
                }
            }
        }
    }

    fn heard(&self, text: &str, is_greeted: &mut bool) -> Heard {
        let Ok(envelope) = serde_json::from_str::<Envelope<'_>>(text) else { return Heard::Nothing };
        match (envelope.kind, envelope.payload) {
            ("hello", _) => {
                *is_greeted = true;
                tracing::info!("Slack's Socket Mode is open");
                return Heard::Nothing;
            }
            ("disconnect", _) => return Heard::Renew,
            ("interactive", Some(payload)) => {
                // Not acknowledged: Slack tells the user that it did not work.
                if self.clicks.take(payload.get()) == Taken::Overloaded {
                    return Heard::Nothing;
                }
            }
            // Acknowledged all the same, or Slack sends it again and again.
            _ => self.metrics.click(crate::metrics::ClickOutcome::Ignored),
        }
        envelope.envelope_id.map_or(Heard::Nothing, |id| Heard::Acknowledge(id.to_owned()))
    }
}

/// What follows from a message.
enum Heard {
    Nothing,
    Renew,
    Acknowledge(String),
}
