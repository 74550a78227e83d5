//! A Backstop with an incident in grace, shown in a fake Slack.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::build;
use crate::clock::SteppedClock;
use crate::config::Config;
use crate::decision::Input;
use crate::incident::fixtures::firing;
use crate::incident::{Deliveries, Event, Incident, RolloutName, StoredAs};
use crate::notification::slack::tests::fake::Fake;
use crate::pipeline::{Submission, Worker};
use crate::store::{Batch, IncidentStore, MemoryStore};
use crate::web::slack::Interactions;

/// When every scene begins.
pub(super) const START: &str = "2026-11-24T03:00:00Z";

const SECRET: &str = "not-a-real-signing-secret";

/// A condition that is waited for, for so long at most.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub(super) struct Scene {
    pub(super) fake: Fake,
    pub(super) worker: Worker,
    pub(super) store: MemoryStore,
    pub(super) stop: CancellationToken,
    router: Router,
    clicked: std::cell::Cell<u32>,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// With lines of `[slack]` beside the token, the secret and the address; an incident is in its grace.
    pub(super) async fn with(slack: &str) -> Self {
        let scene = Self::after((slack, ""), Vec::new()).await;
        scene.warn().await;
        scene
    }

    /// After these events, which an earlier process has stored; with more lines of `[rollouts.traffic]`, too.
    pub(super) async fn after((slack, traffic): (&str, &str), events: Vec<StoredAs>) -> Self {
        let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
        let (fake, folder) = (Fake::start().await, tempfile::tempdir().expect("a folder"));
        for (name, text) in [("token", "xoxb-not-a-real-one"), ("signing", SECRET), ("app-token", "xapp-x")] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        let text = format!(
            "[slack]\ntoken_file = \"token\"\napi_url = \"{}\"\n{slack}\n[[rollouts]]\nname = \"spark-trading\"\n\
             [rollouts.traffic]\nkind = \"feature-flag\"\nurl = \"http://127.0.0.1:1/\"\nfeature = \"v1.4.0\"\n\
             {traffic}\n",
            fake.url
        );
        let config = Config::parse(&text, &folder.path().join("backstop.toml")).expect("valid");
        config.look_at_secrets();
        let store = MemoryStore::default();
        let batch = Batch { expected_seq: 0, events, blobs: Vec::new() };
        store.append(batch).await.expect("stored");
        let kept: Arc<dyn IncidentStore> = Arc::new(store.clone());
        let at = START.parse().expect("a time");
        let parts = build(&config, kept, Arc::new(SteppedClock::starting_at(at))).await.expect("built");
        let slack = config.people.slack.as_ref().expect("Slack");
        let interactions = Interactions::new(slack, parts.worker.clone()).expect("built");
        let (router, stop, mut tasks) = (interactions.router(), CancellationToken::new(), JoinSet::new());
        tasks.spawn(parts.journal_task.run(CancellationToken::new()));
        tasks.spawn(parts.worker.clone().run(stop.clone(), Duration::ZERO));
        tasks.spawn(interactions.run(stop.clone()));
        let clicked = std::cell::Cell::new(0);
        Self { fake, worker: parts.worker, store, stop, router, clicked, _tasks: tasks, _folder: folder }
    }

    /// Ana may press every button.
    pub(super) async fn new() -> Self {
        Self::with("signing_secret_file = \"signing\"\noperators = [\"U0ANA\"]").await
    }

    async fn warn(&self) {
        let now = self.worker.clock.now();
        let alert = firing("f", &[("alertname", "Latency"), ("severity", "warning")], now);
        let inputs = vec![(rollout(), Input::Alert { alert, body: None })];
        let receipt = self.worker.journal.report(Submission { inputs, blobs: Vec::new() }).await;
        assert!(receipt.expect("taken").durable);
        let is_shown = || self.incident().deliveries.is_settled();
        until("the message is posted", is_shown).await;
    }

    pub(super) fn incident(&self) -> Arc<Incident> {
        let states = self.worker.journal.states();
        Arc::clone(states[&rollout()].incident.as_ref().expect("an incident"))
    }

    pub(super) fn phase(&self) -> &'static str {
        self.incident().phase.name()
    }

    pub(super) fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.store.events().iter().filter(|stored| is_it(&stored.event)).count()
    }

    /// What Slack posts when somebody presses a button of the incident's message.
    pub(super) fn click(&self, user: &str, action: &str) -> Value {
        let incident = self.incident();
        self.click_below(&incident.deliveries, user, (action, incident.id.as_str()))
    }

    /// The same of a message about the subject of these deliveries.
    pub(super) fn click_below(
        &self,
        deliveries: &Deliveries,
        user: &str,
        (action, value): (&str, &str),
    ) -> Value {
        let references = &deliveries.queues.values().next().expect("a queue").references;
        self.clicked.set(self.clicked.get() + 1);
        json!({
            "type": "block_actions", "api_app_id": "A0", "team": null,
            "user": { "id": user, "username": user.trim_start_matches("U0").to_lowercase() },
            "container": { "channel_id": references["channel"], "message_ts": references["root"] },
            "response_url": "https://hooks.slack.com/actions/s3cret",
            "actions": [{
                "action_id": action, "value": value,
                "action_ts": format!("1790000000.{:06}", self.clicked.get()),
            }],
        })
    }

    /// Signs a body as Slack does, with its time so many seconds from now.
    pub(super) fn signed(&self, body: &str, seconds: i64, secret: &str) -> Request<Body> {
        let timestamp = (self.worker.clock.now().timestamp() + seconds).to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
        mac.update(format!("v0:{timestamp}:{body}").as_bytes());
        let hash = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Request::post("/slack/interactions")
            .header("x-slack-request-timestamp", timestamp)
            .header("x-slack-signature", format!("v0={hash}"))
            .body(Body::from(body.to_owned()))
            .expect("a request")
    }

    pub(super) async fn send(&self, request: Request<Body>) -> StatusCode {
        self.router.clone().oneshot(request).await.expect("answered").status()
    }

    pub(super) async fn post_body(&self, body: &str) -> StatusCode {
        self.send(self.signed(body, 0, SECRET)).await
    }

    pub(super) async fn post(&self, payload: &Value) -> StatusCode {
        self.post_body(&encoded(payload)).await
    }

    /// Posts a click, and waits until it was acted upon.
    pub(super) async fn press(&self, user: &str, action: &str) {
        self.press_as(&self.click(user, action)).await;
    }

    pub(super) async fn press_as(&self, click: &Value) {
        let before = self.acted_upon();
        assert_eq!(self.post(click).await, StatusCode::OK);
        until("the click is acted upon", || self.acted_upon() > before).await;
    }

    fn acted_upon(&self) -> u64 {
        ["done", "refused", "not_permitted", "failed"].iter().map(|outcome| self.clicks(outcome)).sum()
    }

    /// How many clicks came out so.
    pub(super) fn clicks(&self, outcome: &str) -> u64 {
        let rendered = self.worker.metrics.render();
        let start = format!("backstop_slack_clicks_total{{outcome=\"{outcome}\"}} ");
        let line = rendered.lines().find_map(|line| line.strip_prefix(&start));
        line.expect("exported").parse().expect("a number")
    }

    /// What a user was told privately, once there are so many texts.
    pub(super) async fn told(&self, user: &str, texts: usize) -> Vec<String> {
        let told = || {
            let asked = self.fake.asked("chat.postEphemeral");
            let of_user = asked.iter().filter(|body| body["user"] == user);
            of_user.map(|body| body["text"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
        };
        until("the user is told", || told().len() >= texts).await;
        told()
    }
}

pub(super) fn rollout() -> RolloutName {
    RolloutName::new("spark-trading")
}

pub(super) fn encoded(payload: &Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("payload", &payload.to_string()).finish()
}
