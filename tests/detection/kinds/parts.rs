//! What several kinds are made of.

use crate::canary::{Exported, Service, World, always, canary, series};

/// A canary with this many requests a second and share of errors.
pub(super) fn with(rate: f64, errors: f64) -> Service {
    Service { rate: always(rate), errors: Box::new(move |_, _, _| errors), ..canary() }
}

/// The same, with errors by the time alone.
pub(super) fn failing(rate: f64, errors: impl Fn(f64) -> f64 + 'static) -> Service {
    Service { errors: Box::new(move |t, _, _| errors(t)), ..with(rate, 0.0) }
}

/// For the longer part of a ramp.
pub(super) fn long(service: Service) -> World {
    World { minutes: 60, ..World::of(service) }
}

/// The canary beside others.
pub(super) fn beside(service: Service, others: Vec<Service>) -> World {
    World { services: std::iter::once(service).chain(others).collect(), ..World::of(canary()) }
}

/// A good canary that exports this too.
pub(super) fn exporting(exported: Vec<Exported>) -> World {
    World { exported, ..World::of(canary()) }
}

/// A gauge of the canary's.
pub(super) fn gauge(
    metric: &'static str,
    labels: &[(&'static str, &str)],
    value: impl Fn(f64) -> Option<f64> + 'static,
) -> Exported {
    let labels = [&[("job", "spark-trading"), ("track", "canary")], labels].concat();
    Exported { series: series(metric, &labels), value: Box::new(value), is_counter: false }
}

/// A counter of CSP violations, by so many a second.
pub(super) fn csp(rate: impl Fn(f64) -> f64 + 'static) -> Exported {
    let labels = [("directive", "img-src")];
    Exported { is_counter: true, ..gauge("csp_violations_total", &labels, move |t| Some(rate(t))) }
}

/// The age of the exchange's data.
pub(super) fn staleness(seconds: impl Fn(f64) -> f64 + 'static) -> Exported {
    gauge("spark_bist_staleness_seconds", &[], move |t| Some(seconds(t)))
}

/// A pool of twenty server connections, so many of which are active.
pub(super) fn pool(database: &'static str, active: impl Fn(f64) -> f64 + Copy + 'static) -> Vec<Exported> {
    pool_of(database, 20.0, active)
}

/// A pool of any size.
pub(super) fn pool_of(
    database: &'static str,
    size: f64,
    active: impl Fn(f64) -> f64 + Copy + 'static,
) -> Vec<Exported> {
    let labels = [("database", database), ("user", "api")];
    vec![
        gauge("pgbouncer_pools_server_active_connections", &labels, move |t| Some(active(t))),
        gauge("pgbouncer_pools_server_idle_connections", &labels, move |t| Some(size - active(t))),
    ]
}

/// The share that Backstop exports.
pub(super) fn share(percent: impl Fn(f64) -> f64 + 'static) -> Exported {
    let labels = [("job", "backstop"), ("rollout", "spark-trading")];
    Exported {
        series: series("backstop_canary_share_percent", &labels),
        value: Box::new(move |t| Some(percent(t))),
        is_counter: false,
    }
}
