//! Without which metrics a query can have no answer, whatever the canary does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A metric, and whose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    /// PromQL matchers of the application's series, as its configuration has them; empty: anybody's will do.
    pub whose: String,
    pub name: String,
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whose, name } = self;
        if whose.is_empty() { f.write_str(name) } else { write!(f, "{name}{{{whose}}}") }
    }
}

impl Metric {
    /// What Prometheus is asked, to find out which of these it has: a question for each application that is meant,
    /// whose answer has a series for each name.
    #[must_use]
    pub fn questions<'a>(metrics: impl IntoIterator<Item = &'a Self>) -> BTreeMap<&'a str, String> {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for metric in metrics {
            names.entry(&metric.whose).or_default().push(&metric.name);
        }
        let question = |(whose, names): (&'a str, Vec<&str>)| {
            let whose_matchers = if whose.is_empty() { String::new() } else { format!(",{whose}") };
            let names = names.join("|");
            (whose, format!("count by (__name__) ({{__name__=~\"{names}\"{whose_matchers}}})"))
        };
        names.into_iter().map(question).collect()
    }
}

/// The metrics of a query, as far as it needs them: of `a or b` one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    Metric(Metric),
    All(Vec<Needs>),
    Any(Vec<Needs>),
}

impl Needs {
    /// Every metric that is named.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<&Metric> {
        match self {
            Self::Metric(metric) => BTreeSet::from([metric]),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::metrics).collect(),
        }
    }

    /// Whether these metrics are enough for an answer.
    #[must_use]
    pub fn are_met_by(&self, known: &BTreeSet<Metric>) -> bool {
        match self {
            Self::Metric(metric) => known.contains(metric),
            Self::All(parts) => parts.iter().all(|part| part.are_met_by(known)),
            Self::Any(parts) => parts.is_empty() || parts.iter().any(|part| part.are_met_by(known)),
        }
    }

    /// The metrics that are not among these, for people: `a and b`, empty where none is missing.
    #[must_use]
    pub fn missing(&self, known: &BTreeSet<Metric>) -> String {
        let missing = self.metrics().into_iter().filter(|metric| !known.contains(*metric));
        missing.map(ToString::to_string).collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> Metric {
        Metric { whose: String::new(), name: name.to_owned() }
    }

    #[test]
    fn of_alternatives_one_is_enough_and_of_all_else_every_one_is_needed() {
        let one = |name: &str| Needs::Metric(metric(name));
        let errors = Needs::Any(vec![one("errors"), one("up")]);
        let ratio = Needs::All(vec![errors, one("requests")]);
        for (known, is_met, missing) in [
            (&["errors", "up", "requests"][..], true, ""),
            (&["up", "requests"], true, "errors"),
            (&["errors", "requests"], true, "up"),
            (&["requests"], false, "errors and up"),
            (&["errors", "up"], false, "requests"),
            (&[], false, "errors and requests and up"),
        ] {
            let known = known.iter().map(|name| metric(name)).collect();
            assert_eq!(ratio.are_met_by(&known), is_met, "{known:?}");
            assert_eq!(ratio.missing(&known), missing, "{known:?}");
        }
        assert!(Needs::All(Vec::new()).are_met_by(&BTreeSet::new()), "a number needs nothing");
    }

    #[test]
    fn a_metric_of_another_application_is_none_of_this_one() {
        let ours = Metric { whose: "job=\"spark\"".to_owned(), ..metric("requests") };
        let theirs = Metric { whose: "job=\"other\"".to_owned(), ..metric("requests") };
        let needs = Needs::Metric(ours.clone());
        assert!(needs.are_met_by(&BTreeSet::from([ours.clone()])));
        assert!(!needs.are_met_by(&BTreeSet::from([theirs, metric("requests")])));
        assert_eq!(needs.missing(&BTreeSet::new()), "requests{job=\"spark\"}");
    }

    #[test]
    fn prometheus_is_asked_once_for_each_application() {
        let ours = |name: &str| Metric { whose: "job=\"spark\"".to_owned(), ..metric(name) };
        let all = [ours("a"), ours("b"), metric("c")];
        let questions = Metric::questions(&all);
        let expected = [
            ("", "count by (__name__) ({__name__=~\"c\"})"),
            ("job=\"spark\"", "count by (__name__) ({__name__=~\"a|b\",job=\"spark\"})"),
        ];
        assert!(questions.iter().map(|(whose, text)| (*whose, text.as_str())).eq(expected), "{questions:?}");
    }
}
