//! Backstop with every channel configured, and one server that plays all of their other sides.

use backstop::demo::people::People;
use backstop::demo::people::pagerduty::{Alert, AlertState, ROUTING_KEY};
use backstop::demo::people::slack::Thread;
use backstop::demo::people::slack::{BOT_TOKEN, SIGNING_SECRET};
use backstop::demo::people::statuspage::{API_KEY, COMPONENTS, PAGE};
use backstop::demo::trading_api::TradingApi;
use tokio::process::Child;

use crate::support::{MATCH, PATIENCE, Site, body, now, rollout_toml};

pub(crate) const CHANNEL: &str = "spark-incidents";

/// Who may press every button.
pub(crate) const OPERATOR: &str = "U0ANA";

pub(crate) const WEBHOOK_SECRET: &str = "webhook-signing-secret-of-the-test";
pub(crate) const TEAMS_SECRET: &str = "teams-signature-of-the-test";
pub(crate) const GRAFANA_TOKEN: &str = backstop::demo::people::grafana::TOKEN;

pub(crate) struct World {
    pub(crate) api: TradingApi,
    pub(crate) people: People,
    pub(crate) site: Site,
    server: Option<Child>,
}

/// The sections of every channel.
fn sections(people: &People) -> String {
    format!(
        "[alertmanager]
poll_interval = \"1s\"
[notifications]
environment = \"test\"
[slack]
token_file = \"slack-token\"
channel = \"#{CHANNEL}\"
api_url = \"{slack}\"
signing_secret_file = \"slack-signing\"
operators = [\"{OPERATOR}\"]
[pagerduty]
routing_key_file = \"pagerduty-key\"
url = \"{base}\"
[status_page]
url = \"{base}\"
page_id = \"{PAGE}\"
service = \"Trading\"
components = [\"{component}\"]
bearer_token_file = \"status-key\"
[grafana]
url = \"{base}\"
bearer_token_file = \"grafana-token\"
[webhook]
url = \"{webhook}\"
secret_file = \"webhook-signing\"
[teams]
url_file = \"teams-url\"
",
        slack = people.url("/slack/api"),
        base = people.url(""),
        webhook = people.url("/webhook/backstop"),
        component = COMPONENTS[0],
    )
}

impl World {
    /// Everything, with a canary at 25 % that was read.
    pub(crate) async fn start(grace: &str) -> Self {
        let mut world = Self::set(grace).await;
        world.serve().await;
        world
    }

    /// The same without the server.
    pub(crate) async fn set(grace: &str) -> Self {
        let api = TradingApi::start(25, 10).await.expect("started");
        let people = People::start().await.expect("a free port");
        people.slack().add_user(OPERATOR, "ana");
        people.slack().add_user("U0STRANGER", "eve");
        let site = Site::new(&sections(&people), &rollout_toml("spark-trading", MATCH, grace, &api));
        let teams = people.url(&format!("/teams/workflows/1?sig={TEAMS_SECRET}"));
        for (name, secret) in [
            ("slack-token", BOT_TOKEN),
            ("slack-signing", SIGNING_SECRET),
            ("pagerduty-key", ROUTING_KEY),
            ("status-key", API_KEY),
            ("grafana-token", GRAFANA_TOKEN),
            ("webhook-signing", WEBHOOK_SECRET),
            ("teams-url", &teams),
        ] {
            std::fs::write(site.folder.path().join(name), secret).expect("written");
        }
        Self { api, people, site, server: None }
    }

    pub(crate) async fn serve(&mut self) {
        self.serve_at(25).await;
    }

    /// Starts the server where the canary has this share.
    pub(crate) async fn serve_at(&mut self, share: u8) {
        self.server_again().await;
        self.site.share_read(share).await;
    }

    pub(crate) async fn server_again(&mut self) {
        self.server = Some(self.site.spawn().await);
    }

    pub(crate) async fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().await.expect("killed");
        }
    }

    pub(crate) async fn stop(mut self) {
        self.kill().await;
    }

    pub(crate) async fn post(&self, body: &str) {
        assert_eq!(self.site.post(body.to_owned()).await, 200);
    }

    /// Waits until the message of the newest incident says this.
    pub(crate) async fn thread_says(&self, text: &str) -> Thread {
        self.thread_that(text, |thread| thread.root.current().text.contains(text)).await
    }

    /// Waits until this was said, in any version of the message or below it.
    pub(crate) async fn history_says(&self, text: &str) -> Thread {
        let says = |thread: &Thread| {
            let mut posts = std::iter::once(&thread.root).chain(&thread.replies);
            posts.any(|post| post.versions.iter().any(|version| version.text.contains(text)))
        };
        self.thread_that(text, says).await
    }

    /// Waits until this was said below the message.
    pub(crate) async fn reply_says(&self, text: &str) -> Thread {
        let says = |thread: &Thread| thread.replies.iter().any(|reply| reply.current().text.contains(text));
        self.thread_that(text, says).await
    }

    async fn thread_that(&self, text: &str, wanted: impl Fn(&Thread) -> bool) -> Thread {
        let says = |people: &People| people.slack().threads(CHANNEL).pop().filter(|thread| wanted(thread));
        let found = self.people.wait_until(&format!("{text:?} in Slack"), PATIENCE, says).await;
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.people.slack().transcript(CHANNEL)))
    }

    /// Waits until PagerDuty has one alert, which stands so.
    pub(crate) async fn page_is(&self, state: AlertState) -> Alert {
        let is = |people: &People| {
            let alerts = people.pagerduty().alerts;
            assert!(alerts.len() <= 1, "one page for one revision: {alerts:?}");
            alerts.into_iter().find(|alert| alert.state == state)
        };
        self.people.wait_until("the page", PATIENCE, is).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until the status page's last word is this status.
    pub(crate) async fn status_says(&self, status: &str) {
        let says = |people: &People| {
            let incidents = people.statuspage().incidents;
            incidents.last().filter(|incident| incident.status == status).map(|_| ())
        };
        let found = self.people.wait_until("the status page", PATIENCE, says).await;
        found.unwrap_or_else(|error| panic!("{error}\n{:?}", self.people.statuspage().incidents));
    }
}

pub(crate) fn critical(name: &str) -> String {
    body(name, "critical", &now(), None)
}

pub(crate) fn warning(name: &str) -> String {
    body(name, "warning", &now(), None)
}
