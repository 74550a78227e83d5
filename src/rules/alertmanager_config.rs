//! The routes to Backstop as objects for the Prometheus operator, which makes Alertmanager's configuration
//! of them.
//!
//! Facts from the operator's source (`pkg/alertmanager/amcfg.go`, 0.85): it puts each object's route before
//! all that the owner has, with `continue: true`, and by default adds `namespace="<the object's>"` to it.

use super::alertmanager::{Matcher, url, wanted};
use crate::config::{Config, RolloutConfig, ServerConfig};

/// What is wrong with the chain itself is people's, past Backstop, whatever labels somebody adds.
const OF_THE_CHAIN: &str = "CanaryNoData|CanaryScrapes.+|Backstop.+|AlertmanagerWebhookFailing";

/// What the objects begin with.
const HEADING: &str = "\
# Made by `backstop rules generate --format alertmanagerconfig`.
# Your Alertmanager (the operator's object) needs:
#   alertmanagerConfigMatcherStrategy: {type: None}
# Else these match alerts of their own namespace alone, and neither the canary's nor the Watchdog's are in it. And
# it may ask for a label by its alertmanagerConfigSelector.
# People: an alert that these match and no other route below the root one reaches nobody but Backstop, not even the
# root's receiver. Give people a route of their own there, such as the last of alert-rules/alertmanager/alertmanager.yml.
# The Secrets are those that the webhook's token and certificate are in, in the namespace of these objects.
";

/// One object for each kind of alerts that Backstop gets, and one for the Watchdog.
///
/// Not one with routes below it: that would take every other alert in, too, and keep it from the owner's
/// root receiver.
#[must_use]
pub fn configuration(config: &Config, rollouts: &[RolloutConfig]) -> String {
    let severity = Matcher::new("severity", "=~", "critical|warning");
    let not_of_the_chain = Matcher::new("alertname", "!~", OF_THE_CHAIN);
    let alerts = wanted(rollouts).into_iter().enumerate().map(|(number, mut matchers)| {
        matchers.extend([severity.clone(), not_of_the_chain.clone()]);
        let name = if number == 0 { "backstop".to_owned() } else { format!("backstop-{}", number + 1) };
        object(config, &name, &matchers, true)
    });
    let watchdog = [Matcher::new("alertname", "=", "Watchdog")];
    let heartbeat = object(config, "backstop-heartbeat", &watchdog, false);
    format!("{HEADING}{}", alerts.chain([heartbeat]).collect::<Vec<_>>().join("---\n"))
}

/// The numbers are those of `alertmanager.yml`, which says why.
fn object(config: &Config, name: &str, matchers: &[Matcher], send_resolved: bool) -> String {
    let matchers: String = matchers.iter().map(matcher).collect();
    format!(
        "apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: backstop
spec:
  route:
    receiver: backstop
    matchers:
{matchers}    groupBy: ['...']
    groupWait: 0s
    groupInterval: 30s
    repeatInterval: 55s
  receivers:
    - name: backstop
      webhookConfigs:
        - url: {url}
          sendResolved: {send_resolved}
          maxAlerts: 0
          httpConfig:
            followRedirects: false
{access}",
        url = url(config),
        access = access(&config.server),
    )
}

fn matcher(matcher: &Matcher) -> String {
    let Matcher { label, operator, value } = matcher;
    // JSON is YAML, whatever is in the text.
    let [operator, value] = [*operator, value].map(serde_json::Value::from);
    format!("      - {{name: {label}, matchType: {operator}, value: {value}}}\n")
}

fn access(server: &ServerConfig) -> String {
    let secret = |name: &str, key: &str| format!("{{name: {name}, key: {key}}}");
    let mut text = String::new();
    if server.webhook_basic_auth.is_some() {
        let [username, password] = ["username", "password"].map(|key| secret("backstop-webhook", key));
        text = format!("            basicAuth: {{username: {username}, password: {password}}}\n");
    } else if !server.webhook_tokens.is_empty() {
        let token = secret("backstop-webhook", "webhook-token");
        text = format!("            authorization: {{type: Bearer, credentials: {token}}}\n");
    }
    // A certificate of a public authority needs no more.
    if server.tls.as_ref().is_some_and(|tls| tls.ca_file.is_some()) {
        let authority = secret("backstop-tls", "ca.crt");
        text = format!("{text}            tlsConfig: {{ca: {{secret: {authority}}}}}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn made(server: &str, matching: &str) -> String {
        let text = format!(
            "[server]\n{server}\n[[rollouts]]\nname = \"checkout\"\n{matching}\n[rollouts.traffic]\nkind = \"feature-flag\"\nurl = \"http://localhost/flag\"\nfeature = \"v1\"\n"
        );
        let config = Config::parse(&text, Path::new("backstop.toml")).expect("valid");
        configuration(&config, &config.rollouts)
    }

    #[test]
    fn a_rollout_that_is_matched_otherwise_has_an_object_of_its_own() {
        let text = made("", "match = { app = \"a\\\"b\" }");
        assert_eq!(text.matches("kind: AlertmanagerConfig").count(), 3, "{text}");
        let own = text.split("---\n").nth(1).expect("a second object");
        assert!(own.contains("name: backstop-2\n"), "{own}");
        assert!(own.contains(r#"{name: app, matchType: "=", value: "a\"b"}"#), "{own}");
        assert!(own.contains(r#"{name: canary_rollback, matchType: "!=", value: "true"}"#), "{own}");
        // Once each: what carries the label goes by the first object alone.
        assert!(!own.contains(r#"matchType: "=", value: "true""#), "{own}");
    }

    #[test]
    fn what_is_wrong_with_the_chain_goes_past_backstop() {
        let text = made("", "");
        let of_alerts = text.split("---\n").next().expect("an object");
        assert!(of_alerts.contains(&format!(r#"matchType: "!~", value: "{OF_THE_CHAIN}""#)), "{of_alerts}");
    }

    #[test]
    fn alertmanager_presents_what_the_webhook_asks_for_and_trusts_what_it_presents() {
        let open = made("", "");
        assert!(!open.contains("authorization") && !open.contains("basicAuth"), "{open}");
        assert!(!open.contains("tlsConfig"), "{open}");
        let token = made("auth.webhook_token_files = [\"t\"]", "");
        assert!(token.contains("credentials: {name: backstop-webhook, key: webhook-token}"), "{token}");
        let basic = made("auth.webhook_basic_auth = { username = \"a\", password_file = \"p\" }", "");
        assert!(basic.contains("password: {name: backstop-webhook, key: password}"), "{basic}");
        let tls = "tls.cert_file = \"c\"\ntls.key_file = \"k\"";
        assert!(!made(tls, "").contains("tlsConfig"), "a public authority");
        let own = made(&format!("{tls}\ntls.ca_file = \"a\""), "");
        assert!(own.contains("tlsConfig: {ca: {secret: {name: backstop-tls, key: ca.crt}}}"), "{own}");
    }
}
