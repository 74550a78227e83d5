//! Customers' requests and what the metrics say of them. Without chance: fractions are carried over,
//! so the same settings always give the same figures.

use std::fmt::Write;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 8] = [0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0];

/// What a healthy request takes, in seconds.
const HEALTHY_SECONDS: f64 = 0.04;

/// How the canary misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Regression {
    /// The part of its requests that end in a 5xx, 0 to 1.
    pub error_ratio: f64,
    /// The part of its requests that are slow, 0 to 1.
    pub slow_ratio: f64,
    /// How slow, in seconds.
    pub slow_seconds: f64,
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) regression: Regression,
    ok: f64,
    failed: f64,
    buckets: [f64; BUCKETS.len()],
    seconds: f64,
}

impl Traffic {
    /// Serves this many requests with the canary at `share` per cent.
    pub(super) fn serve(&mut self, requests: f64, share: u8) {
        let on_canary = requests * f64::from(share) / 100.0;
        let failed = on_canary * self.regression.error_ratio;
        let slow = on_canary * self.regression.slow_ratio;
        self.failed += failed;
        self.ok += requests - failed;
        self.observe(requests - slow, HEALTHY_SECONDS);
        self.observe(slow, self.regression.slow_seconds);
    }

    fn observe(&mut self, requests: f64, seconds: f64) {
        self.seconds += requests * seconds;
        for (bound, count) in BUCKETS.iter().zip(&mut self.buckets) {
            if seconds <= *bound {
                *count += requests;
            }
        }
    }

    /// The metrics of the protocol, in Prometheus' text format.
    pub(super) fn render(&self) -> String {
        let all = (self.ok + self.failed).floor();
        let mut text = String::new();
        let mut put = |line: std::fmt::Arguments<'_>| {
            let _infallible = text.write_fmt(format_args!("{line}\n"));
        };
        put(format_args!("# TYPE http_requests_total counter"));
        put(format_args!("http_requests_total{{status=\"200\",route=\"/orders\"}} {}", self.ok.floor()));
        put(format_args!("http_requests_total{{status=\"500\",route=\"/orders\"}} {}", self.failed.floor()));
        for name in ["http_request_duration_seconds", "database_query_duration_seconds"] {
            // The database is well in every scene: its queries are as many, and all fast.
            let database = name.starts_with("database");
            put(format_args!("# TYPE {name} histogram"));
            for (bound, count) in BUCKETS.iter().zip(self.buckets) {
                put(format_args!(
                    "{name}_bucket{{le=\"{bound}\"}} {}",
                    if database { all } else { count.floor() }
                ));
            }
            put(format_args!("{name}_bucket{{le=\"+Inf\"}} {all}"));
            put(format_args!("{name}_sum {}", if database { all * 0.01 } else { self.seconds }));
            put(format_args!("{name}_count {all}"));
        }
        put(format_args!("# TYPE idempotency_conflict_total counter\nidempotency_conflict_total 0"));
        put(format_args!("# TYPE csp_violations_total counter\ncsp_violations_total 0"));
        put(format_args!("# TYPE spark_bist_staleness_seconds gauge\nspark_bist_staleness_seconds 3"));
        put(format_args!("# TYPE pgbouncer_pools_server_active gauge\npgbouncer_pools_server_active 4"));
        put(format_args!("# TYPE pgbouncer_pools_server_total gauge\npgbouncer_pools_server_total 20"));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canarys_part_of_the_traffic_misbehaves() {
        let mut traffic = Traffic {
            regression: Regression { error_ratio: 0.4, slow_ratio: 0.5, slow_seconds: 0.3 },
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
        traffic.serve(1_000.0, 0);
        assert!(
            traffic.render().contains("status=\"500\",route=\"/orders\"} 100\n"),
            "nothing more fails at 0 %"
        );
    }
}
