//! Whether a rollout's rules can see what they judge: what Prometheus has of its metrics.

use std::time::Duration;

use crate::config::{Config, DEFAULT_CANARY, MetricsConfig, Problem, RolloutConfig};
use crate::outbound::{ConnectError, Connections};
use crate::promql::series;
use crate::signals::{Prometheus, RuleSource, SignalError};

/// How long Prometheus may take for one question: a person waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The rules' longest window.
const WINDOW: &str = "5m";

/// Samples that the longest window needs, so that one of a minute has two: as the rule
/// `CanaryScrapesRare` has it.
const LEAST_SAMPLES: f64 = 9.0;

/// Durations that a histogram must be able to tell from longer ones, in seconds.
const REQUEST_EDGES: &[f64] = &[0.25, 0.4];
/// The same of a database query.
const QUERY_EDGES: &[f64] = &[0.1];

/// The protocol's shares in percent, beside 100, at which there is no other version.
const SHARES: [f64; 4] = [1.0, 5.0, 25.0, 50.0];

/// What there is to say for whoever checks a configuration, all of it warnings; with the reason, if
/// Prometheus can't be asked.
pub async fn problems(config: &Config, rollouts: &[RolloutConfig]) -> Vec<Problem> {
    let source = match source(config) {
        Ok(source) => source,
        Err(error) => {
            let message = format!("can't be asked for the rules' metrics: {error}");
            return vec![warning(config, "prometheus", message, "mend its access keys".to_owned())];
        }
    };
    let mut problems = Vec::new();
    for rollout in rollouts {
        let key = |name: &str| {
            let index =
                config.rollouts.iter().position(|known| known.name == rollout.name).unwrap_or_default();
            format!("rollouts[{index}].metrics.{name}")
        };
        match &source {
            // Of any other matchers nothing is known without asking.
            None if rollout.metrics.canary != DEFAULT_CANARY => {}
            None => {
                let (message, remedy) = floor("is the default, and where no series carries `track`,");
                problems.push(warning(config, &key("canary"), message, remedy));
            }
            Some(source) => match doubts(source, &rollout.metrics).await {
                Ok(found) => problems.extend(
                    found
                        .into_iter()
                        .map(|doubt| warning(config, &key(doubt.key), doubt.message, doubt.remedy)),
                ),
                Err(error) => {
                    let message = format!("can't be asked for the rules' metrics: {error}");
                    problems.push(warning(
                        config,
                        "prometheus.url",
                        message,
                        "start it, or try again later".to_owned(),
                    ));
                    break;
                }
            },
        }
    }
    problems
}

fn source(config: &Config) -> Result<Option<Prometheus>, ConnectError> {
    let Some(url) = config.prometheus.url.clone() else { return Ok(None) };
    let outbound = Connections::default().to(&config.prometheus.access, TIMEOUT)?;
    Ok(Some(Prometheus::new(outbound, url)))
}

/// From which share on a fault is seen where all requests count as the canary's.
fn floor(what: &str) -> (String, String) {
    // A fault of the canary's is diluted by its share; above 100 % it can't be.
    let seen = |threshold: f64| {
        let floors = SHARES.map(|share| {
            let floor = threshold * 100.0 / share;
            if floor > 100.0 {
                format!("never at {share} %")
            } else {
                format!("from {floor:.0} % at {share} %")
            }
        });
        floors.join(", ")
    };
    let message = format!(
        "{what} nothing distinguishes the canary from stable: errors of the canary open a grace {}, and roll back at once {}",
        seen(1.5),
        seen(3.0)
    );
    let remedy =
        "let the application label its series by variant, and write such as canary = 'variant=\"v1.4.0\"'";
    (message, remedy.to_owned())
}

/// What is wrong at a key of `[rollouts.metrics]`, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) key: &'static str,
    /// Continues the key.
    pub(super) message: String,
    pub(super) remedy: String,
    /// Whether a rule sees nothing by it, and not only less or later.
    pub(super) is_blind: bool,
}

impl Doubt {
    fn new(key: &'static str, message: String, remedy: impl Into<String>) -> Self {
        Self { key, message, remedy: remedy.into(), is_blind: false }
    }

