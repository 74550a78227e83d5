//! Whether requests still reach the canary, by its own counter.
//!
//! The share is what a traffic system says of itself; the counter is what its pods saw. It is no exact
//! witness: what was begun ends later, clients learn of a flag after a while, probes may count as
//! requests. So it is never essential, is asked about the last minutes only and not about all since the
//! rollback, and little beside what there was before is not called traffic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::probe::{Probe, Round, Seen};
use crate::incident::CheckName;
use crate::signals::{RuleSource, Sample};

/// What is less than this part of the requests before the rollback is not the canary's traffic: the
/// protocol's smallest stage is a hundredth of all, and stragglers and probes are fewer still.
const FEW: f64 = 0.1;

/// Between two scrapes that are seen lies what is counted.
const LEAST_SCRAPES: f64 = 2.0;

/// What tells one scraped target from another.
const TARGET: &str = "namespace, instance, pod";

/// How long is waited, and how far is looked back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTimes {
    /// From traffic off until nothing may be counted any more.
    pub settle: Duration,
    /// The shortest time without requests that says anything.
    pub quiet: Duration,
    /// The longest time that is looked back: what came once ends before the verification does.
    pub longest: Duration,
}

impl Default for RequestTimes {
    /// Half a minute is what flag clients poll by and most requests last; two and a half minutes see two
    /// scrapes where there is one a minute.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { settle: seconds(30), quiet: seconds(60), longest: seconds(150) }
    }
}

/// Where the requests are counted, each a selector of PromQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCounter {
    /// The canary's counter of requests.
    pub canary: String,
    /// The same where it really has the labels that tell it from stable's.
    pub labelled: String,
    /// Stable's counter, where it is known how to select it.
    pub stable: Option<String>,
    /// `up` of what may be the canary's.
    pub targets: String,
}

/// No request reaches the canary, by its own counter in Prometheus.
#[derive(Debug, Clone)]
pub struct CanaryRequests {
    /// `None`: there is no Prometheus to ask.
    pub prometheus: Option<Arc<dyn RuleSource>>,
    /// `None`: the application counts no requests.
    pub counter: Option<RequestCounter>,
    pub times: RequestTimes,
}

#[cfg(test)]
impl CanaryRequests {
    pub(super) fn of(prometheus: Option<Arc<dyn RuleSource>>, counter: Option<RequestCounter>) -> Self {
        Self { prometheus, counter, times: RequestTimes::default() }
    }
}

#[async_trait]
impl Probe for CanaryRequests {
    fn name(&self) -> CheckName {
        CheckName::CanaryRequests
    }

    async fn read(&self, round: &Round<'_>) -> Seen {
        round.canary_requests.get_or_init(|| self.look(round)).await.clone()
    }
}

impl CanaryRequests {
    async fn look(&self, round: &Round<'_>) -> Seen {
        let Some(prometheus) = &self.prometheus else {
            return Seen::left_out("prometheus.url is not configured");
        };
        let Some(counter) = &self.counter else {
            return Seen::left_out("metrics.requests is \"none\"");
        };
        let since_settled = round.off_for.saturating_sub(self.times.settle);
        let window_seconds = since_settled.min(self.times.longest).as_secs().max(1);
        let off_seconds = round.off_for.as_secs() + 1;
        let answer = match prometheus.query(&question(counter, window_seconds, off_seconds)).await {
            Ok(answer) => answer,
            Err(error) => return Seen::unknown(error.to_string()),
        };
        let has_no_pods = round.canary_is_gone().await;
        let counted = Counted { window_seconds, off_seconds, has_no_pods, ..Counted::of(&answer) };
        counted.judged(self.times)
    }
}

/// All that has to be known, in one question, so that it is of one moment. Each element of the answer
/// says what it is by its label `seen`.
pub(super) fn question(counter: &RequestCounter, window_seconds: u64, off_seconds: u64) -> String {
    let RequestCounter { canary, labelled, stable, targets } = counter;
    let window = format!("[{window_seconds}s]");
    let parts = [
        // Only what is there now: what went away with its pod is no request to come.
        Some(("after", format!("sum(increase({canary}{window}) and {canary})"))),
        Some(("before", format!("sum(increase({canary}{window} offset {off_seconds}s))"))),
        Some(("scrapes", format!("max(count_over_time({canary}{window}) and {canary})"))),
        Some(("labelled", format!("count(last_over_time({labelled}[15m]))"))),
        stable.as_ref().map(|stable| ("stable", format!("count(last_over_time({stable}[15m]))"))),
        Some(("down", format!("count({targets} == 0 and on ({TARGET}) last_over_time({canary}[15m]))"))),
    ];
    let named =
        |(name, query): (&str, String)| format!("label_replace({query}, \"seen\", \"{name}\", \"\", \"\")");
    parts.into_iter().flatten().map(named).collect::<Vec<_>>().join("\nor\n")
}

/// What Prometheus and the target say at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    window_seconds: u64,
    off_seconds: u64,
    /// The target says that the canary has none.
    has_no_pods: bool,
    /// Whether the canary's requests are counted apart from stable's.
    is_told_apart: bool,
    /// How often the canary was scraped in the window; `None`: it counts no more.
    scrapes: Option<f64>,
    /// Requests in the window.
    after: Option<f64>,
    /// Requests in as long before the traffic was taken off.
    before: Option<f64>,
    /// Targets that counted its requests and can't be scraped.
    down: f64,
}

