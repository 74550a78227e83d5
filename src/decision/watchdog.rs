//! The alert that always fires, and for whom it speaks.

use std::collections::BTreeMap;

/// Labels that a Watchdog has of its own, whichever Prometheus sends it.
const ITS_OWN: [&str; 2] = ["alertname", "severity"];

/// Which alert proves that Prometheus lives and reaches Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    pub alertname: String,
    /// Labels that it must carry to count. Empty: any of its name does, for those it agrees with.
    pub matching: BTreeMap<String, String>,
}

impl Watchdog {
    /// Any alert of this name counts, whatever its other labels.
    #[must_use]
    pub fn named(alertname: impl Into<String>) -> Self {
        Self { alertname: alertname.into(), matching: BTreeMap::new() }
    }

    /// Whether an alert of these labels is one that counts.
    #[must_use]
    pub fn is(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get("alertname") == Some(&self.alertname)
            && self.matching.iter().all(|(name, value)| labels.get(name) == Some(value))
    }

    /// Whether a Watchdog of these labels speaks for the Prometheus that sends `other`: an alert's
    /// labels, or those that a rollout's alerts share.
    ///
    /// One Alertmanager serves many Prometheis, and the Watchdog of one that lives must not make the
    /// alerts of a dead one look resolved. What distinguishes them are their external labels (`cluster`,
    /// `prometheus`, `replica` …), but their names are free: so no label that both carry may differ.
    /// Where the configuration pins labels, only those are compared.
    #[must_use]
    pub fn speaks_for(&self, watchdog: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
        let tells = |name: &String| {
            if self.matching.is_empty() {
                !ITS_OWN.contains(&name.as_str())
            } else {
                self.matching.contains_key(name)
            }
        };
        let mut told = watchdog.iter().filter(|(name, _)| tells(name));
        told.all(|(name, value)| other.get(name).is_none_or(|known| known == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_watchdog_speaks_only_for_those_it_agrees_with() {
        let watchdog = Watchdog::named("Watchdog");
        let of = |pairs: &[_]| labels(&[&[("alertname", "Watchdog"), ("severity", "none")], pairs].concat());
        let alert =
            labels(&[("alertname", "Slow"), ("severity", "critical"), ("cluster", "eu"), ("pod", "a")]);
        for (case, pairs, speaks) in [
            ("carries nothing that tells", &[][..], true),
            ("the same cluster", &[("cluster", "eu")][..], true),
            ("another cluster", &[("cluster", "us")][..], false),
            ("a label that the alert lacks", &[("replica", "b")][..], true),
            ("one agrees, one differs", &[("cluster", "eu"), ("pod", "b")][..], false),
        ] {
            assert_eq!(watchdog.speaks_for(&of(pairs), &alert), speaks, "{case}");
        }
    }

    #[test]
    fn pinned_labels_say_which_watchdog_counts_and_are_the_only_ones_compared() {
        let pinned = Watchdog { matching: labels(&[("cluster", "eu")]), ..Watchdog::named("Watchdog") };
        let eu = labels(&[("alertname", "Watchdog"), ("cluster", "eu"), ("team", "platform")]);
        let us = labels(&[("alertname", "Watchdog"), ("cluster", "us")]);
        assert!(pinned.is(&eu) && !pinned.is(&us) && !pinned.is(&labels(&[("alertname", "Watchdog")])));
        assert!(pinned.speaks_for(&eu, &labels(&[("team", "trading")])), "no other label is compared");
        assert!(!pinned.speaks_for(&eu, &labels(&[("cluster", "us")])));
        assert!(!Watchdog::named("Beat").is(&eu));
    }
}
