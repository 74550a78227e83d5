//! Customers' requests and what the metrics say of them. Without chance: fractions are carried over,
//! so the same settings always give the same numbers.

use std::fmt::Write;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 8] = [0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0];

/// What a healthy request takes, in seconds.
const HEALTHY_SECONDS: f64 = 0.04;

/// What a healthy query takes, and a slow one, in seconds.
const HEALTHY_QUERY_SECONDS: f64 = 0.01;
const SLOW_QUERY_SECONDS: f64 = 0.15;

/// What the dashboard shows beside that, here always well: the application's own, and what PostgreSQL's
/// exporter would say of its database.
const HEALTHY: [(&str, &str, f64); 7] = [
    ("counter", "spark_risk_block_total", 0.0),
    ("gauge", "outbox_lag_seconds", 0.2),
    ("gauge", "database_connections_active", 6.0),
    ("gauge", "database_connections_max", 20.0),
    ("gauge", "pg_stat_activity_count", 12.0),
    ("gauge", "pg_settings_max_connections", 100.0),
    ("counter", "pg_stat_archiver_failed_count", 0.0),
];

/// How the canary misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Regression {
    /// The part of its requests that end in a 5xx, 0 to 1.
    pub error_ratio: f64,
    /// The part of its requests that are slow, 0 to 1.
    pub slow_ratio: f64,
    pub slow_seconds: f64,
    /// The part of its requests that query the database slowly (150 ms), 0 to 1.
    pub slow_query_ratio: f64,
    /// The part of its requests that meet an idempotency conflict, 0 to 1.
    pub conflict_ratio: f64,
    /// CSP violations that browsers report for each of its requests.
    pub csp_violations_per_request: f64,
    /// The age of its BIST data in seconds while it has traffic; healthy if 0.
    pub bist_staleness_seconds: f64,
    /// Server connections that it keeps active, of the pool's 20; healthy if 0.
    pub pool_active: f64,
}

/// All requests since the start.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) regression: Regression,
    /// Whether each version's requests are series of their own, by the label `track`.
    pub(super) is_told_apart: bool,
    canary: Counters,
    stable: Counters,
    on_canary: bool,
}

/// Of one version, or of both, in requests and parts of requests.
#[derive(Debug, Clone, Default)]
struct Counters {
    ok: f64,
    failed: f64,
    latency: Histogram,
    queries: Histogram,
    conflicts: f64,
    csp_violations: f64,
}

#[derive(Debug, Clone, Default)]
struct Histogram {
    buckets: [f64; BUCKETS.len()],
    count: f64,
    seconds: f64,
}

impl Traffic {
    /// Serves this many requests with the canary at `share` per cent.
    pub(super) fn serve(&mut self, requests: f64, share: u8) {
        let on_canary = requests * f64::from(share) / 100.0;
        self.canary.serve(on_canary, self.regression);
        self.stable.serve(requests - on_canary, Regression::default());
        self.on_canary = share > 0;
    }

    /// A gauge of the canary while it has traffic and misbehaves, else of the stable version.
    fn gauge(&self, misbehaving: f64, healthy: f64) -> f64 {
        if self.on_canary && misbehaving > 0.0 { misbehaving } else { healthy }
    }

    /// The metrics of the protocol, in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        let mut put = |kind: &str, name: &str, value: f64| {
            let bare = name.split('{').next().unwrap_or(name);
            if !text.contains(&format!("# TYPE {bare} ")) {
                let _infallible = writeln!(text, "# TYPE {bare} {kind}");
            }
            let _infallible = writeln!(text, "{name} {value}");
        };
        for (track, counters) in self.series() {
            let with = |more: &str| match (track, more) {
                ("", "") => String::new(),
                ("", more) => format!("{{{more}}}"),
                (track, "") => format!("{{{track}}}"),
                (track, more) => format!("{{{more},{track}}}"),
            };
            let of = |name: &str, labels: &str| format!("{name}{}", with(labels));
            let status =
                |status: &str| of("http_requests_total", &format!("status=\"{status}\",route=\"/orders\""));
            put("counter", &status("200"), counters.ok.floor());
            put("counter", &status("500"), counters.failed.floor());
            put("counter", &of("idempotency_conflict_total", ""), counters.conflicts.floor());
            put("counter", &of("csp_violations_total", ""), counters.csp_violations.floor());
        }
        put("gauge", "spark_bist_staleness_seconds", self.gauge(self.regression.bist_staleness_seconds, 3.0));
        put("gauge", "pgbouncer_pools_server_active", self.gauge(self.regression.pool_active, 4.0));
        put("gauge", "pgbouncer_pools_server_total", 20.0);
        for (kind, name, value) in HEALTHY {
            put(kind, name, value);
        }
        for (name, histogram) in HISTOGRAMS {
            let _infallible = writeln!(text, "# TYPE {name} histogram");
            for (track, counters) in self.series() {
                histogram(&counters).render(name, track, &mut text);
            }
        }
        text
    }

    /// What is exported under which label: each version, or both together.
    fn series(&self) -> Vec<(&'static str, Counters)> {
        if self.is_told_apart {
            vec![("track=\"canary\"", self.canary.clone()), ("track=\"stable\"", self.stable.clone())]
        } else {
            vec![("", self.canary.plus(&self.stable))]
        }
    }
}

