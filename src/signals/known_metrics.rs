//! Which metrics of an application a Prometheus has.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::{RuleSource, SignalError};
use crate::ramp::Metric;

/// Those of these metrics of which it has a series now.
///
/// # Errors
/// See [`SignalError`].
pub async fn known_metrics(
    prometheus: &dyn RuleSource,
    wanted: &BTreeSet<&Metric>,
) -> Result<BTreeSet<Metric>, SignalError> {
    let questions = Metric::questions(wanted.iter().copied());
    let asked = questions.iter().map(|(whose, question)| async move {
        let found = prometheus.query(question).await?.into_iter();
        let named = found.filter_map(|mut sample| sample.labels.remove("__name__"));
        Ok::<_, SignalError>(
            named.map(|name| Metric { whose: (*whose).to_owned(), name }).collect::<Vec<_>>(),
        )
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}