impl Counted {
    fn of(answer: &[Sample]) -> Self {
        let seen = |sample: &Sample| Some((sample.labels.get("seen")?.clone(), sample.value));
        let seen: BTreeMap<_, _> = answer.iter().filter_map(seen).collect();
        let value = |name: &str| seen.get(name).copied();
        Self {
            is_told_apart: value("labelled").or(value("stable")).is_some(),
            scrapes: value("scrapes"),
            after: value("after"),
            before: value("before"),
            down: value("down").unwrap_or(0.0),
            ..Self::default()
        }
    }

    fn judged(&self, times: RequestTimes) -> Seen {
        let Self { window_seconds, off_seconds, .. } = *self;
        if !self.is_told_apart {
            return Seen::left_out(
                "Prometheus counts no requests of the canary alone: nothing there has the labels of metrics.canary or metrics.stable",
            );
        }
        let Some(scrapes) = self.scrapes else {
            return if self.has_no_pods {
                Seen::pass("the canary has no pods, and nothing counts any more")
            } else {
                Seen::unknown(
                    "Prometheus has no requests of the canary any more, and nothing says that its pods are gone",
                )
            };
        };
        let from_seconds = (times.settle + times.quiet).as_secs();
        if off_seconds <= from_seconds {
            return Seen::unknown(format!(
                "what is counted is judged once the traffic has been off for {from_seconds} s"
            ));
        }
        if self.down > 0.0 {
            return Seen::unknown(format!(
                "{} of the canary's targets can't be scraped, so what they count is not seen",
                self.down
            ));
        }
        let (Some(after), true) = (self.after, scrapes >= LEAST_SCRAPES) else {
            return Seen::unknown(format!("it was scraped only once in the last {window_seconds} s"));
        };
        let before = self.before.unwrap_or(0.0);
        let beside = match self.before {
            Some(before) => format!("about {before:.0} in as long before the rollback"),
            None => "nobody knows how many before the rollback".to_owned(),
        };
        let said = format!("about {:.0} in the last {window_seconds} s, {beside}", after.ceil());
        if after > before * FEW {
            Seen::fail(said)
        } else if after > 0.0 {
            Seen::unknown(format!(
                "{said}: too few to be its traffic; metrics.user_requests leaves out what probes request"
            ))
        } else if after == 0.0 {
            Seen::pass(format!("none in the last {window_seconds} s, {beside}"))
        } else {
            Seen::unknown("what was counted is no number")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::CheckOutcome::{self, Fail, NotConfigured, Pass, Unknown};

    const WELL: Counted = Counted {
        window_seconds: 60,
        off_seconds: 120,
        has_no_pods: false,
        is_told_apart: true,
        scrapes: Some(4.0),
        after: Some(0.0),
        before: Some(400.0),
        down: 0.0,
    };

    #[test]
    fn only_a_counter_that_is_seen_to_stand_still_passes_and_only_traffic_fails() {
        let cases: [(Counted, CheckOutcome, &str); 15] = [
            (WELL, Pass, "none in the last 60 s, about 400 in as long before"),
            (Counted { before: None, ..WELL }, Pass, "nobody knows how many before"),
            (Counted { after: Some(399.2), ..WELL }, Fail, "about 400 in the last 60 s, about 400"),
            (Counted { after: Some(41.0), ..WELL }, Fail, "about 41 in the last 60 s"),
            (
                Counted { after: Some(0.4), ..WELL },
                Unknown,
                "about 1 in the last 60 s, about 400 in as long before the rollback: too few",
            ),
            (Counted { after: Some(40.0), ..WELL }, Unknown, "metrics.user_requests"),
            (Counted { after: Some(2.0), before: None, ..WELL }, Fail, "nobody knows how many before"),
            (Counted { after: Some(f64::NAN), ..WELL }, Unknown, "no number"),
            (Counted { off_seconds: 90, after: Some(400.0), ..WELL }, Unknown, "off for 90 s"),
            (Counted { off_seconds: 91, after: Some(400.0), ..WELL }, Fail, "about 400"),
            (Counted { down: 1.0, ..WELL }, Unknown, "1 of the canary's targets can't be scraped"),
            (Counted { scrapes: Some(1.0), after: None, ..WELL }, Unknown, "scraped only once"),
            (Counted { scrapes: None, after: None, ..WELL }, Unknown, "nothing says that its pods are gone"),
            (
                Counted { scrapes: None, after: None, off_seconds: 5, has_no_pods: true, ..WELL },
                Pass,
                "has no pods",
            ),
            (Counted { is_told_apart: false, after: Some(400.0), ..WELL }, NotConfigured, "metrics.canary"),
        ];
        for (counted, outcome, words) in cases {
            let seen = counted.judged(RequestTimes::default());
            assert!(seen.outcome == outcome && seen.detail.contains(words), "{counted:?}: {seen:?}");
        }
        let with_pods_gone = Counted { has_no_pods: true, after: Some(400.0), ..WELL };
        let seen = with_pods_gone.judged(RequestTimes::default());
        assert_eq!(
            seen.outcome, Fail,
            "something else carries the canary's labels, or the pods are not gone"
        );
    }

    #[test]
    fn requests_are_told_apart_by_the_canarys_label_or_by_stables_series() {
        let sample = |(name, value): &(&str, f64)| Sample {
            labels: BTreeMap::from([("seen".to_owned(), (*name).to_owned())]),
            value: *value,
        };
        for (answer, told_apart) in [
            (&[("after", 3.0), ("scrapes", 2.0)][..], false),
            (&[("after", 3.0), ("labelled", 2.0)], true),
            (&[("after", 3.0), ("stable", 7.0)], true),
            (&[], false),
        ] {
            let answer: Vec<_> = answer.iter().map(sample).collect();
            assert_eq!(Counted::of(&answer).is_told_apart, told_apart, "{answer:?}");
        }
    }
}
