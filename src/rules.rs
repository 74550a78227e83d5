//! The PromQL rules that fire, made from the configuration: which series are a rollout's, and which
//! labels its alerts carry, stand there once.
//!
//! The files in `alert-rules/` are what this makes of the default configuration. Thresholds, windows
//! and durations are the protocol's; what is added is the judgement (see [`promql`]).

pub mod alertmanager;
pub mod group;
pub mod promql;
pub mod recorded;
pub mod triggers;
pub mod unit_tests;
pub mod watch;

use group::Group;

use crate::config::{Config, RolloutConfig};

/// The rules on Backstop itself, which depend on nothing that is configured.
const OWN: &str = include_str!("rules/own.yml");

/// What a critical file begins with.
const CRITICAL: &str = "\
# The protocol's critical triggers: Backstop rolls the canary back at once.
# Made by `backstop rules generate`; change the configuration, not this file.
# Recorded first: how many requests there were, how many of them were bad, and what their share surely
# exceeds. Alerts then begin with the value that is compared; Backstop takes the threshold off to read it.
";

/// What a warning file begins with.
const WARNING: &str = "\
# The protocol's warning triggers: Backstop opens a grace of five minutes and decides at its end.
# Made by `backstop rules generate`; change the configuration, not this file.
# No `for`: Prometheus forgets it on a restart, Backstop's stored deadline is not forgotten. The short
# window ends an alert soon after its trouble, so that what recovers within the grace is not rolled back.
";

/// What the file of the other rules begins with.
const BACKSTOP: &str = "\
# The chain's own health, and canaries that can't be judged: none of these rolls anything back.
# Made by `backstop rules generate`; change the configuration, not this file.
";

/// One file of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its name, such as `critical.yml`.
    pub name: &'static str,
    /// Its comment of some lines.
    pub heading: &'static str,
    /// Its groups as YAML, each beginning with `  - name:`.
    pub groups: String,
}

impl RuleFile {
    /// The file as Prometheus reads it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}groups:\n{}", self.heading, self.groups)
    }
}

fn all(rollouts: &[RolloutConfig], one: impl Fn(&RolloutConfig) -> Group) -> String {
    rollouts.iter().map(|rollout| one(rollout).to_string()).collect::<Vec<_>>().join("\n")
}

/// The three files for these rollouts.
#[must_use]
pub fn files(rollouts: &[RolloutConfig]) -> Vec<RuleFile> {
    vec![
        RuleFile { name: "critical.yml", heading: CRITICAL, groups: all(rollouts, triggers::critical) },
        RuleFile { name: "warning.yml", heading: WARNING, groups: all(rollouts, triggers::warning) },
        RuleFile {
            name: "backstop.yml",
            heading: BACKSTOP,
            groups: format!("{OWN}\n{}", all(rollouts, watch::watch)),
        },
    ]
}

/// All of them in one text, for one file or a pipe.
#[must_use]
pub fn prometheus(rollouts: &[RolloutConfig]) -> String {
    let groups: Vec<_> = files(rollouts).into_iter().map(|file| file.groups).collect();
    format!("# Made by `backstop rules generate`.\ngroups:\n{}", groups.join("\n"))
}

/// The same as an object for the Prometheus operator.
#[must_use]
pub fn prometheus_rule(config: &Config, rollouts: &[RolloutConfig]) -> String {
    let name = match rollouts {
        [only] if config.rollouts.len() > 1 => format!("backstop-{}", only.name),
        _ => "backstop".to_owned(),
    };
    let groups: Vec<_> = files(rollouts).into_iter().map(|file| file.groups).collect();
    let mut text = format!(
        "# Made by `backstop rules generate`. Your Prometheus may ask for a label by its ruleSelector.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: backstop
spec:
  groups:
"
    );
    for line in groups.join("\n").lines() {
        if !line.is_empty() {
            text.push_str("  ");
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}
