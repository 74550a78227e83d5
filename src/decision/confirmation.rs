//! Weighs what Alertmanager and Prometheus say about an alert.
//!
//! "Not listed" alone proves nothing: an Alertmanager that just restarted knows no alerts, and a
//! dead Prometheus lets them all expire (reference notes on Alertmanager, sections 5 and 6).

use chrono::TimeDelta;

use crate::incident::Fingerprint;

/// An Alertmanager younger than this may not have been told of what fires: Prometheus sends again
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
    /// Whether the Watchdog is listed as active.
    pub watchdog_active: bool,
    /// The rollout's alerts that it lists.
    pub listed: Vec<ListedAlert>,
}

/// What Prometheus answered about the incident's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrometheusReading {
    /// One of the alerts is firing or pending.
    Bad,
    /// Every rule is healthy, freshly evaluated, and neither firing nor pending.
    Good,
    /// A rule is missing, failing or not evaluated lately: says nothing.
    NoWord,
}

/// Weighs the answers. `None` in a list stands for one that did not answer.
#[must_use]
pub fn weigh(
    wanted: &[Fingerprint],
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
        .filter(|alert| wanted.contains(&alert.fingerprint))
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
    let trusted = answered.iter().any(|reading| reading.watchdog_active && reading.up_for >= YOUNG);
    match (trusted, prometheus.flatten()) {
        // Prometheus contradicts: its alert may be on its way to Alertmanager.
        (_, Some(PrometheusReading::Bad)) => Confirmation::StillFiring,
        (true, _) | (false, Some(PrometheusReading::Good)) => Confirmation::Gone,
        (false, Some(PrometheusReading::NoWord) | None) => Confirmation::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint() -> Fingerprint {
        Fingerprint::new("cd157457500a2b7a")
    }

    fn member(age_minutes: i64, watchdog_active: bool, listed: &[bool]) -> Option<AlertmanagerReading> {
        let listed =
            listed.iter().map(|silenced| ListedAlert { fingerprint: fingerprint(), silenced: *silenced });
        Some(AlertmanagerReading {
            up_for: TimeDelta::minutes(age_minutes),
            watchdog_active,
            listed: listed.collect(),
        })
    }

    #[test]
    fn every_combination_of_answers_has_its_consequence() {
        use Confirmation::{Gone, NoAnswer, NobodyToAsk, Silenced, StillFiring};
        use PrometheusReading::{Bad, Good, NoWord};
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
            ("absent, old, Watchdog alive", vec![member(60, true, &[])], None, Gone),
            ("absent, young", vec![member(1, true, &[])], None, NoAnswer),
            ("absent, no Watchdog", vec![member(60, false, &[])], None, NoAnswer),
            (
                "absent, young, an old peer agrees",
                vec![member(1, true, &[]), member(60, true, &[])],
                None,
                Gone,
            ),
            (
                "absent here, listed there",
                vec![member(60, true, &[]), member(60, true, &[false])],
                None,
                StillFiring,
            ),
            ("absent, no Watchdog, Prometheus good", vec![member(60, false, &[])], Some(Some(Good)), Gone),
            ("absent and trusted, Prometheus bad", vec![member(60, true, &[])], Some(Some(Bad)), StillFiring),
            (
                "absent, no Watchdog, Prometheus has no word",
                vec![member(60, false, &[])],
                Some(Some(NoWord)),
                NoAnswer,
            ),
            ("down, Prometheus good", vec![None], Some(Some(Good)), Gone),
            ("down, Prometheus bad", vec![None], Some(Some(Bad)), StillFiring),
            ("both down", vec![None], Some(None), NoAnswer),
            ("down, no Prometheus", vec![None], None, NoAnswer),
            ("only Prometheus, good", vec![], Some(Some(Good)), Gone),
            ("nothing configured", vec![], None, NobodyToAsk),
        ];
        for (case, alertmanagers, prometheus, expected) in cases {
            assert_eq!(weigh(&[fingerprint()], &alertmanagers, prometheus), expected, "{case}");
        }
    }

    #[test]
    fn an_alert_of_somebody_else_is_no_reason() {
        let other = [Fingerprint::new("0000000000000000")];
        assert_eq!(weigh(&other, &[member(60, true, &[false])], None), Confirmation::Gone);
    }
}
