//! The protocol's triggers: what fires, and what a person reads of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ROLLS_BACK;
use super::group::{Group, Rule};
use super::recorded::{Recorder, Share};
use crate::config::RolloutConfig;
use crate::promql::{LEAST_REQUESTS, Threshold, seen_rise, series, without_gone_targets};

/// A share that says "more than 5 % are slower", which is what a P95 above a threshold means.
const P95: &str = "0.05";

/// How long a gauge's last value counts while its target can't be scraped: one missed scrape of a
/// minute's interval with room to be late, and less than the `for` of three minutes.
const BRIDGED: &str = "150s";

/// pgBouncer opens connections as they are needed: a pool of fewer is a job's, and full by nature.
const LEAST_CONNECTIONS: u32 = 5;

/// What a critical does, for its description.
const AT_ONCE: &str = "Backstop rolls the canary back now.";
/// The same of a warning.
fn after_grace(grace: Duration) -> String {
    let minutes = grace.as_secs() / 60;
    let words = match grace.as_secs() % 60 {
        0 if minutes > 1 => format!("{minutes} minutes"),
        _ => humantime::format_duration(grace).to_string(),
    };
    format!("Backstop waits for the grace of {words}, then rolls back.")
}

/// One rollout's triggers of one severity.
#[derive(Debug)]
struct Triggers<'a> {
    rollout: &'a RolloutConfig,
    severity: &'static str,
    recorder: Recorder<'a>,
    alerts: Vec<Rule>,
}

/// The critical triggers of a rollout.
#[must_use]
pub fn critical(rollout: &RolloutConfig) -> Group {
    let mut triggers = Triggers::new(rollout, "critical", false);
    triggers.latency("CanaryLatencyP95Critical", Threshold::TwoFifths, "400 ms", AT_ONCE);
    triggers.errors("CanaryErrorRateCritical", "0.03", "3 %", AT_ONCE);
    triggers.staleness();
    triggers.csp();
    triggers.conflicts();
    triggers.pgbouncer();
    triggers.group()
}

/// The warning triggers of a rollout.
#[must_use]
pub fn warning(rollout: &RolloutConfig) -> Group {
    let mut triggers = Triggers::new(rollout, "warning", true);
    let then = after_grace(rollout.grace);
    triggers.latency("CanaryLatencyP95Warning", Threshold::Quarter, "250 ms", &then);
    triggers.errors("CanaryErrorRateWarning", "0.015", "1.5 %", &then);
    triggers.database(&then);
    triggers.group()
}

impl<'a> Triggers<'a> {
    fn new(rollout: &'a RolloutConfig, severity: &'static str, with_short: bool) -> Self {
        let recorder = Recorder::new(rollout, severity, with_short);
        Self { rollout, severity, recorder, alerts: Vec::new() }
    }

    fn group(self) -> Group {
        let name = format!("{}-{}", self.rollout.name, self.severity);
        Group { name, rules: [self.recorder.rules, self.alerts].concat() }
    }

