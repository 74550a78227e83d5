//! Without which metrics a query can have no answer, whatever the canary does.

use std::collections::BTreeSet;

/// The metrics of a query, as far as it needs them: of `a or b` one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    Metric(String),
    All(Vec<Needs>),
    Any(Vec<Needs>),
}

impl Needs {
    /// Every metric that is named.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<&str> {
        match self {
            Self::Metric(name) => BTreeSet::from([name.as_str()]),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::metrics).collect(),
        }
    }

    /// Whether these metrics are enough for an answer.
    #[must_use]
    pub fn are_met_by(&self, known: &BTreeSet<String>) -> bool {
        match self {
            Self::Metric(name) => known.contains(name),
            Self::All(parts) => parts.iter().all(|part| part.are_met_by(known)),
            Self::Any(parts) => parts.is_empty() || parts.iter().any(|part| part.are_met_by(known)),
        }
    }

    /// The metrics that are not among these.
    #[must_use]
    pub fn missing(&self, known: &BTreeSet<String>) -> Vec<&str> {
        self.metrics().into_iter().filter(|name| !known.contains(*name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_alternatives_one_is_enough_and_of_all_else_every_one_is_needed() {
        let metric = |name: &str| Needs::Metric(name.to_owned());
        let errors = Needs::Any(vec![metric("errors"), metric("up")]);
        let ratio = Needs::All(vec![errors, metric("requests")]);
        for (known, is_met, missing) in [
            (&["errors", "up", "requests"][..], true, &[][..]),
            (&["up", "requests"], true, &["errors"]),
            (&["errors", "requests"], true, &["up"]),
            (&["requests"], false, &["errors", "up"]),
            (&["errors", "up"], false, &["requests"]),
            (&[], false, &["errors", "requests", "up"]),
        ] {
            let known = known.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(ratio.are_met_by(&known), is_met, "{known:?}");
            assert_eq!(ratio.missing(&known), missing, "{known:?}");
        }
        assert!(Needs::All(Vec::new()).are_met_by(&BTreeSet::new()), "a number needs nothing");
    }
}
