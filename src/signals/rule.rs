//! Alerting rules, and which of them an alert comes from.
//!
//! Between a rule and Alertmanager, Prometheus adds external labels and applies
//! `alert_relabel_configs`, which may rewrite any label. What it lists of its rules has neither. So an
//! alert is found again by what survives, the rule's name and its series, and what differs is named.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::incident::Alert;
use crate::text::shown;

type Pairs = BTreeMap<String, String>;

/// A rule as Prometheus lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertRule {
    /// The `alertname` of its alerts.
    pub name: String,
    pub query: String,
    /// The labels that it gives its alerts; over those of the series.
    pub labels: Pairs,
    /// Whether its `health` is `ok`: the last evaluation gave no error.
    pub is_healthy: bool,
    /// When it was last evaluated, on Prometheus' clock.
    pub last_evaluation: Option<DateTime<Utc>>,
    /// The labels of each of its alerts that is pending or firing.
    pub active: Vec<Pairs>,
}

/// A label that has one value in Prometheus and another in the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub label: String,
    pub there: String,
    pub here: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, there, here } = self;
        write!(f, "{} is {} there and {} here", shown(label), shown(there), shown(here))
    }
}

/// The differences as an addition to a sentence; empty without any.
#[must_use]
pub fn in_brackets(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return String::new();
    }
    let words: Vec<_> = differences.iter().map(Difference::to_string).collect();
    format!(" ({})", words.join(", "))
}

impl AlertRule {
    /// Where its own labels and the alert's differ. A templated one has another value in each alert.
    fn differences(&self, alert: &Alert) -> Vec<Difference> {
        let fixed = self.labels.iter().filter(|(_, value)| !value.contains("{{"));
        differences(fixed, alert)
    }

    /// Where labels that come from a series and the alert's differ.
    #[must_use]
    pub fn series_differences(&self, series: &Pairs, alert: &Alert) -> Vec<Difference> {
        let of_series =
            |name: &str| !["alertname", "__name__"].contains(&name) && !self.labels.contains_key(name);
        differences(series.iter().filter(|(name, _)| of_series(name)), alert)
    }
}

fn differences<'a>(there: impl Iterator<Item = (&'a String, &'a String)>, alert: &Alert) -> Vec<Difference> {
    there
        .filter_map(|(label, there)| {
            let here = alert.labels.get(label).filter(|here| *here != there)?;
            Some(Difference { label: label.clone(), there: there.clone(), here: here.clone() })
        })
        .collect()
}

/// The rules that this alert can come from: of those with its name, the ones whose own labels differ
/// least from the alert's; with what differs. Two applications may share names, and one's rules must
/// not speak for the other.
#[must_use]
pub fn rules_of<'a>(rules: &'a [AlertRule], alert: &Alert) -> Vec<(&'a AlertRule, Vec<Difference>)> {
    let named: Vec<_> = rules
        .iter()
        .filter(|rule| rule.name == alert.name())
        .map(|rule| (rule, rule.differences(alert)))
        .collect();
    let least = named.iter().map(|(_, differences)| differences.len()).min();
    named.into_iter().filter(|(_, differences)| Some(differences.len()) == least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::fixtures::firing;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn alert(labels: &[(&str, &str)]) -> Alert {
        firing("f", labels, DateTime::UNIX_EPOCH)
    }

    fn rule(query: &str, labels: &[(&str, &str)]) -> AlertRule {
        AlertRule {
            name: "Slow".to_owned(),
            query: query.to_owned(),
            labels: pairs(labels),
            ..AlertRule::default()
        }
    }

    #[test]
    fn of_rules_that_share_a_name_the_one_that_fits_the_alert_is_asked() {
        let rules = [
            rule("a", &[("rollout", "a"), ("severity", "notify")]),
            rule("b", &[("rollout", "b"), ("severity", "notify")]),
            AlertRule { name: "Other".to_owned(), ..rule("other", &[]) },
        ];
        for (labels, queries, differing) in [
            (&[("alertname", "Slow"), ("rollout", "b"), ("severity", "notify")][..], &["b"][..], &[][..]),
            (&[("alertname", "Slow"), ("rollout", "a"), ("severity", "warning")], &["a"], &["severity"]),
            (&[("alertname", "Slow"), ("cluster", "eu")], &["a", "b"], &[]),
            (&[("alertname", "Unheard")], &[], &[]),
        ] {
            let alert = alert(labels);
            let found = rules_of(&rules, &alert);
            assert_eq!(found.iter().map(|(rule, _)| rule.query.as_str()).collect::<Vec<_>>(), queries);
            let labels = found.first().map(|(_, differences)| differences.as_slice()).unwrap_or_default();
            let labels: Vec<_> = labels.iter().map(|difference| difference.label.as_str()).collect();
            assert_eq!(labels, differing);
        }
    }

    #[test]
    fn a_series_is_compared_without_what_the_rule_gives_or_a_template_makes() {
        let rule = rule("a", &[("namespace", "fixed"), ("shown", "{{ $value }}")]);
        let series = pairs(&[("alertname", "x"), ("namespace", "own"), ("pod", "a"), ("job", "j")]);
        let alert = alert(&[("alertname", "Slow"), ("namespace", "fixed"), ("pod", "b"), ("shown", "3")]);
        let differences = rule.series_differences(&series, &alert);
        assert_eq!(in_brackets(&differences), " (pod is a there and b here)");
        assert!(rule.differences(&alert).is_empty());
    }
}
