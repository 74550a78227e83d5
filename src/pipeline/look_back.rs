//! What fired while nobody was there, as Prometheus remembers it.
//!
//! `ALERTS` has an alert's labels from before `alert_relabel_configs` and without external labels, so
//! neither its severity nor the rollout's own labels need be as Alertmanager sends them. It is looked
//! for in two ways: by the rollout's labels whatever the severity, and by the name of every critical
//! that Alertmanager ever sent for this rollout. What can't be found: a critical whose labels are
//! made on the way to Alertmanager and that was never sent before, and one whose label of the
//! rollout's is rewritten from another value: that counts as another application's.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::decision::is_legacy_label_name;
use crate::incident::{Alert, AlertStatus, Fingerprint, Labels, Severity, SeverityMap};
use crate::signals::matcher;

type Pairs = BTreeMap<String, String>;

/// Names in one question: the whole must fit into a URL.
const NAMES_AT_ONCE: usize = 50;

/// One question; where a server refuses it, the next of its forms is tried.
pub(super) type Forms = Vec<String>;

/// What is to be asked for a rollout that matches these labels and knows these alerts.
pub(super) fn questions(matching: &Pairs, known: &[Alert], look_back: TimeDelta) -> Vec<Forms> {
    let mut by_labels = fired_seconds_ago(&matcher::all_equal(matching), look_back);
    let (legacy, newer): (Pairs, Pairs) =
        matching.clone().into_iter().partition(|(name, _)| is_legacy_label_name(name));
    if !newer.is_empty() && !legacy.is_empty() {
        // A Prometheus from before UTF-8 names refuses them all. What this finds beside is left out again.
        by_labels.extend(fired_seconds_ago(&matcher::all_equal(&legacy), look_back));
    }
    let mut names: Vec<_> = known
        .iter()
        .filter(|alert| alert.severity() == Severity::Critical && alert.labels.contains_key("alertname"))
        .map(Alert::name)
        .collect();
    names.sort_unstable();
    names.dedup();
    let by_name = names
        .chunks(NAMES_AT_ONCE)
        .map(|names| fired_seconds_ago(&matcher::one_of("alertname", names), look_back));
    std::iter::once(by_labels).chain(by_name).collect()
}

/// How long ago each alert fired last, within this span. As an age, so that it doesn't matter how
/// Prometheus' clock is set.
fn fired_seconds_ago(matchers: &str, look_back: TimeDelta) -> Forms {
    let seconds = look_back.num_seconds();
    let form = |seconds, offset| {
        // A second's steps: an alert that fired for one evaluation only must not fall between two.
        format!(
            "time() - max_over_time(timestamp(ALERTS{{alertstate=\"firing\",{matchers}}})[{seconds}s:1s]{offset})"
        )
    };
    // The steps lie on whole seconds, and the last one is up to a second ago: what fired since is
    // only seen by one in the future. Prometheus accepts that from 2.33 on; an older one misses it.
    vec![form(seconds + 1, " offset -1s"), form(seconds, "")]
}

/// What an alert that Prometheus remembers is to a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remembered {
    /// A critical of this rollout's, with its labels as Alertmanager sends them, as far as is known.
    Critical(Labels),
    /// This rollout's, and none that is acted upon after the fact.
    Lesser,
    /// This rollout's, with a severity that only `alert_relabel_configs` can give a meaning.
    Unclear(Labels),
    Elsewhere,
}

/// Judges an alert by its labels in Prometheus and by those that Alertmanager sent before.
pub(super) fn judge(mut labels: Pairs, matching: &Pairs, known: &[Alert], words: &SeverityMap) -> Remembered {
    labels.remove("alertstate");
    labels.remove("__name__");
    let remembered = alert_with(labels.into()).read_with(words);
    let alike = closest(&remembered, known);
    if !remembered.matches(matching) && alike.is_empty() {
        return Remembered::Elsewhere;
    }
    if remembered.severity() == Severity::Critical && remembered.matches(matching) {
        return Remembered::Critical(remembered.labels);
    }
    if let Some(critical) = alike.iter().find(|alert| alert.severity() == Severity::Critical) {
        return Remembered::Critical(critical.labels.clone());
    }
    match remembered.severity() {
        Severity::Critical => Remembered::Critical(remembered.labels),
        Severity::Warning => Remembered::Lesser,
        Severity::Unknown if alike.is_empty() => Remembered::Unclear(remembered.labels),
        Severity::Unknown => Remembered::Lesser,
    }
}

/// The known alerts of its name that agree in every label that both carry but the severity; of them
/// those that agree in that, too. What relabelling is used for is the severity, and to add labels; a
/// label of the rollout with another value is another application's, whose rules may have the same names.
fn closest<'a>(remembered: &Alert, known: &'a [Alert]) -> Vec<&'a Alert> {
    let differing = |alert: &Alert| {
        let differ = |(name, value): &(&String, &String)| {
            remembered.labels.get(*name).is_some_and(|there| there != *value)
        };
        let (rest, series): (Vec<_>, Vec<_>) =
            alert.labels.iter().filter(differ).partition(|(name, _)| name.as_str() == "severity");
        series.is_empty().then_some(rest.len())
    };
    let alike: Vec<_> = known
        .iter()
        .filter(|alert| alert.name() == remembered.name())
        .filter_map(|alert| Some((differing(alert)?, alert)))
        .collect();
    let least = alike.iter().map(|(differing, _)| *differing).min();
    alike.into_iter().filter(|(differing, _)| Some(*differing) == least).map(|(_, alert)| alert).collect()
}

