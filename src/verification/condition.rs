//! Compares what a condition measures with its threshold, for one alert.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::probe::CanaryEnd;
use crate::incident::{Alert, CheckOutcome};
use crate::signals::{
    AlertRule, Comparison, Condition, Difference, Guard, RuleSource, Sample, Side, SignalError, in_brackets,
};
use crate::text::shown;

/// The answers of one round: what several alerts share is asked once, and who didn't answer isn't
/// waited for again.
#[derive(Debug)]
pub(super) struct Round<'a> {
    source: &'a dyn RuleSource,
    /// `None`: as far as is known there is still something to measure.
    pub(super) canary_end: Option<CanaryEnd>,
    answers: BTreeMap<String, Result<Arc<[Sample]>, SignalError>>,
    gone: Option<SignalError>,
}

/// What was seen of one condition, with the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) outcome: CheckOutcome,
    pub(super) sentence: String,
}

impl Judged {
    pub(super) fn unknown(sentence: impl Into<String>) -> Self {
        Self { outcome: CheckOutcome::Unknown, sentence: sentence.into() }
    }

    fn gone(what: &str, end: CanaryEnd) -> Self {
        let sentence = format!("{what}, and the canary, which it was about, {}", end.words());
        Self { outcome: CheckOutcome::Gone, sentence }
    }
}

/// One that is bad makes all bad; one that isn't known leaves all unknown, and one that is gone keeps the others
/// from being called all.
pub(super) fn worst(outcomes: impl Iterator<Item = CheckOutcome>) -> CheckOutcome {
    let rank = |outcome: &CheckOutcome| match outcome {
        CheckOutcome::Pass | CheckOutcome::NotConfigured => 0,
        CheckOutcome::Gone => 1,
        CheckOutcome::Unknown => 2,
        CheckOutcome::Fail => 3,
    };
    outcomes.max_by_key(rank).unwrap_or(CheckOutcome::Unknown)
}

impl<'a> Round<'a> {
    pub(super) fn of(source: &'a dyn RuleSource) -> Self {
        Self { source, canary_end: None, answers: BTreeMap::new(), gone: None }
    }

    async fn query(&mut self, expression: &str) -> Result<Arc<[Sample]>, SignalError> {
        if let Some(answer) = self.answers.get(expression) {
            return answer.clone();
        }
        if let Some(error) = &self.gone {
            return Err(error.clone());
        }
        let answer = self.source.query(expression).await.map(Arc::from);
        if let Err(error @ SignalError::NoAnswer(_)) = &answer {
            self.gone = Some(error.clone());
        }
        self.answers.insert(expression.to_owned(), answer.clone());
        answer
    }

    async fn values(&mut self, side: &Side) -> Result<Arc<[Sample]>, SignalError> {
        match side {
            Side::Literal(value) => Ok(Arc::from([Sample { labels: BTreeMap::new(), value: *value }])),
            Side::Scalar(query) => self.query(&format!("vector({query})")).await,
            Side::Vector(query) => self.query(query).await,
        }
    }

    /// Whether this condition makes the alert fire now. Said to pass only if both sides were read, are
    /// numbers, and every guard is as it should be.
    pub(super) async fn judge(&mut self, condition: &Condition, rule: &AlertRule, alert: &Alert) -> Judged {
        match self.try_judge(condition, rule, alert).await {
            Ok(judged) => judged,
            Err(error) => Judged::unknown(error.to_string()),
        }
    }

    async fn try_judge(
        &mut self,
        condition: &Condition,
        rule: &AlertRule,
        alert: &Alert,
    ) -> Result<Judged, SignalError> {
        let measured = self.values(&condition.left).await?;
        let (own, others) = of_alert(&measured, rule, alert);
        if own.is_empty() {
            let what = words(&condition.left);
            return Ok(match (others.first(), self.canary_end) {
                (None, Some(end)) => Judged::gone(&format!("{what} has no data any more"), end),
                (None, None) => Judged::unknown(format!("{what} has no data")),
                (Some(differences), _) => Judged::unknown(format!(
                    "{what} has no data with this alert's labels{}",
                    in_brackets(differences)
                )),
            });
        }
        let mut judged = Vec::new();
        for sample in own {
            judged.push(self.compare(condition, &sample, rule, alert).await?);
        }
        let outcome = worst(judged.iter().map(|one| one.outcome));
        let decisive = judged.into_iter().find(|one| one.outcome == outcome);
        Ok(decisive.unwrap_or_else(|| Judged::unknown("nothing was compared")))
    }