    fn blind(key: &'static str, message: String, remedy: impl Into<String>) -> Self {
        Self { is_blind: true, ..Self::new(key, message, remedy) }
    }
}

fn warning(config: &Config, key: &str, message: String, remedy: String) -> Problem {
    Problem::warning(&config.file, key, message, remedy)
}

/// Whether the metrics are there, and can be judged.
///
/// # Errors
/// See [`SignalError`].
pub(super) async fn doubts(source: &Prometheus, metrics: &MetricsConfig) -> Result<Vec<Doubt>, SignalError> {
    Asked { source, metrics }.all().await
}

/// Whether what is there is fresh enough for the rules' windows.
///
/// # Errors
/// See [`SignalError`].
pub(super) async fn freshness(
    source: &Prometheus,
    metrics: &MetricsConfig,
) -> Result<Vec<Doubt>, SignalError> {
    Asked { source, metrics }.freshness().await
}

/// One rollout's questions.
struct Asked<'a> {
    source: &'a Prometheus,
    metrics: &'a MetricsConfig,
}

impl Asked<'_> {
    async fn has(&self, series: &str) -> Result<bool, SignalError> {
        Ok(!self.source.query(&format!("count(last_over_time({series}[1h]))")).await?.is_empty())
    }

    async fn all(&self) -> Result<Vec<Doubt>, SignalError> {
        let mut found = self.missing().await?;
        let metrics = self.metrics;
        if let Some(requests) = &metrics.requests {
            found.extend(self.versions(requests).await?);
        }
        if let Some(histogram) = &metrics.request_duration {
            found.extend(self.edges("request_duration", histogram, &metrics.selector, REQUEST_EDGES).await?);
        }
        if let Some(histogram) = &metrics.database_duration {
            found.extend(
                self.edges("database_duration", histogram, &metrics.database_selector, QUERY_EDGES).await?,
            );
        }
        Ok(found)
    }

    /// Whether requests of the canary and of stable can be told apart.
    async fn versions(&self, requests: &str) -> Result<Option<Doubt>, SignalError> {
        let metrics = self.metrics;
        let Some(stable) = &metrics.stable else {
            let message = "is missing, and canary has several matchers: that the canary has no requests while stable is busy is never noticed";
            let remedy = "write stable's matchers, such as stable = 'track=\"stable\"'";
            return Ok(Some(Doubt::new("stable", message.to_owned(), remedy)));
        };
        if !self.has(&series(requests, &[&metrics.selector])).await? {
            // Said already: the metric is missing.
            return Ok(None);
        }
        if !self.has(&series(requests, &[&metrics.selector, &metrics.canary])).await? {
            let message = format!(
                "is {}, and no {requests} has carried that for an hour: right while no canary runs",
                metrics.canary
            );
            let remedy = "compare it with the labels of a canary's series in Prometheus";
            return Ok(Some(Doubt::new("canary", message, remedy)));
        }
        let told_apart = self.has(&series(requests, &[&metrics.selector, stable])).await?;
        Ok((!told_apart).then(|| {
            let (message, remedy) =
                floor(&format!("is {}, and no {requests} has carried {stable} for an hour:", metrics.canary));
            Doubt::new("canary", message, remedy)
        }))
    }

    /// The series that rules expect, by their keys. Counters of events are born with their first: that
    /// they are not there says nothing.
    fn expected(&self) -> Vec<(&'static str, String, String)> {
        let metrics = self.metrics;
        let bucket = |name: &String| format!("{name}_bucket");
        let expected = [
            ("requests", metrics.requests.clone(), &metrics.selector),
            ("request_duration", metrics.request_duration.as_ref().map(bucket), &metrics.selector),
            ("staleness", metrics.staleness.clone(), &metrics.selector),
            ("database_duration", metrics.database_duration.as_ref().map(bucket), &metrics.database_selector),
        ];
        let named = expected.into_iter().filter_map(|(key, name, selector)| Some((key, name?, selector)));
        named
            .map(|(key, name, selector)| {
                let wanted = series(&name, &[selector]);
                (key, name, wanted)
            })
            .collect()
    }

    /// What has come within an hour, but not lately or not often enough.
    async fn freshness(&self) -> Result<Vec<Doubt>, SignalError> {
        let mut found = Vec::new();
        for (key, name, wanted) in self.expected() {
            if !self.has(&wanted).await? {
                // Said already: it is missing.
                continue;
            }
            let counted = self.source.query(&format!("max(count_over_time({wanted}[{WINDOW}]))")).await?;
            let samples = counted.first().map_or(0.0, |sample| sample.value);
            if samples == 0.0 {
                found.push(Doubt::blind(
                    key,
                    format!("is {name}, and Prometheus has had no sample of {wanted} for {WINDOW}, the longest window: its rule is blind now"),
                    "see why its target is gone or fails: Status > Targets in Prometheus",
                ));
            } else if samples < LEAST_SAMPLES {
                found.push(Doubt::new(
                    key,
                    format!("is {name}, of which Prometheus has {samples} samples in {WINDOW}: too few for windows of a minute"),
                    "scrape it every 15 s, at least every 30 s",
                ));
            }
        }
        Ok(found)
    }

    /// Metrics of which Prometheus has had no series for an hour.
    async fn missing(&self) -> Result<Vec<Doubt>, SignalError> {
        let metrics = self.metrics;
        let mut found = Vec::new();
        for (key, name, wanted) in self.expected() {
            if !self.has(&wanted).await? {
                let message =
                    format!("is {name}, and Prometheus has had no {wanted} for an hour: its rule can't fire");
                let remedy = format!(
                    "correct the name or the selector, or write {key} = \"none\" if there is no such metric"
                );
                found.push(Doubt::blind(key, message, remedy));
            }
        }
        if let Some(prefix) = &metrics.pgbouncer {
            let name = format!("__name__=~\"{prefix}_(active|active_connections)\"");
            if !self.has(&series("", &[&name, &metrics.pgbouncer_selector])).await? {
                let message = format!(
                    "is {prefix}, and Prometheus has had no {prefix}_active or {prefix}_active_connections for an hour: its rule can't fire"
                );
                let remedy = "correct the name or pgbouncer_selector, or write pgbouncer = \"none\"";
                found.push(Doubt::blind("pgbouncer", message, remedy));
            }
        }
        Ok(found)
    }

    /// Thresholds at which no bucket ends: what lies in the bucket around one counts as fast.
    async fn edges(
        &self,
        key: &'static str,
        name: &str,
        selector: &str,
        edges: &[f64],
    ) -> Result<Vec<Doubt>, SignalError> {
        let buckets = series(&format!("{name}_bucket"), &[selector]);
        let known = self.source.query(&format!("count by (le) (last_over_time({buckets}[1h]))")).await?;
        let known: Vec<f64> =
            known.iter().filter_map(|sample| sample.labels.get("le")?.parse().ok()).collect();
        if known.is_empty() {
            return Ok(Vec::new());
        }
        // The quantile never exceeds the last finite edge, so there has to be one above, too.
        let ends_at = |edge: &f64| known.iter().any(|known| (known - edge).abs() < 1e-9);
        let goes_on = |edge: &f64| known.iter().any(|known| known.is_finite() && known > edge);
        let missing = edges.iter().filter(|edge| !ends_at(edge) || !goes_on(edge));
        Ok(missing
            .map(|edge| {
                let next = known.iter().copied().filter(|known| known > edge).fold(f64::INFINITY, f64::min);
                let seen = if next.is_finite() {
                    format!("only what is slower than {next} s counts as slower than {edge} s")
                } else {
                    format!("nothing is ever known to be slower than {edge} s, and the rule can't fire")
                };
                let what = if ends_at(edge) { "no bucket above" } else { "no bucket that ends at" };
                let message = format!("is {name}, which has {what} {edge} s: {seen}");
                let remedy = format!("give the histogram a bucket that ends at {edge}, and one above it");
                Doubt { is_blind: !ends_at(edge) && !next.is_finite(), ..Doubt::new(key, message, remedy) }
            })
            .collect())
    }
}
