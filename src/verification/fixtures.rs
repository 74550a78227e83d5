//! What the tests of this room share: a Prometheus that answers by script.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::incident::Alert;
use crate::incident::fixtures::firing;
use crate::signals::{AlertRule, RuleAnswer, RuleSource, Sample, SignalError};

pub(super) type Pairs<'a> = &'a [(&'a str, &'a str)];

fn pairs(pairs: Pairs<'_>) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is not scripted is empty; `dead` answers nothing.
#[derive(Debug, Default)]
pub(super) struct Scripted {
    rules: Vec<AlertRule>,
    values: BTreeMap<String, Vec<Sample>>,
    pub(super) dead: bool,
    pub(super) asked: Mutex<Vec<String>>,
}

impl Scripted {
    pub(super) fn with_rule(mut self, name: &str, query: &str, labels: Pairs<'_>) -> Self {
        let rule = AlertRule {
            name: name.to_owned(),
            query: query.to_owned(),
            labels: pairs(labels),
            ..AlertRule::default()
        };
        self.rules.push(rule);
        self
    }

    pub(super) fn with_value(mut self, query: &str, labels: Pairs<'_>, value: f64) -> Self {
        self.values.entry(query.to_owned()).or_default().push(Sample { labels: pairs(labels), value });
        self
    }
}

#[async_trait]
impl RuleSource for Scripted {
    async fn reading(&self, _: &[Alert], _: DateTime<Utc>) -> Result<RuleAnswer, SignalError> {
        Err(SignalError::NoAnswer("not scripted".to_owned()))
    }

    async fn rules(&self) -> Result<Vec<AlertRule>, SignalError> {
        Ok(self.rules.clone())
    }

    async fn query(&self, expression: &str) -> Result<Vec<Sample>, SignalError> {
        self.asked.lock().expect("no panic").push(expression.to_owned());
        if self.dead {
            return Err(SignalError::NoAnswer("timed out".to_owned()));
        }
        Ok(self.values.get(expression).cloned().unwrap_or_default())
    }

    async fn clock(&self) -> Result<DateTime<Utc>, SignalError> {
        Ok(DateTime::UNIX_EPOCH)
    }
}

pub(super) fn alert(name: &str, labels: Pairs<'_>) -> Alert {
    let labels = [&[("alertname", name)], labels].concat();
    firing(&format!("{labels:?}"), &labels, DateTime::UNIX_EPOCH)
}
