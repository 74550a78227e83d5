//! Whether a rollout's rules can see what they judge: what Prometheus has of its metrics.

use std::time::Duration;

use super::check_config::warning;
use crate::config::{Config, DEFAULT_CANARY, MetricsConfig, Problem, RolloutConfig};
use crate::outbound::{ConnectError, Connections};
use crate::rules::promql::series;
use crate::signals::{Prometheus, RuleSource, SignalError};

/// How long Prometheus may take for one question: a person waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Durations that a histogram must be able to tell from longer ones, in seconds.
const REQUEST_EDGES: &[f64] = &[0.25, 0.4];
/// The same of a database query.
const QUERY_EDGES: &[f64] = &[0.1];

/// The protocol's shares in percent, beside 100, at which there is no other version.
const SHARES: [f64; 4] = [1.0, 5.0, 25.0, 50.0];

/// What there is to say, all of it warnings; with the reason, if Prometheus can't be asked.
pub(super) async fn problems(config: &Config, rollouts: &[RolloutConfig]) -> Vec<Problem> {
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
            Some(source) => match Asked::of(source, &rollout.metrics).all().await {
                Ok(found) => {
                    let found = found.into_iter();
                    problems.extend(
                        found.map(|(name, message, remedy)| warning(config, &key(name), message, remedy)),
                    );
                }
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

/// A key of the section, what is wrong, and what to do.
type Found = (&'static str, String, String);

/// One rollout's questions.
struct Asked<'a> {
    source: &'a Prometheus,
    metrics: &'a MetricsConfig,
}

impl<'a> Asked<'a> {
    fn of(source: &'a Prometheus, metrics: &'a MetricsConfig) -> Self {
        Self { source, metrics }
    }

    async fn has(&self, series: &str) -> Result<bool, SignalError> {
        Ok(!self.source.query(&format!("count(last_over_time({series}[1h]))")).await?.is_empty())
    }

    async fn all(&self) -> Result<Vec<Found>, SignalError> {
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
    async fn versions(&self, requests: &str) -> Result<Option<Found>, SignalError> {
        let metrics = self.metrics;
        let Some(stable) = &metrics.stable else {
            let message = "is missing, and canary has several matchers: that the canary has no requests while stable is busy is never noticed";
            return Ok(Some((
                "stable",
                message.to_owned(),
                "write stable's matchers, such as stable = 'track=\"stable\"'".to_owned(),
            )));
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
            return Ok(Some((
                "canary",
                message,
                "compare it with the labels of a canary's series in Prometheus".to_owned(),
            )));
        }
        let told_apart = self.has(&series(requests, &[&metrics.selector, stable])).await?;
        Ok((!told_apart).then(|| {
            let (message, remedy) =
                floor(&format!("is {}, and no {requests} has carried {stable} for an hour:", metrics.canary));
            ("canary", message, remedy)
        }))
    }

    /// Metrics of which Prometheus has had no series for an hour.
    async fn missing(&self) -> Result<Vec<Found>, SignalError> {
        let metrics = self.metrics;
        let bucket = |name: &String| format!("{name}_bucket");
        // Counters of events are born with their first: that they are not there says nothing.
        let expected = [
            ("requests", metrics.requests.clone(), &metrics.selector),
            ("request_duration", metrics.request_duration.as_ref().map(bucket), &metrics.selector),
            ("staleness", metrics.staleness.clone(), &metrics.selector),
            ("database_duration", metrics.database_duration.as_ref().map(bucket), &metrics.database_selector),
        ];
        let mut found = Vec::new();
        for (key, name, selector) in expected {
            let Some(name) = name else { continue };
            let wanted = series(&name, &[selector]);
            if !self.has(&wanted).await? {
                let message =
                    format!("is {name}, and Prometheus has had no {wanted} for an hour: its rule can't fire");
                let remedy = format!(
                    "correct the name or the selector, or write {key} = \"none\" if there is no such metric"
                );
                found.push((key, message, remedy));
            }
        }
        if let Some(prefix) = &metrics.pgbouncer {
            let name = format!("__name__=~\"{prefix}_(active|active_connections)\"");
            if !self.has(&series("", &[&name, &metrics.pgbouncer_selector])).await? {
                let message = format!(
                    "is {prefix}, and Prometheus has had no {prefix}_active or {prefix}_active_connections for an hour: its rule can't fire"
                );
                let remedy =
                    "correct the name or pgbouncer_selector, or write pgbouncer = \"none\"".to_owned();
                found.push(("pgbouncer", message, remedy));
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
    ) -> Result<Vec<Found>, SignalError> {
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
                (key, message, format!("give the histogram a bucket that ends at {edge}, and one above it"))
            })
            .collect())
    }
}
