//! What watches the rules' own eyes: a canary that has traffic and can't be judged. It pages, and
//! never rolls back.

use std::collections::BTreeMap;

use super::group::{Group, Rule};
use crate::config::{MetricsConfig, RolloutConfig, quoted};
use crate::promql::{LEAST_REQUESTS, TARGET, series};

/// Requests that a canary would have had by its share, of which not one came: by chance once in 22,000.
const EXPECTED: u32 = 10;

/// The rules of one rollout.
#[must_use]
pub fn watch(rollout: &RolloutConfig) -> Group {
    let watch = Watch::of(rollout);
    let mut rules = Vec::new();
    rules.extend(watch.no_requests());
    rules.push(watch.target_down());
    rules.extend(watch.restarts());
    rules.extend(watch.no_status());
    rules.extend(watch.inputs());
    rules.extend(watch.scrapes());
    Group { name: format!("{}-watch", rollout.name), rules }
}

/// The canary serves requests: still, and not only within the window, which outlives its end.
fn served(requests: &str) -> String {
    format!(
        "(sum by (namespace) (increase({requests}[5m])) >= {LEAST_REQUESTS} and on (namespace) {requests})"
    )
}

struct Watch<'a> {
    rollout: &'a RolloutConfig,
    metrics: &'a MetricsConfig,
    /// The canary's share, where Backstop is scraped.
    share: String,
    /// The canary's targets.
    targets: String,
    /// The canary's requests.
    requests: Option<String>,
}

impl<'a> Watch<'a> {
    fn of(rollout: &'a RolloutConfig) -> Self {
        let metrics = &rollout.metrics;
        let own = series("backstop_canary_share_percent", &[&format!("rollout={}", quoted(&rollout.name))]);
        let all = [metrics.selector.as_str(), &metrics.canary, &metrics.user_requests];
        Self {
            rollout,
            metrics,
            // -1 says that it can't be read: then nothing is known of it.
            share: format!("max by (rollout) ({own} >= 0)"),
            targets: series("up", &[&metrics.selector, &metrics.canary_or_all]),
            requests: metrics.requests.as_ref().map(|name| series(name, &all)),
        }
    }

    fn page(&self, input: &str, expression: String, lasting: &'static str, words: (&str, String)) -> Rule {
        let labels = BTreeMap::from([
            ("severity".to_owned(), "critical".to_owned()),
            ("rollout".to_owned(), self.rollout.name.clone()),
            ("input".to_owned(), input.to_owned()),
        ]);
        Rule::alert("CanaryNoData", expression, labels, words).lasting(lasting)
    }