type HistogramOf = fn(&Counters) -> &Histogram;

/// The histograms by their names.
const HISTOGRAMS: [(&str, HistogramOf); 2] = [
    ("http_request_duration_seconds", |counters| &counters.latency),
    ("database_query_duration_seconds", |counters| &counters.queries),
];

impl Counters {
    fn serve(&mut self, requests: f64, regression: Regression) {
        let failed = requests * regression.error_ratio;
        let slow = requests * regression.slow_ratio;
        self.failed += failed;
        self.ok += requests - failed;
        self.latency.observe(requests - slow, HEALTHY_SECONDS);
        self.latency.observe(slow, regression.slow_seconds);
        let slow_queries = requests * regression.slow_query_ratio;
        self.queries.observe(requests - slow_queries, HEALTHY_QUERY_SECONDS);
        self.queries.observe(slow_queries, SLOW_QUERY_SECONDS);
        self.conflicts += requests * regression.conflict_ratio;
        self.csp_violations += requests * regression.csp_violations_per_request;
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            ok: self.ok + other.ok,
            failed: self.failed + other.failed,
            latency: self.latency.plus(&other.latency),
            queries: self.queries.plus(&other.queries),
            conflicts: self.conflicts + other.conflicts,
            csp_violations: self.csp_violations + other.csp_violations,
        }
    }
}

impl Histogram {
    fn observe(&mut self, requests: f64, seconds: f64) {
        self.count += requests;
        self.seconds += requests * seconds;
        for (bound, count) in BUCKETS.iter().zip(&mut self.buckets) {
            if seconds <= *bound {
                *count += requests;
            }
        }
    }

    fn plus(&self, other: &Self) -> Self {
        let mut buckets = self.buckets;
        buckets.iter_mut().zip(other.buckets).for_each(|(count, more)| *count += more);
        Self { buckets, count: self.count + other.count, seconds: self.seconds + other.seconds }
    }

    fn render(&self, name: &str, track: &str, text: &mut String) {
        let count = self.count.floor();
        let (of_bucket, of_all) = if track.is_empty() {
            (String::new(), String::new())
        } else {
            (format!(",{track}"), format!("{{{track}}}"))
        };
        for (bound, below) in BUCKETS.iter().zip(self.buckets) {
            let _infallible = writeln!(text, "{name}_bucket{{le=\"{bound}\"{of_bucket}}} {}", below.floor());
        }
        let _infallible = writeln!(text, "{name}_bucket{{le=\"+Inf\"{of_bucket}}} {count}");
        let _infallible = writeln!(text, "{name}_sum{of_all} {}\n{name}_count{of_all} {count}", self.seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canarys_part_of_the_traffic_misbehaves() {
        let mut traffic = Traffic {
            regression: Regression {
                error_ratio: 0.4,
                slow_ratio: 0.5,
                slow_seconds: 0.3,
                ..Regression::default()
            },
            ..Traffic::default()
        };
        traffic.serve(1_000.0, 25);
        let text = traffic.render();
        for line in [
            "http_requests_total{status=\"500\",route=\"/orders\"} 100",
            "http_requests_total{status=\"200\",route=\"/orders\"} 900",
            "http_request_duration_seconds_bucket{le=\"0.25\"} 875",
            "http_request_duration_seconds_bucket{le=\"0.3\"} 1000",
            "database_query_duration_seconds_bucket{le=\"0.05\"} 1000",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
        }
        traffic.is_told_apart = true;
        let text = traffic.render();
        for line in [
            "http_requests_total{status=\"500\",route=\"/orders\",track=\"canary\"} 100",
            "http_requests_total{status=\"500\",route=\"/orders\",track=\"stable\"} 0",
            "http_request_duration_seconds_bucket{le=\"0.25\",track=\"canary\"} 125",
            "http_request_duration_seconds_count{track=\"stable\"} 750",
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in\n{text}");
        }
        assert_eq!(text.matches("# TYPE http_requests_total ").count(), 1);
        traffic.is_told_apart = false;
        traffic.serve(1_000.0, 0);
        assert!(
            traffic.render().contains("status=\"500\",route=\"/orders\"} 100\n"),
            "nothing more fails at 0 %"
        );
    }
}