    async fn compare(
        &mut self,
        condition: &Condition,
        sample: &Sample,
        rule: &AlertRule,
        alert: &Alert,
    ) -> Result<Judged, SignalError> {
        let Condition { left, comparison, right, matching, guards } = condition;
        if sample.value.is_nan() {
            let what = format!("{} is no number: nothing was measured", words(left));
            // A rate of requests divided by their number, where there are none. Without pods it is empty soon.
            return Ok(match self.canary_end {
                Some(end @ CanaryEnd::NoRequests) => Judged::gone(&what, end),
                Some(CanaryEnd::NoPods) | None => Judged::unknown(what),
            });
        }
        let thresholds = self.values(right).await?;
        let pairs = |other: &&Sample| is_single(right) || matching.pairs(&sample.labels, &other.labels);
        let Some(threshold) = thresholds.iter().find(pairs) else {
            return Ok(Judged::unknown(format!("{} has no data to compare with", words(right))));
        };
        if threshold.value.is_nan() {
            return Ok(Judged::unknown(format!("{} is no number to compare with", words(right))));
        }
        let threshold = against(*comparison, right, threshold.value);
        let exceeds = comparison.holds(sample.value, threshold.0);
        for guard in guards.iter().filter(|guard| exceeds || !guard.is_bound()) {
            if let Some(sentence) = self.held_back(guard, sample).await? {
                return Ok(Judged::unknown(format!("{}, but {sentence}", sample.value)));
            }
        }
        let over_all = over_all(sample, rule, alert);
        Ok(if exceeds {
            let sentence = format!("still {} {}{over_all}", sample.value, threshold.1);
            Judged { outcome: CheckOutcome::Fail, sentence }
        } else {
            let sentence = format!("{} is not {}{over_all}", sample.value, threshold.1);
            Judged { outcome: CheckOutcome::Pass, sentence }
        })
    }

    /// Why this guard keeps the comparison from saying anything; `None`: it is as it should be.
    async fn held_back(&mut self, guard: &Guard, sample: &Sample) -> Result<Option<String>, SignalError> {
        let elements = self.query(&guard.query).await?;
        let holds = elements.iter().any(|element| guard.matching.pairs(&sample.labels, &element.labels));
        if holds == guard.must_hold {
            return Ok(None);
        }
        let whole = shown(&guard.query);
        if !guard.must_hold {
            return Ok(Some(format!("`{whole}` holds, and while it does nothing can be judged")));
        }
        let Some(Condition { left, comparison, right: Side::Literal(needed), .. }) = guard.parts.as_deref()
        else {
            return Ok(Some(format!("`{whole}` does not hold, and is needed to judge")));
        };
        let values = self.values(left).await?;
        let value = values.iter().find(|value| guard.matching.pairs(&sample.labels, &value.labels));
        let seen = value.map_or_else(|| "has no data".to_owned(), |value| format!("is {}", value.value));
        Ok(Some(format!("{} {seen}, {} {needed} is needed to judge", words(left), comparison.sign())))
    }
}

/// The samples that can be the alert's, and how each of the others differs.
fn of_alert(samples: &[Sample], rule: &AlertRule, alert: &Alert) -> (Vec<Sample>, Vec<Vec<Difference>>) {
    let (mut own, mut others) = (Vec::new(), Vec::new());
    for sample in samples {
        let differences = rule.series_differences(&sample.labels, alert);
        if differences.is_empty() { own.push(sample.clone()) } else { others.push(differences) }
    }
    (own, others)
}

fn is_single(side: &Side) -> bool {
    match side {
        Side::Literal(_) | Side::Scalar(_) => true,
        Side::Vector(_) => false,
    }
}

fn words(side: &Side) -> String {
    match side {
        Side::Literal(value) => value.to_string(),
        Side::Scalar(query) | Side::Vector(query) => format!("`{}`", shown(query)),
    }
}

/// The threshold and how it is shown: `> 0.03`, `> 0.04 (2 * stable)`.
fn against(comparison: Comparison, right: &Side, value: f64) -> (f64, String) {
    let sign = comparison.sign();
    match right {
        Side::Literal(_) => (value, format!("{sign} {value}")),
        Side::Scalar(_) | Side::Vector(_) => (value, format!("{sign} {value} ({})", words(right))),
    }
}

/// Labels by which alerts differ and the value doesn't: it was aggregated over them, or they were added
/// on the way to Alertmanager.
fn over_all(sample: &Sample, rule: &AlertRule, alert: &Alert) -> String {
    let tells_apart = |name: &&String| {
        *name != "alertname" && !rule.labels.contains_key(*name) && !sample.labels.contains_key(*name)
    };
    let names: Vec<_> = alert.labels.keys().filter(tells_apart).map(|name| shown(name)).collect();
    if names.is_empty() { String::new() } else { format!(" (whatever its {})", names.join(", ")) }
}
