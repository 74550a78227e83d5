//! Alertmanager's routes to Backstop, and past it to people.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, RolloutConfig, ServerConfig};

/// All that doesn't depend on the configuration, with marks for what does.
const TEXT: &str = include_str!("alertmanager.yml");

/// The label of the shipped rules by which an alert is known to lead to a rollback.
const ROLLS_BACK: (&str, &str) = ("canary_rollback", "true");

/// A whole configuration for Alertmanager: people's receivers are examples.
#[must_use]
pub fn configuration(config: &Config, rollouts: &[RolloutConfig]) -> String {
    TEXT.replace("@ROUTES@", &routes(rollouts))
        .replace(
            "@URL@",
            &format!("{}/api/v1/alertmanager", config.server.external_url.trim_end_matches('/')),
        )
        .replace("@AUTHORIZATION@", &authorization(&config.server))
}

/// Criticals and warnings apart, so that people get them by their urgency.
fn routes(rollouts: &[RolloutConfig]) -> String {
    // By that label alone where they all have it: an alert whose rollout is misspelt then still
    // reaches Backstop, which counts and logs it.
    let all: BTreeSet<BTreeMap<&str, &str>> = rollouts
        .iter()
        .map(|rollout| {
            let labels = rollout.matching.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let whole: BTreeMap<_, _> = labels.collect();
            if whole.get(ROLLS_BACK.0) == Some(&ROLLS_BACK.1) { BTreeMap::from([ROLLS_BACK]) } else { whole }
        })
        .collect();
    let severities = ["critical", "warning"];
    all.iter().flat_map(|labels| severities.iter().map(move |severity| route(labels, severity))).collect()
}

fn route(labels: &BTreeMap<&str, &str>, severity: &str) -> String {
    let matchers = labels.iter().map(|(name, value)| (*name, *value)).chain([("severity", severity)]);
    // Single-quoted YAML around a double-quoted value: a quote in it is doubled.
    let matchers: Vec<_> = matchers
        .map(|(name, value)| format!("'{}'", format!("{name}={value:?}").replace('\'', "''")))
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
