//! Whether Prometheus has the rules by which a rollout is rolled back.

use std::collections::BTreeSet;

use crate::config::RolloutConfig;
use crate::finding::{Check, Finding};
use crate::rules::group::{Kind, Rule};
use crate::rules::triggers;
use crate::signals::AlertRule;
use crate::text::kept;

/// Compares what is loaded with what `rules generate` makes. Rules that somebody wrote otherwise are fine,
/// as long as their alerts belong to the rollout.
pub(super) fn judged(check: Check<'_>, rollout: &RolloutConfig, loaded: &[AlertRule]) -> Vec<Finding> {
    let ours: Vec<_> = loaded.iter().filter(|rule| belongs(rule, rollout)).collect();
    let load = format!(
        "Load them: backstop rules generate --rollout {} > rules.yml, name that in rule_files, and reload Prometheus.",
        rollout.name
    );
    if ours.is_empty() {
        let message = "Prometheus has no alerting rule whose alerts belong to this rollout: nothing would ever roll it back by itself.";
        return vec![check.error(message, load)];
    }
    let mut found = Vec::new();
    let broken: Vec<_> = ours.iter().filter(|rule| !rule.is_healthy).map(|rule| kept(&rule.name)).collect();
    if !broken.is_empty() {
        found.push(check.error(
            format!("Prometheus can't evaluate {}: what it is to see goes unseen.", broken.join(", ")),
            "See Status > Rule health in Prometheus for the error.",
        ));
    }
    let names: BTreeSet<_> = ours.iter().map(|rule| rule.name.as_str()).collect();
    let missing: Vec<_> = expected(rollout).into_iter().filter(|name| !names.contains(name)).collect();
    if missing.is_empty() {
        found.push(check.fine(format!("Prometheus has all {} of the rollout's rules.", ours.len())));
    } else {
        found.push(check.warning(
            format!(
                "Prometheus has no rule {} for this rollout, which `rules generate` makes.",
                missing.join(", ")
            ),
            load,
        ));
    }
    found
}

/// Its alerts may carry the labels by which alerts belong to the rollout: it sets some of them, and none
/// to something else. The rest may come from the series.
fn belongs(rule: &AlertRule, rollout: &RolloutConfig) -> bool {
    let set = || rollout.matching.iter().filter_map(|(name, value)| Some((rule.labels.get(name)?, value)));
    set().count() > 0 && set().all(|(own, wanted)| own == wanted)
}

fn expected(rollout: &RolloutConfig) -> Vec<&'static str> {
    let rules =
        [triggers::critical(rollout), triggers::warning(rollout)].into_iter().flat_map(|group| group.rules);
    let names = rules.filter_map(|Rule { kind, .. }| match kind {
        Kind::Alert(name) => Some(name),
        Kind::Record(_) => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::finding::{Area, Severity};

    fn rollout() -> RolloutConfig {
        let text = "[[rollouts]]\nname = \"spark-trading\"\n[rollouts.traffic]\nkind = \"feature-flag\"\n\
                    url = \"http://localhost/flags\"\nfeature = \"v1.4.0\"\n";
        Config::parse(text, Path::new("backstop.toml")).expect("valid").rollouts.remove(0)
    }

    fn rule(name: &str, rollout: &RolloutConfig) -> AlertRule {
        AlertRule {
            name: name.to_owned(),
            query: "x > 1".to_owned(),
            labels: rollout.matching.clone(),
            is_healthy: true,
            last_evaluation: None,
            active: Vec::new(),
        }
    }

    fn all(rollout: &RolloutConfig) -> Vec<AlertRule> {
        expected(rollout).iter().map(|name| rule(name, rollout)).collect()
    }

    #[test]
    fn no_rule_is_an_error_and_a_missing_one_a_warning_that_names_it() {
        let rollout = rollout();
        let check = Check::new(Area::Prometheus, &rollout.name, "rules");
        let judged = |loaded: &[AlertRule]| judged(check, &rollout, loaded);
        let whole = all(&rollout);
        assert_eq!(judged(&whole)[0].severity, Severity::Fine);
        assert_eq!(judged(&[])[0].severity, Severity::Error);
        let mut of_others = whole.clone();
        of_others.iter_mut().for_each(|rule| {
            rule.labels.insert("rollout".to_owned(), "another".to_owned());
        });
        assert_eq!(judged(&of_others)[0].severity, Severity::Error, "another rollout's");
        let mut by_series = whole.clone();
        by_series.iter_mut().for_each(|rule| drop(rule.labels.remove("rollout")));
        assert_eq!(judged(&by_series)[0].severity, Severity::Fine, "the series may carry the rest");
        let without: Vec<_> = whole.iter().filter(|rule| rule.name != "CspViolationStorm").cloned().collect();
        let found = judged(&without);
        assert_eq!((found.len(), found[0].severity), (1, Severity::Warning));
        assert!(found[0].message.contains("no rule CspViolationStorm for"), "{found:?}");
    }

    #[test]
    fn a_rule_that_cant_be_evaluated_is_an_error_whatever_else_is_there() {
        let rollout = rollout();
        let mut loaded = all(&rollout);
        loaded[0].is_healthy = false;
        let found = judged(Check::new(Area::Prometheus, "", "rules"), &rollout, &loaded);
        assert_eq!(found[0].severity, Severity::Error);
        assert!(found[0].message.contains("can't evaluate CanaryLatencyP95Critical:"), "{found:?}");
    }
}
