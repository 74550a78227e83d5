//! A canary that never ran: its requests, pods, counters and gauges, and how Prometheus scraped them.
//!
//! Requests are drawn one by one, so counters have the shape that real ones have: series are born with
//! the first request that has their labels, restarts begin at 0, and a failed scrape leaves a gap.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;

/// Scrapes lie on multiples of this, in seconds: late ones too.
pub(crate) const GRID_SECONDS: u32 = 5;

/// Something that changes with the time since the canary's start, in seconds.
pub(crate) type Over = Box<dyn Fn(f64) -> f64>;

/// The same all the time.
pub(crate) fn always(value: f64) -> Over {
    Box::new(move |_| value)
}

/// One value before an instant in minutes, another from then on.
pub(crate) fn from_minute(minute: f64, before: f64, after: f64) -> Over {
    Box::new(move |t| if t < minute * 60.0 { before } else { after })
}

/// Another value for some seconds only.
pub(crate) fn during(minute: f64, seconds: f64, inside: f64, outside: f64) -> Over {
    Box::new(move |t| if (minute * 60.0..minute * 60.0 + seconds).contains(&t) { inside } else { outside })
}

/// Labels of one series, with its name.
pub(crate) type Series = (&'static str, BTreeMap<&'static str, String>);

/// A series with these labels.
pub(crate) fn series(name: &'static str, labels: &[(&'static str, &str)]) -> Series {
    (name, labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
}

/// A group of pods that serve requests alike.
pub(crate) struct Service {
    pub(crate) labels: Vec<(&'static str, &'static str)>,
    /// Requests a second, of all pods together.
    pub(crate) rate: Over,
    pub(crate) pods: usize,
    pub(crate) routes: &'static [&'static str],
    /// The share of requests that fail, by route and pod too.
    pub(crate) errors: Box<dyn Fn(f64, usize, usize) -> f64>,
    /// P95 of a request's seconds; the times fall off exponentially.
    pub p95: Over,
    /// A share of requests that takes this many seconds instead.
    pub(crate) tail: (f64, f64),
    pub(crate) edges: &'static [&'static str],
    /// The label of the status, and how 200 and 503 are written.
    pub(crate) status: (&'static str, &'static str, &'static str),
    /// The share of requests that meet a conflict.
    pub(crate) conflicts: f64,
    /// Databases by name: queries a second, and the share of them that takes half a second.
    pub(crate) databases: Vec<(&'static str, f64, f64)>,
    /// Requests of probes a second and pod.
    pub(crate) probes: f64,
    /// When pods restart, in seconds.
    pub(crate) restarts: Vec<u32>,
    /// From when to when it exists, in minutes.
    pub(crate) life: (f64, f64),
    /// What was counted before Prometheus knew it: good and bad requests.
    pub(crate) history: (f64, f64),
}

/// Anything else that is exported, by the time in seconds.
pub(crate) struct Exported {
    pub(crate) series: Series,
    /// None: not exported at that time.
    pub(crate) value: Box<dyn Fn(f64) -> Option<f64>>,
    /// A rate a second that is summed up instead of a value.
    pub(crate) is_counter: bool,
}

/// One world for Prometheus.
pub(crate) struct World {
    pub(crate) minutes: u32,
    pub(crate) scrape_seconds: u32,
    /// Every how many scrapes one fails; 0: none.
    pub(crate) failing_one_in: u32,
    /// The share of scrapes that come one grid step late.
    pub(crate) late: f64,
    pub(crate) services: Vec<Service>,
    pub(crate) exported: Vec<Exported>,
}

/// Values on the grid: a number, a gap, or the mark that Prometheus sets where a scrape failed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Gap,
    Stale,
}

/// Every series' values by the grid.
pub(crate) type Recording = BTreeMap<Series, Vec<Value>>;

/// The canary, unless a kind says otherwise: two requests a second that are answered well.
pub(crate) fn canary() -> Service {
    Service {
        labels: vec![("job", "spark-trading"), ("track", "canary")],
        rate: always(2.0),
        pods: 1,
        routes: &["/api/orders", "/api/quotes"],
        errors: Box::new(|_, _, _| 0.002),
        p95: always(0.12),
        tail: (0.0, 0.0),
        edges: &["0.05", "0.1", "0.25", "0.4", "1", "2.5", "+Inf"],
        status: ("status", "200", "503"),
        conflicts: 0.001,
        databases: Vec::new(),
        probes: 0.0,
        restarts: Vec::new(),
        life: (0.0, f64::INFINITY),
        history: (0.0, 0.0),
    }
}