fn alert_with(labels: Labels) -> Alert {
    let name = labels.get("alertname").cloned().unwrap_or_default();
    Alert {
        // Prometheus doesn't know the external labels, so Alertmanager's fingerprint can't be had.
        fingerprint: Fingerprint::new(format!("missed:{name}")),
        status: AlertStatus::Firing,
        labels,
        annotations: Labels::default(),
        starts_at: chrono::DateTime::UNIX_EPOCH,
        ends_at: None,
        generator_url: String::new(),
        mapped_severity: None,
    }
}

/// The critical with these labels that last fired at this time.
pub(super) fn missed(labels: Labels, fired_at: chrono::DateTime<chrono::Utc>, words: &SeverityMap) -> Alert {
    Alert { starts_at: fired_at, ..alert_with(labels).read_with(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn known(labels: &[(&str, &str)]) -> Alert {
        alert_with(pairs(labels).into())
    }

    #[test]
    fn a_critical_is_found_by_the_rollouts_labels_or_by_the_names_it_was_ever_told_by() {
        let matching = pairs(&[("rollout", "a"), ("deploy.stage", "canary")]);
        let known = [
            known(&[("alertname", "Slow"), ("severity", "critical")]),
            known(&[("alertname", "Slow"), ("severity", "critical"), ("pod", "2")]),
            known(&[("alertname", "Warm"), ("severity", "warning")]),
        ];
        let around = |matchers: &str| {
            ["[61s:1s] offset -1s", "[60s:1s]"].map(|span| {
                format!("time() - max_over_time(timestamp(ALERTS{{alertstate=\"firing\",{matchers}}}){span})")
            })
        };
        let by_labels = [around(r#""deploy.stage"="canary",rollout="a""#), around(r#"rollout="a""#)].concat();
        let by_name = around(r#"alertname=~"Slow""#).to_vec();
        assert_eq!(questions(&matching, &known, TimeDelta::minutes(1)), [by_labels, by_name]);
        let plain = pairs(&[("rollout", "a")]);
        assert_eq!(questions(&plain, &[], TimeDelta::minutes(1)), [around(r#"rollout="a""#)]);
    }

    #[test]
    fn what_prometheus_remembers_is_judged_by_what_relabelling_left_of_it() {
        let matching = pairs(&[("rollout", "a")]);
        let critical =
            known(&[("alertname", "Slow"), ("severity", "critical"), ("rollout", "a"), ("pod", "1")]);
        let warning =
            known(&[("alertname", "Slow"), ("severity", "warning"), ("rollout", "a"), ("pod", "1")]);
        let known = [critical.clone(), warning];
        let told = Remembered::Critical(critical.labels);
        for (case, labels, expected) in [
            ("as it was told", &[("severity", "critical"), ("rollout", "a"), ("pod", "1")][..], told.clone()),
            ("severity rewritten", &[("severity", "page"), ("rollout", "a"), ("pod", "1")], told.clone()),
            ("the rollout's label added", &[("severity", "page"), ("pod", "1")], told),
            (
                "another application's alert of the same name",
                &[("severity", "critical"), ("rollout", "b"), ("pod", "1")],
                Remembered::Elsewhere,
            ),
            (
                "a warning of the same name",
                &[("severity", "warning"), ("rollout", "a"), ("pod", "1")],
                Remembered::Lesser,
            ),
            (
                "another series elsewhere",
                &[("severity", "critical"), ("rollout", "b"), ("pod", "2")],
                Remembered::Elsewhere,
            ),
        ] {
            let labels = pairs(&[&[("alertname", "Slow"), ("alertstate", "firing")], labels].concat());
            assert_eq!(judge(labels, &matching, &known, &SeverityMap::default()), expected, "{case}");
        }
        let unheard =
            |severity: &str| pairs(&[("alertname", "New"), ("severity", severity), ("rollout", "a")]);
        let labels = |severity: &str| Labels::from(unheard(severity));
        let words = SeverityMap::new([("P1".to_owned(), Severity::Critical)]);
        let own = judge(unheard("p1"), &matching, &known, &words);
        assert_eq!(own, Remembered::Critical(labels("p1")), "by the organisation's own word");
        for (severity, expected) in [
            ("critical", Remembered::Critical(labels("critical"))),
            ("warning", Remembered::Lesser),
            ("notify", Remembered::Unclear(labels("notify"))),
        ] {
            assert_eq!(
                judge(unheard(severity), &matching, &known, &SeverityMap::default()),
                expected,
                "{severity}"
            );
        }
    }
}
