//! Weighs what Alertmanager and Prometheus say about an alert.
//!
//! "Not listed" alone proves nothing: an Alertmanager that just restarted knows no alerts, and a
//! dead Prometheus lets them all expire (reference notes on Alertmanager, sections 5 and 6).

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::Watchdog;
use crate::incident::{Alert, Fingerprint};

/// An Alertmanager younger than this may not know yet what fires: Prometheus sends again
/// every minute, plus one evaluation (reference notes on Alertmanager, section 5).
const YOUNG: TimeDelta = TimeDelta::minutes(2);

/// What follows from the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// At least one of the alerts is listed, and not silenced.
    StillFiring,
    /// Those that are listed are all silenced: a person muted them.
    Silenced,
    /// None is listed, and that can be trusted.
    Gone,
    /// Nobody answered, or not so that it can be trusted.
    NoAnswer,
    /// Neither Alertmanager nor Prometheus is configured.
    NobodyToAsk,
}

/// One alert as Alertmanager lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAlert {
    pub fingerprint: Fingerprint,
    /// Whether a silence covers it. Inhibition is no reason to leave it.
    pub silenced: bool,
}

/// What one Alertmanager answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertmanagerReading {
    /// For how long it has been running, by its own clock.
    pub up_for: TimeDelta,
    /// The labels of each Watchdog that is listed and was sent lately.
    pub watchdogs: Vec<BTreeMap<String, String>>,
    /// The rollout's alerts that it lists, silenced ones included.
    pub listed: Vec<ListedAlert>,
}

/// What Prometheus answered about the incident's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrometheusReading {
    /// One of the alerts is firing or pending.
    Bad,
    /// Every rule is healthy, freshly evaluated, and neither firing nor pending.
    Good,
    /// A rule fails or was not evaluated lately. Alertmanager forgets its alerts then, whether they
    /// hold or not (reference notes on Alertmanager, section 6).
    Unhealthy,
    /// It knows nothing of one of the alerts: says nothing.
    NoWord,
}

impl AlertmanagerReading {
    /// Whether what it does not list about this alert, or rollout, can be believed.
    #[must_use]
    pub fn is_trusted_about(&self, watchdog: &Watchdog, labels: &BTreeMap<String, String>) -> bool {
        self.is_old_enough() && self.watchdogs.iter().any(|alive| watchdog.speaks_for(alive, labels))
    }

    /// Whether it has run for long enough to have been sent everything that fires.
    #[must_use]
    pub fn is_old_enough(&self) -> bool {
        self.up_for >= YOUNG
    }
}

