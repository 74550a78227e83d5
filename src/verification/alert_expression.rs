//! Whether what the alerts were about is over, by their own expressions.

use std::sync::Arc;

use async_trait::async_trait;

use super::CanaryRequests;
use super::expressions::Expressions;
use super::probe::{CanaryEnd, Probe, Round, Seen};
use crate::incident::{CheckName, CheckOutcome};
use crate::signals::RuleSource;

/// Every alert's own expression is below its threshold.
#[derive(Debug, Clone)]
pub struct AlertExpression {
    /// `None`: there is no Prometheus to ask.
    pub prometheus: Option<Arc<dyn RuleSource>>,
    /// Whether requests still reach the canary: where none does, its errors and latencies are no number, and
    /// would never be known.
    pub requests: CanaryRequests,
}

#[async_trait]
impl Probe for AlertExpression {
    fn name(&self) -> CheckName {
        CheckName::AlertExpression
    }

    async fn read(&self, round: &Round<'_>) -> Seen {
        let Some(prometheus) = &self.prometheus else {
            return Seen::left_out("prometheus.url is not configured");
        };
        if round.alerts.is_empty() {
            return Seen::left_out("no alert caused it");
        }
        let mut expressions = match Expressions::of(prometheus.as_ref()).await {
            Ok(expressions) => expressions,
            Err(error) => return Seen::unknown(error.to_string()),
        };
        if round.canary_is_gone().await {
            return expressions.seen(round.alerts, Some(CanaryEnd::NoPods)).await;
        }
        let seen = expressions.seen(round.alerts, None).await;
        let is_unknown = seen.outcome == CheckOutcome::Unknown;
        if is_unknown && self.requests.read(round).await.outcome == CheckOutcome::Pass {
            return expressions.seen(round.alerts, Some(CanaryEnd::NoRequests)).await;
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::execution::ReadError;
    use crate::incident::{Alert, Observation, Share};
    use crate::verification::canary_requests::question;
    use crate::verification::fixtures::{Scripted, alert};
    use crate::verification::probe::Subject;
    use crate::verification::{CanaryRequests, RequestCounter};
    use CheckOutcome::{Gone, Unknown};

    #[derive(Debug)]
    struct Flag;

    #[async_trait]
    impl Subject for Flag {
        fn alerts(&self) -> Option<Vec<Alert>> {
            None
        }

        async fn observe(&self) -> Result<Observation, ReadError> {
            Ok(Observation::of_share(Share::ZERO))
        }
    }

    /// What `Slow` is said to be after a rollback by a flag, whose expression is no number any more, with this
    /// many requests counted in the last minutes and a hundred before.
    async fn seen(after: Option<f64>, off_seconds: u64) -> CheckOutcome {
        let counter = RequestCounter {
            canary: "requests{track=\"canary\"}".to_owned(),
            labelled: "requests{track=\"canary\"}".to_owned(),
            stable: None,
            targets: "up".to_owned(),
        };
        let window_seconds = (off_seconds - 30).min(150);
        let asked = question(&counter, window_seconds, off_seconds + 1);
        let counted =
            [("after", after), ("before", Some(100.0)), ("scrapes", Some(9.0)), ("labelled", Some(1.0))];
        let source = Scripted::default().with_rule("Slow", "slow > 0.03", &[]);
        let source = source.with_value("slow", &[], f64::NAN);
        let source = counted.into_iter().fold(source, |source, (name, value)| match value {
            Some(value) => source.with_value(&asked, &[("seen", name)], value),
            None => source,
        });
        let source = Arc::new(source);
        let prometheus: Arc<dyn RuleSource> = source.clone();
        let requests = CanaryRequests::of(Some(Arc::clone(&prometheus)), Some(counter));
        let probe = AlertExpression { prometheus: Some(prometheus), requests: requests.clone() };
        let alerts = [alert("Slow", &[])];
        let round = Round::new(&Flag, &alerts, Duration::from_secs(off_seconds));
        let outcome = probe.read(&round).await.outcome;
        requests.read(&round).await;
        let mut questions = source.asked.lock().expect("no panic").clone();
        questions.sort();
        let all = questions.len();
        questions.dedup();
        assert_eq!(questions.len(), all, "each is asked once in a round: {questions:?}");
        outcome
    }

    #[tokio::test]
    async fn an_expression_without_a_number_is_left_out_once_no_request_reaches_the_canary() {
        for (after, off_seconds, outcome, case) in [
            (Some(0.0), 300, Gone, "none for minutes"),
            (Some(0.0), 60, Unknown, "it is too early to say so"),
            (Some(2.0), 300, Unknown, "a few, of which nobody knows what they are"),
            (Some(90.0), 300, Unknown, "its traffic goes on"),
            (None, 300, Unknown, "nobody knows"),
        ] {
            assert_eq!(seen(after, off_seconds).await, outcome, "{case}");
        }
    }
}