/// Stable beside it.
pub(crate) fn stable() -> Service {
    Service { labels: vec![("job", "spark-trading"), ("track", "stable")], rate: always(8.0), ..canary() }
}

/// Another team's application: no label tells which version it is.
pub(crate) fn others() -> Service {
    Service { labels: vec![("job", "billing")], rate: always(8.0), ..canary() }
}

/// How many events of a Poisson process with this mean.
pub(crate) fn poisson(random: &mut StdRng, mean: f64) -> u32 {
    if mean > 50.0 {
        // In parts: e^-mean would be too small a number to count down to.
        return poisson(random, 50.0) + poisson(random, mean - 50.0);
    }
    let (limit, mut product, mut count) = ((-mean).exp(), random.random::<f64>(), 0);
    while product > limit {
        product *= random.random::<f64>();
        count += 1;
    }
    count
}

/// The upper edge of a bucket.
fn bound(edge: &str) -> f64 {
    edge.trim_start_matches('+').parse().unwrap_or(f64::INFINITY)
}

/// The counters of one pod.
pub(crate) type Counters = BTreeMap<Series, f64>;

impl Service {
    pub(crate) fn base(&self, pod: usize) -> Vec<(&'static str, String)> {
        let labels = self.labels.iter().map(|(name, value)| (*name, (*value).to_owned()));
        labels.chain([("pod", format!("{}-{pod}", self.labels.last().map_or("", |last| last.1)))]).collect()
    }

    pub(crate) fn key(&self, metric: &'static str, pod: usize, more: &[(&'static str, &str)]) -> Series {
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        (metric, self.base(pod).into_iter().chain(more).collect())
    }

    pub(crate) fn second(&self, t: f64, counters: &mut [Counters], random: &mut StdRng) {
        for _ in 0..poisson(random, (self.rate)(t)) {
            let (pod, route) = (random.random_range(0..self.pods), random.random_range(0..self.routes.len()));
            let failed = random.random::<f64>() < (self.errors)(t, route, pod);
            let is_in_tail = random.random::<f64>() < self.tail.0;
            let usual = (self.p95)(t) / 3.0 * -(1.0 - random.random::<f64>()).ln();
            let seconds = if is_in_tail { self.tail.1 } else { usual };
            let (label, good, bad) = self.status;
            let name = self.routes[route];
            let status = if failed { bad } else { good };
            let of_pod = &mut counters[pod];
            *of_pod
                .entry(self.key("http_requests_total", pod, &[("route", name), (label, status)]))
                .or_default() += 1.0;
            for edge in self.edges {
                let bucket =
                    self.key("http_request_duration_seconds_bucket", pod, &[("route", name), ("le", edge)]);
                *of_pod.entry(bucket).or_default() += f64::from(u8::from(seconds <= bound(edge)));
            }
            if random.random::<f64>() < self.conflicts {
                *of_pod.entry(self.key("idempotency_conflict_total", pod, &[])).or_default() += 1.0;
            }
        }
        for (database, rate, slow) in &self.databases {
            for _ in 0..poisson(random, *rate) {
                let pod = random.random_range(0..self.pods);
                let seconds = if random.random::<f64>() < *slow { 0.5 } else { 0.02 };
                for edge in ["0.01", "0.1", "1", "+Inf"] {
                    let labels = [("database", *database), ("le", edge)];
                    let bucket = self.key("database_query_duration_seconds_bucket", pod, &labels);
                    *counters[pod].entry(bucket).or_default() += f64::from(u8::from(seconds <= bound(edge)));
                }
            }
        }
        for (pod, of_pod) in counters.iter_mut().enumerate() {
            let probed = poisson(random, self.probes);
            if probed > 0 {
                let (label, good, _) = self.status;
                let key = self.key("http_requests_total", pod, &[("route", "/api/healthz"), (label, good)]);
                *of_pod.entry(key).or_default() += f64::from(probed);
            }
        }
    }

    pub(crate) fn with_history(&self) -> Vec<Counters> {
        let (label, good, bad) = self.status;
        let one = |pod| {
            let mut counters = Counters::new();
            for (status, count) in [(good, self.history.0), (bad, self.history.1)] {
                if count > 0.0 {
                    let key =
                        self.key("http_requests_total", pod, &[("route", self.routes[0]), (label, status)]);
                    counters.insert(key, count);
                }
            }
            counters
        };
        (0..self.pods).map(one).collect()
    }
}