    /// The labels of an alert: those by which Backstop knows the rollout, and those of the field.
    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.recorder.labels();
        // Where a rollout is matched by other labels, this one still says that the alert rolls back.
        let (name, value) = ROLLS_BACK;
        labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        labels
    }

    fn alert(&mut self, name: &'static str, expression: String, threshold: &str, words: (&str, String)) {
        self.alerts.push(Rule::alert(name, expression, self.labels(), words).threshold(threshold));
    }

    /// The same for what has to last for the protocol's three minutes.
    fn lasting_alert(
        &mut self,
        name: &'static str,
        expression: String,
        threshold: &str,
        words: (&str, String),
    ) {
        let rule = Rule::alert(name, expression, self.labels(), words).lasting("3m");
        self.alerts.push(rule.threshold(threshold));
    }

    /// The canary's series of a metric, of users' requests only.
    fn of_canary(&self, metric: &str, more: &str) -> String {
        let metrics = &self.rollout.metrics;
        series(metric, &[&metrics.selector, &metrics.canary, &metrics.user_requests, more])
    }

    /// The series of a metric that may not know the versions apart.
    fn of_canary_or_all(&self, metric: &str) -> String {
        series(metric, &[&self.rollout.metrics.selector, &self.rollout.metrics.canary_or_all])
    }

    /// Prometheus' own word on the targets that these series come from.
    fn targets(&self) -> String {
        series("up", &[&self.rollout.metrics.selector, &self.rollout.metrics.canary_or_all])
    }

    fn latency(&mut self, alert: &'static str, threshold: Threshold, words: &str, then: &str) {
        let metrics = &self.rollout.metrics;
        let Some(histogram) = &metrics.request_duration else { return };
        let matchers = [metrics.selector.as_str(), &metrics.canary, &metrics.user_requests];
        let share = self.recorder.p95(histogram, "timed_requests", &matchers, threshold, &["namespace"]);
        let summary = format!("The canary's P95 latency is above {words}.");
        let description = format!(
            "P95 latency is {{{{ $value | humanizeDuration }}}} over the last 5 minutes (threshold {}). {then}",
            words.replace(' ', "")
        );
        self.judged(alert, &share, (threshold.seconds(), P95), (&summary, description));
    }

    /// Fires when the value is above the threshold and the share that is bad is so surely, too.
    fn judged(
        &mut self,
        alert: &'static str,
        share: &Share,
        thresholds: (&str, &str),
        words: (&str, String),
    ) {
        let (of_value, of_share) = thresholds;
        let guards = share.guards(of_share, LEAST_REQUESTS);
        self.alert(alert, format!("{} > {of_value}\nand\n{guards}", share.value), of_value, words);
    }

    fn errors(&mut self, alert: &'static str, threshold: &str, words: &str, then: &str) {
        let metrics = &self.rollout.metrics;
        let Some(requests) = metrics.requests.as_deref() else { return };
        let failed: Vec<_> =
            metrics.failures().iter().map(|failure| self.of_canary(requests, failure)).collect();
        let all = self.of_canary(requests, "");
        let share = self.recorder.share_of_requests(&all, "server_errors", &failed);
        let summary = format!("More than {words} of the canary's requests fail.");
        let description = format!(
            "{{{{ $value | humanizePercentage }}}} of the requests of the last 5 minutes ended in a 5xx (threshold {}). {then}",
            words.replace(' ', "")
        );
        self.judged(alert, &share, (threshold, threshold), (&summary, description));
    }

    fn staleness(&mut self) {
        let Some(metric) = &self.rollout.metrics.staleness else { return };
        let gauge = self.of_canary_or_all(metric);
        let last = format!("last_over_time({gauge}[{BRIDGED}])");
        let last = without_gone_targets(&last, &self.targets(), BRIDGED).replace('\n', "\n  ");
        let expression = format!("max by (namespace) (\n  {last}\n) > 120");
        let description =
            format!("BIST data is {{{{ $value | humanizeDuration }}}} old (threshold 2m, for 3m). {AT_ONCE}");
        let words = ("BIST data is stale for more than two minutes.", description);
        self.lasting_alert("BistStalenessCritical", expression, "120", words);
    }

    fn csp(&mut self) {
        let Some(metric) = &self.rollout.metrics.csp_violations else { return };
        let counter = self.of_canary_or_all(metric);
        // A burst of seconds is a high rate between two scrapes, and no storm: as many as a minute at the
        // threshold has must have been counted.
        let counted = format!("sum by (namespace) {} / 60", seen_rise(&counter, "2m"));
        let name = "namespace:canary_csp_violations_per_second:lower_bound2m";
        let counted = self.recorder.record(name, counted);
        // The longer window only where the protocol's minute has no two scrapes.
        let expression = format!(
            "sum by (namespace) (rate({counter}[1m]) or rate({counter}[3m])) > 50
and on (namespace)
{counted} >= 50"
        );
        let description = format!(
            "{{{{ $value | humanize }}}} CSP violations a second over the last minute (threshold 50). {AT_ONCE}"
        );
        let words = ("Browsers report a storm of CSP violations.", description);
        self.alert("CspViolationStorm", expression, "50", words);
    }

    fn conflicts(&mut self) {
        let metrics = &self.rollout.metrics;
        let (Some(requests), Some(conflicts)) = (&metrics.requests, &metrics.idempotency_conflicts) else {
            return;
        };
        let (requests, conflicts) =
            (self.of_canary(requests, ""), series(conflicts, &[&metrics.selector, &metrics.canary]));
        let share = self.recorder.share_of_requests(&requests, "idempotency_conflicts", &[conflicts]);
        let description = format!(
            "{{{{ $value | humanizePercentage }}}} of the requests of the last 5 minutes met an idempotency conflict (threshold 5%). {AT_ONCE}"
        );
        let words = ("More than 5 % of the requests meet an idempotency conflict.", description);
        self.judged("IdempotencyConflictStorm", &share, ("0.05", "0.05"), words);
    }

    /// The fullest pool, not their sum: one at 20 of 20 beside an idle one serves nobody.
    fn pgbouncer(&mut self) {
        let metrics = &self.rollout.metrics;
        let Some(prefix) = &metrics.pgbouncer else { return };
        let matchers = [metrics.pgbouncer_selector.as_str(), &metrics.canary_or_all];
        let last = |name: &str| format!("last_over_time({}[{BRIDGED}])", series(name, &matchers));
        // The protocol's names win over the usual exporters' `…_connections`.
        let active = [last(&format!("{prefix}_active")), last(&format!("{prefix}_active_connections"))];
        // Not without idle: what only exports the active ones would always be full.
        let states = |ending: &str| {
            let name = format!("__name__=~\"{prefix}_(active|idle|used|tested|login){ending}\"");
            let series = series("", &[&[name.as_str()], &matchers[..]].concat());
            let idle = last(&format!("{prefix}_idle{ending}"));
            format!("(sum without (__name__) (last_over_time({series}[{BRIDGED}])) and {idle})")
        };
        let total = [last(&format!("{prefix}_total")), states(""), states("_connections")];
        // Of each pool of each pgBouncer first: the largest of two pools' parts belong to no pool.
        let ratio = format!(
            "(
  {}
)
/
(
  (
    {}
  ) >= {LEAST_CONNECTIONS}
)",
            active.join("\n  or\n  "),
            total.join("\n    or\n    ")
        );
        let ratio = without_gone_targets(&ratio, &series("up", &matchers), BRIDGED).replace('\n', "\n  ");
        let ratio = format!("max by (namespace, database, user) (\n  {ratio}\n)");
        let share =
            self.recorder.record("namespace_database_user:pgbouncer_server_connections:active_ratio", ratio);
        let expression = format!("{share} > 0.9");
        let description = format!(
            "{{{{ $value | humanizePercentage }}}} of pgBouncer's server connections{POOL} are active (threshold 90%, for 3m). {AT_ONCE}"
        );
        let words = ("pgBouncer's server pool is nearly used up.", description);
        self.lasting_alert("PgBouncerSaturation", expression, "0.9", words);
    }

    /// The slowest database, as far as its series say which one they are about.
    fn database(&mut self, then: &str) {
        let metrics = &self.rollout.metrics;
        let Some(histogram) = &metrics.database_duration else { return };
        let matchers = [metrics.database_selector.as_str(), &metrics.canary_or_all];
        let by = ["namespace", "database"];
        let share = self.recorder.p95(histogram, "database_queries", &matchers, Threshold::Tenth, &by);
        let description = format!(
            "P95 of the queries{DATABASE} is {{{{ $value | humanizeDuration }}}} over the last 5 minutes (threshold 100ms). {then}"
        );
        let words = ("The P95 of the database queries is above 100 ms.", description);
        self.judged("DatabaseSlowQueries", &share, (Threshold::Tenth.seconds(), P95), words);
    }
}

/// Names the pool, where its series do.
const POOL: &str =
    "{{ with $labels.database }} to {{ . }}{{ end }}{{ with $labels.user }} for {{ . }}{{ end }}";

/// Names the database, where its series do.
const DATABASE: &str = "{{ with $labels.database }} of {{ . }}{{ end }}";
