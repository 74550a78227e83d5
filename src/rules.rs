//! The PromQL rules that fire, made from the configuration: which series are a rollout's, and which
//! labels its alerts carry, stand there once.
//!
//! The files in `alert-rules/` are what this makes of the default configuration. Thresholds, windows
//! and durations are the protocol's; what is added is the judgement (see [`crate::promql`]).

pub mod alertmanager;
pub mod alertmanager_config;
pub mod group;
pub mod recorded;
pub mod triggers;
pub mod unit_tests;
pub mod watch;

use group::Group;

use crate::config::{Config, RolloutConfig};

/// The label by which Alertmanager's routes know an alert that leads to a rollback.
pub const ROLLS_BACK: (&str, &str) = ("canary_rollback", "true");

/// Labels that alerts get from their series or their rule; an alert can't be matched by them, too.
const TAKEN: &[&str] = &["alertname", "severity", "database", "user", "input"];

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
# The protocol's warning triggers: Backstop opens a grace and decides at its end.
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
        let groups = if self.groups.is_empty() { " []\n" } else { "\n" };
        format!("{}groups:{groups}{}", self.heading, self.groups)
    }
}

fn all(rollouts: &[RolloutConfig], one: impl Fn(&RolloutConfig) -> Group) -> String {
    let groups = rollouts.iter().map(one).filter(|group| !group.rules.is_empty());
    groups.map(|group| group.to_string()).collect::<Vec<_>>().join("\n")
}

/// Why no rules can be made for a rollout; none where they can.
#[must_use]
pub fn unfit(rollout: &RolloutConfig) -> Option<String> {
    let name = &rollout.name;
    rollout.matching.iter().find_map(|(label, value)| {
        if TAKEN.contains(&label.as_str()) {
            let words = "its alerts get that label from their series or rule: leave it out of match";
            return Some(format!("{name} is matched by the label {label}, and {words}"));
        }
        let is_template = value.contains("{{");
        is_template.then(|| {
            format!("{name} is matched by {label} = {value:?}, which Prometheus would read as a template")
        })
    })
}

fn groups(rollouts: &[RolloutConfig]) -> String {
    let groups = files(rollouts).into_iter().map(|file| file.groups).filter(|groups| !groups.is_empty());
    groups.collect::<Vec<_>>().join("\n")
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
    format!("# Made by `backstop rules generate`.\ngroups:\n{}", groups(rollouts))
}

/// The same as an object for the Prometheus operator.
#[must_use]
pub fn prometheus_rule(config: &Config, rollouts: &[RolloutConfig]) -> String {
    let name = match rollouts {
        [only] if config.rollouts.len() > 1 => format!("backstop-{}", only.name),
        _ => "backstop".to_owned(),
    };
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
    for line in groups(rollouts).lines() {
        if !line.is_empty() {
            text.push_str("  ");
            text.push_str(line);
        }
        text.push('\n');
    }
    text
}
