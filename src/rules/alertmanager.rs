//! Alertmanager's routes to Backstop, and past it to people.

use std::collections::BTreeSet;
use std::fmt;

use super::ROLLS_BACK;
use crate::config::{Config, RolloutConfig, ServerConfig, quoted};

/// All that doesn't depend on the configuration, with marks for what does.
const TEXT: &str = include_str!("alertmanager.yml");

/// A whole configuration for Alertmanager: people's receivers are examples.
#[must_use]
pub fn configuration(config: &Config, rollouts: &[RolloutConfig]) -> String {
    TEXT.replace("@ROUTES@", &routes(rollouts))
        .replace("@URL@", &url(config))
        .replace("@AUTHORIZATION@", &authorization(&config.server))
}

pub(super) fn url(config: &Config) -> String {
    format!("{}/api/v1/alertmanager", config.server.external_url.trim_end_matches('/'))
}

/// One condition of a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Matcher {
    pub(super) label: String,
    /// `=`, `!=`, `=~` or `!~`.
    pub(super) operator: &'static str,
    pub(super) value: String,
}

impl Matcher {
    pub(super) fn new(label: &str, operator: &'static str, value: &str) -> Self {
        Self { label: label.to_owned(), operator, value: value.to_owned() }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.label, self.operator, quoted(&self.value))
    }
}

/// Which alerts go to Backstop, beside their severity: those that match all of one of these.
///
/// By the label that all generated alerts carry: one whose rollout is misspelt then still reaches
/// Backstop, which counts and logs it. A rollout that is matched without it may have alerts of its
/// owner's making, too.
pub(super) fn wanted(rollouts: &[RolloutConfig]) -> Vec<Vec<Matcher>> {
    let (name, value) = ROLLS_BACK;
    let matched_otherwise =
        rollouts.iter().filter(|rollout| rollout.matching.get(name).is_none_or(|own| own != value));
    let others = matched_otherwise.map(|rollout| {
        let labels = rollout.matching.iter().map(|(label, value)| Matcher::new(label, "=", value));
        labels.chain([Matcher::new(name, "!=", value)]).collect()
    });
    let others: BTreeSet<Vec<Matcher>> = others.collect();
    [vec![Matcher::new(name, "=", value)]].into_iter().chain(others).collect()
}

/// Criticals and warnings apart, so that people get them by their urgency.
fn routes(rollouts: &[RolloutConfig]) -> String {
    let all = wanted(rollouts);
    all.iter()
        .flat_map(|matchers| ["critical", "warning"].map(|severity| route(matchers, severity)))
        .collect()
}

fn route(matchers: &[Matcher], severity: &str) -> String {
    let severity = Matcher::new("severity", "=", severity);
    // Single-quoted YAML around a double-quoted value: a quote in it is doubled.
    let matchers: Vec<_> = matchers
        .iter()
        .chain([&severity])
        .map(|one| format!("'{}'", one.to_string().replace('\'', "''")))
        .collect();
    format!(
        "    - receiver: backstop
      matchers: [{}]
      group_by: ['...']
      group_wait: 0s
      group_interval: 30s
      repeat_interval: 55s
      continue: true
",
        matchers.join(", ")
    )
}

fn authorization(server: &ServerConfig) -> String {
    match &server.webhook_basic_auth {
        Some(basic) => format!(
            "          basic_auth:
            username: {}
            password_file: /etc/alertmanager/secrets/backstop-password
",
            serde_json::Value::from(basic.username.as_str())
        ),
        None if server.webhook_tokens.is_empty() => String::new(),
        None => "          authorization:
            type: Bearer
            # Read on every request, so a new token needs no reload.
            credentials_file: /etc/alertmanager/secrets/backstop-token
"
        .to_owned(),
    }
}