    /// The canary is known to have part of the traffic; or Backstop isn't scraped, and a target of the
    /// canary answers. At 100 % the canary has become stable, whatever its series are labelled now.
    fn is_active(&self) -> String {
        format!(
            "(
  count by (rollout) ({share} > 0 < 100)
  or
  (vector(1) and on () ({targets} == 1) unless on () {share})
)",
            share = self.share,
            targets = self.targets
        )
    }

    /// A share above 0 %, and no request of the canary's in five minutes, although stable has so many
    /// that it must have had some; or nothing answers; or its series went away.
    fn no_requests(&self) -> Option<Rule> {
        let requests = self.requests.as_ref()?;
        let name = self.metrics.requests.as_ref()?;
        let busy = self.metrics.stable.as_ref().map_or_else(String::new, |stable| {
            let all = [self.metrics.selector.as_str(), stable, &self.metrics.user_requests];
            format!(
                "
  or
  (
    vector(1) and on ()
    sum(increase({stable}[5m])) * scalar({share}) / (100 - scalar({share})) >= {EXPECTED}
  )",
                stable = series(name, &all),
                share = self.share
            )
        });
        let expression = format!(
            "{active}
unless on () (sum(increase({requests}[5m])) > 0)
and on () (
  (vector(1) unless on () ({targets} == 1)){busy}
  or
  (vector(1) and on () (last_over_time({requests}[15m]) and on ({TARGET}) ({targets} == 1)) unless on () {requests})
)",
            active = self.is_active(),
            targets = self.targets
        );
        let words = (
            "The canary has a share of the traffic, and no requests are seen.",
            "No request of the canary was counted for 5 minutes, so no rule can see a regression. Nothing is rolled back on missing data.".to_owned(),
        );
        Some(self.page("requests", expression, "3m", words).why(
            "Pages by its severity; without canary_rollback no route takes it to Backstop.\nOn at least one of: none of its targets answers; stable is so busy that chance can't be it; its series were there and are gone.",
        ))
    }

    /// Known and down. One that is gone, as after a promotion, is no target any more.
    fn target_down(&self) -> Rule {
        let expression = format!(
            "(max by (namespace) ({targets}) == 0) unless on () ({share} == 0)",
            targets = self.targets,
            share = self.share
        );
        let words = (
            "The canary's metrics can't be scraped.",
            "No target of the canary has answered Prometheus for 3 minutes, so no rule can see a regression."
                .to_owned(),
        );
        self.page("target", expression, "3m", words)
    }

    /// It comes up and goes down again, so that each rule sees a part of it only.
    fn restarts(&self) -> Option<Rule> {
        let requests = self.requests.as_ref()?;
        let expression = format!(
            "(
  max by (namespace) (resets({requests}[10m])) >= 3
  or
  max by (namespace) (changes({started}[10m])) >= 3
  or
  max by (namespace) (
    avg_over_time({targets}[10m]) and {targets} offset 5m and max_over_time({targets}[5m]) == 1
  ) < 0.5
)
unless on () ({share} == 0)",
            started =
                series("process_start_time_seconds", &[&self.metrics.selector, &self.metrics.canary_or_all]),
            targets = self.targets,
            share = self.share
        );
        let words = (
            "The canary starts again and again.",
            "The canary was restarted several times in 10 minutes, or was down for most of them. What the rules see of it is in pieces.".to_owned(),
        );
        Some(self.page("restarts", expression, "1m", words))
    }

    /// Requests that say nothing about their success.
    fn no_status(&self) -> Option<Rule> {
        let requests = self.requests.as_ref()?;
        let metrics = self.metrics;
        let name = metrics.requests.as_ref()?;
        let with_status = metrics.status_labels.iter().map(|label| {
            // Words such as "ok" say as little to the rules as none.
            let pattern = format!("{}|[1-5]([0-9][0-9]|[xX][xX])", metrics.server_errors);
            let status = format!("{label}=~{}", quoted(&pattern));
            format!(
                "\nunless on (namespace) {}",
                series(name, &[&metrics.selector, &metrics.canary, &status])
            )
        });
        let expression = format!(
            "{}{}\nunless on () ({} == 0)",
            served(requests),
            with_status.collect::<String>(),
            self.share
        );
        let words = (
            "The canary's requests carry no status that the rules know.",
            format!(
                "None of the labels {} says of the canary's requests whether they failed, so errors can't be seen. See rollouts.metrics.status_labels.",
                metrics.status_labels.join(", ")
            ),
        );
        Some(self.page("status", expression, "3m", words))
    }

    /// The inputs of the other rules, where they were seen before or stable still has them: what an
    /// application never had is no fault of its canary, and `check-config` says so. Counters of events
    /// (CSP violations, conflicts) are born with their first and can't be missed.
    fn inputs(&self) -> Vec<Rule> {
        let Some(requests) = &self.requests else { return Vec::new() };
        let metrics = self.metrics;
        let buckets = |name: &String| (format!("{name}_bucket"), "le=\"+Inf\"".to_owned());
        let plain = |name: &String| (name.clone(), String::new());
        // Under either name of its exporters.
        let pools = |name: &String| (String::new(), format!("__name__=~\"{name}_active(_connections)?\""));
        let (own, or_all) = (&metrics.canary, &metrics.canary_or_all);
        let inputs = [
            ("latency", metrics.request_duration.as_ref().map(buckets), &metrics.selector, own),
            ("staleness", metrics.staleness.as_ref().map(plain), &metrics.selector, or_all),
            ("database", metrics.database_duration.as_ref().map(buckets), &metrics.database_selector, or_all),
            ("pgbouncer", metrics.pgbouncer.as_ref().map(pools), &metrics.pgbouncer_selector, or_all),
        ];
        let known = inputs.into_iter().filter_map(|(input, metric, selector, canary)| {
            let (name, more) = metric?;
            let all = series(&name, &[&more, selector]);
            Some(self.lost(requests, input, &series(&name, &[&more, selector, canary]), &all))
        });
        known.collect()
    }

    fn lost(&self, requests: &str, input: &str, of_canary: &str, of_all: &str) -> Rule {
        let expression = format!(
            "{served}
unless on () (group({of_canary} > -Inf))
and on () (group({of_all} > -Inf) or group(last_over_time({of_canary}[1h]) > -Inf))
unless on () ({share} == 0)",
            served = served(requests),
            share = self.share
        );
        let words = (
            "A rule has lost its metric.",
            format!("The canary has requests, but its {input} metric is gone, so that rule is blind."),
        );
        self.page(input, expression, "3m", words)
    }

    /// Windows need scrapes: gauges are bridged for 150 s, and a rate needs two of them.
    fn scrapes(&self) -> Vec<Rule> {
        let up = series("up", &[&self.metrics.selector]);
        let labels = BTreeMap::from([
            ("severity".to_owned(), "warning".to_owned()),
            ("rollout".to_owned(), self.rollout.name.clone()),
        ]);
        let failing = Rule::alert(
            "CanaryScrapesFailing",
            format!("avg_over_time({up}[10m]) < 0.9 > 0\nand\n{up} offset 10m\nand\n{up}"),
            labels.clone(),
            (
                "Scrapes of the application fail.",
                "{{ $value | humanizePercentage }} of the scrapes of {{ $labels.instance }} in 10 minutes were answered. The rules see less, and later.".to_owned(),
            ),
        );
        let rare = Rule::alert(
            "CanaryScrapesRare",
            format!("count_over_time({up}[5m]) < 9\nand\n{up} offset 6m\nand\n{up}"),
            labels,
            (
                "The application is scraped too rarely for the rules' windows.",
                "{{ $value }} scrapes of {{ $labels.instance }} in 5 minutes. Scrape every 15 s, at least every 30 s: a window of a minute needs two, and the CSP rule takes three minutes instead.".to_owned(),
            ),
        );
        // For as long as the window: a target that was away for a while fills it again.
        vec![failing.lasting("2m"), rare.lasting("5m")]
    }
}
