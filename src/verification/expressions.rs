//! Whether the expressions of an incident's alerts are below their thresholds.

use std::collections::BTreeSet;

use super::condition::{Judged, Round, worst};
use super::probe::{CanaryEnd, Seen};
use crate::incident::{Alert, CheckOutcome};
use crate::signals::{AlertRule, RuleSource, SignalError, conditions, in_brackets, rules_of};
use crate::text::shown;

/// The most rules asked in one round: several times the protocol's, bounded for storms.
const MAX_RULES: usize = 64;

/// The most alerts judged in one round. Each is compared with every series of its rule.
const MAX_ALERTS: usize = 1_000;

/// The most sentences in one check's detail, the worst first.
const MAX_SENTENCES: usize = 20;

/// The rules of a Prometheus, and what it has answered of them: asked once, however often it is judged.
#[derive(Debug)]
pub(super) struct Expressions<'a> {
    rules: Vec<AlertRule>,
    round: Round<'a>,
}

impl<'a> Expressions<'a> {
    pub(super) async fn of(source: &'a dyn RuleSource) -> Result<Self, SignalError> {
        Ok(Self { rules: source.rules().await?, round: Round::of(source) })
    }

    /// Reads every alert's own expression. What isn't asked is never said to pass, and neither is what has no data
    /// because there is no canary to measure any more.
    pub(super) async fn seen(&mut self, alerts: &[Alert], canary_end: Option<CanaryEnd>) -> Seen {
        self.round.canary_end = canary_end;
        seen(&self.rules, &mut self.round, alerts).await
    }
}

async fn seen(rules: &[AlertRule], round: &mut Round<'_>, alerts: &[Alert]) -> Seen {
    let mut asked = BTreeSet::new();
    let mut left_out = alerts.len().saturating_sub(MAX_ALERTS);
    let mut judged: Vec<Judged> = Vec::new();
    for alert in alerts.iter().take(MAX_ALERTS) {
        let of_alert = rules_of(rules, alert);
        let keys: Vec<_> = of_alert.iter().map(|(rule, _)| (&rule.name, &rule.labels, &rule.query)).collect();
        let news = keys.iter().filter(|key| !asked.contains(*key)).count();
        if asked.len() + news > MAX_RULES {
            left_out += 1;
            continue;
        }
        asked.extend(keys);
        let mut of_this = Vec::new();
        if of_alert.is_empty() {
            of_this.push(Judged::unknown("Prometheus has no rule of this name"));
        }
        for (rule, differences) in of_alert {
            let seen = rule_seen(round, rule, alert).await;
            let sentence = format!("{}{}", seen.sentence, in_brackets(&differences));
            of_this.push(Judged { sentence, ..seen });
        }
        judged.extend(of_this.into_iter().map(|one| {
            let sentence = format!("{}: {}", shown(alert.name()), one.sentence);
            Judged { sentence, ..one }
        }));
    }
    if left_out > 0 {
        judged.push(Judged::unknown(format!(
            "{left_out} of {} alerts were not asked about: too many at once",
            alerts.len()
        )));
    }
    let outcome = worst(judged.iter().map(|one| one.outcome));
    Seen { outcome, detail: detail(outcome, judged) }
}

/// What one rule says of an alert: bad if one of its conditions is, good only if all are.
async fn rule_seen(round: &mut Round<'_>, rule: &AlertRule, alert: &Alert) -> Judged {
    let conditions = match conditions(&rule.query) {
        Ok(conditions) => conditions,
        Err(error) => return Judged::unknown(error.to_string()),
    };
    let mut judged = Vec::new();
    for condition in &conditions {
        judged.push(round.judge(condition, rule, alert).await);
    }
    let outcome = worst(judged.iter().map(|one| one.outcome));
    let decisive: Vec<_> =
        judged.into_iter().filter(|one| one.outcome == outcome).map(|one| one.sentence).collect();
    Judged { outcome, sentence: decisive.join(" and ") }
}

/// The sentences, those that decided first, each once.
fn detail(outcome: CheckOutcome, judged: Vec<Judged>) -> String {
    let (decisive, others): (Vec<_>, Vec<_>) = judged.into_iter().partition(|one| one.outcome == outcome);
    let mut told = BTreeSet::new();
    let all = decisive.into_iter().chain(others).map(|one| one.sentence);
    let sentences: Vec<_> = all.filter(|sentence| told.insert(sentence.clone())).collect();
    let mut text = sentences.iter().take(MAX_SENTENCES).cloned().collect::<Vec<_>>().join("; ");
    if sentences.len() > MAX_SENTENCES {
        text.push_str(&format!("; and {} more", sentences.len() - MAX_SENTENCES));
    }
    text
}

#[cfg(test)]
mod tests;
