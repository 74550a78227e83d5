//! The rules of Prometheus as it lists them, and what their expressions measure. It knows no external
//! labels, and its severities are those from before they are rewritten on the way to Alertmanager.

use std::collections::BTreeMap;

use backstop::incident::Alert;
use backstop::signals::{AlertRule, Sample, rules_of};

use crate::monitoring::{Monitoring, labels, name, site};
use crate::plan::ALERTS;
use crate::process::SITES;

/// How the metrics that the rules compare are named.
const MEASURED: &str = "measured_";

type Pairs = BTreeMap<String, String>;

/// An alert's labels as Prometheus has them.
pub(crate) fn labels_there(monitoring: &Monitoring, alert: u8) -> Pairs {
    let mut labels = labels(alert);
    labels.remove("cluster");
    if monitoring.relabelled {
        labels.insert("severity".to_owned(), "notify".to_owned());
    }
    labels
}

/// One rule for each name: the rollouts' alerts are its series.
pub(crate) fn rules(monitoring: &Monitoring) -> Vec<AlertRule> {
    let rule = |number: u8| {
        let mut labels = labels_there(monitoring, number);
        labels.retain(|label, _| label == "severity");
        let holding = monitoring.holds.keys().filter(|alert| *alert % ALERTS == number);
        AlertRule {
            name: name(number),
            query: format!("{MEASURED}{} > 0", name(number)),
            labels,
            is_healthy: true,
            last_evaluation: None,
            active: holding.map(|alert| labels_there(monitoring, *alert)).collect(),
        }
    };
    (0..ALERTS).map(rule).collect()
}

/// Whether Prometheus says that an alert is active, which it finds by what survives relabelling.
pub(crate) fn is_active(rules: &[AlertRule], alert: &Alert) -> bool {
    rules_of(rules, alert)
        .iter()
        .any(|(rule, _)| rule.active.iter().any(|series| rule.series_differences(series, alert).is_empty()))
}

/// What one side of a rule measures; nothing, if this is the query of no rule.
pub(crate) fn measured(monitoring: &Monitoring, query: &str) -> Option<Vec<Sample>> {
    let wanted = query.strip_prefix(MEASURED)?;
    let alerts = (0..2 * ALERTS).filter(|alert| name(*alert) == wanted);
    let sample = |alert: u8| Sample {
        labels: BTreeMap::from([("rollout".to_owned(), SITES[site(alert)].to_owned())]),
        value: f64::from(u8::from(monitoring.holds.contains_key(&alert))),
    };
    Some(alerts.map(sample).collect())
}