/// Weighs the answers about these alerts. An inner `None` stands for one that did not answer, an outer
/// one for no Prometheus configured.
#[must_use]
pub fn weigh(
    wanted: &[Alert],
    watchdog: &Watchdog,
    alertmanagers: &[Option<AlertmanagerReading>],
    prometheus: Option<Option<PrometheusReading>>,
) -> Confirmation {
    if alertmanagers.is_empty() && prometheus.is_none() {
        return Confirmation::NobodyToAsk;
    }
    let answered: Vec<_> = alertmanagers.iter().flatten().collect();
    let listed: Vec<_> = answered
        .iter()
        .flat_map(|reading| &reading.listed)
        .filter(|alert| wanted.iter().any(|wanted| wanted.fingerprint == alert.fingerprint))
        .collect();
    // A member that does not know of a silence yet is outvoted by the one that does.
    let unsilenced = listed
        .iter()
        .any(|alert| !listed.iter().any(|other| other.fingerprint == alert.fingerprint && other.silenced));
    if unsilenced {
        return Confirmation::StillFiring;
    }
    if !listed.is_empty() {
        return Confirmation::Silenced;
    }
    let trusted = wanted
        .iter()
        .all(|alert| answered.iter().any(|reading| reading.is_trusted_about(watchdog, &alert.labels)));
    match (trusted, prometheus) {
        // Prometheus contradicts: its alert may be on its way to Alertmanager.
        (_, Some(Some(PrometheusReading::Bad))) => Confirmation::StillFiring,
        (_, Some(Some(PrometheusReading::Good))) => Confirmation::Gone,
        (true, None | Some(Some(PrometheusReading::NoWord))) => Confirmation::Gone,
        // Who is configured to be asked and doesn't answer is outvoted by nobody: a Watchdog may be
        // another Prometheus'.
        (true, Some(None | Some(PrometheusReading::Unhealthy))) => Confirmation::NoAnswer,
        (false, None | Some(None | Some(PrometheusReading::Unhealthy | PrometheusReading::NoWord))) => {
            Confirmation::NoAnswer
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::fixtures::firing;

    fn alert(fingerprint: &str, cluster: &str) -> Alert {
        let labels = [("alertname", "Slow"), ("severity", "warning"), ("cluster", cluster)];
        firing(fingerprint, &labels, chrono::DateTime::UNIX_EPOCH)
    }

    /// A member that lists the alert as often as `listed` says, silenced or not.
    fn watched_by(
        age_minutes: i64,
        clusters: &[Option<&str>],
        listed: &[bool],
    ) -> Option<AlertmanagerReading> {
        let listed = listed
            .iter()
            .map(|silenced| ListedAlert { fingerprint: Fingerprint::new("wanted"), silenced: *silenced });
        let watchdog = |cluster: &Option<&str>| {
            let cluster = cluster.map(|cluster| ("cluster".to_owned(), cluster.to_owned()));
            [("alertname".to_owned(), "Watchdog".to_owned())].into_iter().chain(cluster).collect()
        };
        Some(AlertmanagerReading {
            up_for: TimeDelta::minutes(age_minutes),
            watchdogs: clusters.iter().map(watchdog).collect(),
            listed: listed.collect(),
        })
    }

    fn member(age_minutes: i64, watchdog: bool, listed: &[bool]) -> Option<AlertmanagerReading> {
        watched_by(age_minutes, if watchdog { &[None] } else { &[] }, listed)
    }

    fn weigh_one(
        alertmanagers: &[Option<AlertmanagerReading>],
        prometheus: Option<Option<PrometheusReading>>,
    ) -> Confirmation {
        weigh(&[alert("wanted", "eu")], &Watchdog::named("Watchdog"), alertmanagers, prometheus)
    }

    #[test]
    fn every_combination_of_answers_has_its_consequence() {
        use Confirmation::{Gone, NoAnswer, NobodyToAsk, Silenced, StillFiring};
        use PrometheusReading::{Bad, Good, NoWord, Unhealthy};
        let old = || member(60, true, &[]);
        let cases = [
            ("listed", vec![member(60, true, &[false])], None, StillFiring),
            ("listed by a young one", vec![member(0, false, &[false])], None, StillFiring),
            ("listed but silenced", vec![member(60, true, &[true])], None, Silenced),
            (
                "one member knows of the silence",
                vec![member(60, true, &[false]), member(60, true, &[true])],
                None,
                Silenced,
            ),
            ("absent, old, Watchdog alive", vec![old()], None, Gone),
            ("absent, young", vec![member(1, true, &[])], None, NoAnswer),
            ("absent, no Watchdog", vec![member(60, false, &[])], None, NoAnswer),
            ("absent, young, an old peer agrees", vec![member(1, true, &[]), old()], None, Gone),
            ("absent here, listed there", vec![old(), member(60, true, &[false])], None, StillFiring),
            ("absent, no Watchdog, Prometheus good", vec![member(60, false, &[])], Some(Some(Good)), Gone),
            ("absent, no Watchdog, no word", vec![member(60, false, &[])], Some(Some(NoWord)), NoAnswer),
            ("absent and trusted, Prometheus good", vec![old()], Some(Some(Good)), Gone),
            ("absent and trusted, Prometheus bad", vec![old()], Some(Some(Bad)), StillFiring),
            ("absent and trusted, no such rule there", vec![old()], Some(Some(NoWord)), Gone),
            ("absent because the rule fails", vec![old()], Some(Some(Unhealthy)), NoAnswer),
            ("absent and trusted, Prometheus down", vec![old()], Some(None), NoAnswer),
            ("down, Prometheus good", vec![None], Some(Some(Good)), Gone),
            ("down, Prometheus bad", vec![None], Some(Some(Bad)), StillFiring),
            ("down, the rule fails", vec![None], Some(Some(Unhealthy)), NoAnswer),
            ("both down", vec![None], Some(None), NoAnswer),
            ("down, no Prometheus", vec![None], None, NoAnswer),
            ("only Prometheus, good", vec![], Some(Some(Good)), Gone),
            ("nothing configured", vec![], None, NobodyToAsk),
            ("another cluster's Watchdog", vec![watched_by(60, &[Some("us")], &[])], None, NoAnswer),
            ("its own beside another's", vec![watched_by(60, &[Some("us"), Some("eu")], &[])], None, Gone),
            (
                "its own on a young member, another's on an old one",
                vec![watched_by(1, &[Some("eu")], &[]), watched_by(60, &[Some("us")], &[])],
                None,
                NoAnswer,
            ),
        ];
        for (case, alertmanagers, prometheus, expected) in cases {
            assert_eq!(weigh_one(&alertmanagers, prometheus), expected, "{case}");
        }
    }

    #[test]
    fn a_watchdog_has_to_speak_for_every_alert_that_is_asked_about() {
        let both = [alert("wanted", "eu"), alert("another", "us")];
        let watchdog = Watchdog::named("Watchdog");
        for (clusters, expected) in
            [(&[Some("eu")][..], Confirmation::NoAnswer), (&[Some("eu"), Some("us")][..], Confirmation::Gone)]
        {
            assert_eq!(weigh(&both, &watchdog, &[watched_by(60, clusters, &[])], None), expected);
        }
    }

    #[test]
    fn an_alert_of_somebody_else_is_no_reason() {
        let other = [alert("0000000000000000", "eu")];
        let listed = [member(60, true, &[false])];
        assert_eq!(weigh(&other, &Watchdog::named("Watchdog"), &listed, None), Confirmation::Gone);
    }
}
