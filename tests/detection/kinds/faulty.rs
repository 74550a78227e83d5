//! Canaries that are to be rolled back.

use super::parts::{beside, csp, exporting, failing, gauge, pool, staleness, with};
use super::{Kind, faulty};
use crate::canary::{Exported, Service, World, always, canary, from_minute, others, stable};

/// The protocol's ramp takes 60 to 90 minutes.
const SHORTEST_RAMP_MINUTES: u32 = 60;

pub(super) fn kinds() -> Vec<Kind> {
    let all = [errors(), hidden(), durations(), gauges()];
    all.into_iter().flatten().collect()
}

fn errors() -> Vec<Kind> {
    vec![
        faulty("0.1 requests a second, 30 % errors", || World::of(with(0.1, 0.3))),
        faulty("0.1 requests a second, all of them fail", || World::of(with(0.1, 1.0))),
        faulty("0.3 requests a second, 12 % errors", || World::of(with(0.3, 0.12))),
        faulty("1 request a second, 8 % errors", || World::of(with(1.0, 0.08))),
        faulty("3 requests a second, 5 % errors", || World::of(with(3.0, 0.05))),
        faulty("10 requests a second, 4 % errors", || World::of(with(10.0, 0.04))),
        // So little above the limits that five minutes can't always tell: it has the shortest ramp, where
        // the others have half an hour.
        faulty("3 requests a second, 3.5 % errors", || World {
            minutes: SHORTEST_RAMP_MINUTES,
            ..World::of(with(3.0, 0.035))
        }),
        faulty("10 requests a second, 2.6 % errors", || World::of(with(10.0, 0.026))),
        faulty("errors begin after twenty minutes", || {
            World::of(failing(2.0, from_minute(20.0, 0.002, 0.15)))
        })
        .since(20.0),
        faulty("errors grow from 0 to 10 % in half an hour", || {
            World::of(failing(5.0, |t| (t / 1_800.0).min(1.0) * 0.1))
        })
        .since(4.0),
        faulty("a fifth of the requests fail every other minute", || {
            World::of(failing(3.0, |t| if t % 120.0 < 60.0 { 0.2 } else { 0.0 }))
        }),
        faulty("traffic goes up and down, 10 % errors", || {
            let rate = Box::new(|t: f64| 3.1 + 2.9 * (t / 900.0).sin());
            World::of(Service { rate, ..with(0.0, 0.1) })
        }),
        faulty("1 request a second, 15 % conflicts", || {
            World::of(Service { conflicts: 0.15, ..with(1.0, 0.0) })
        }),
        faulty("0.2 requests a second, 40 % conflicts", || {
            World::of(Service { conflicts: 0.4, ..with(0.2, 0.0) })
        }),
    ]
}

fn hidden() -> Vec<Kind> {
    vec![
        faulty("each failure is a series of its own, born late", || {
            let routes = &["/a", "/b", "/c", "/d", "/e", "/f"];
            World::of(Service { routes, pods: 3, ..with(0.15, 0.4) })
        }),
        faulty("born with its errors", || World::of(with(1.0, 0.2))),
        faulty("one of three pods fails every request", || {
            World::of(Service {
                pods: 3,
                errors: Box::new(|_, _, pod| if pod == 0 { 1.0 } else { 0.0 }),
                ..with(2.0, 0.0)
            })
        }),
        faulty("one route of four fails", || {
            let routes = &["/a", "/b", "/c", "/d"];
            World::of(Service {
                routes,
                errors: Box::new(|_, route, _| if route == 0 { 0.6 } else { 0.0 }),
                ..with(2.0, 0.0)
            })
        }),
        faulty("a route that is called like a probe's fails", || {
            let routes = &["/api/orders", "/api/risk/metrics", "/api/live/quotes"];
            let errors = Box::new(|_, route, _| if route == 1 { 1.0 } else { 0.0 });
            World::of(Service { routes, errors, ..with(2.0, 0.0) })
        }),
        faulty("diluted by probes", || World::of(Service { probes: 2.0, ..with(0.3, 0.3) })),
        faulty("diluted by another team's requests without track", || {
            beside(with(1.0, 0.2), vec![Service { rate: always(30.0), ..others() }])
        }),
        faulty("good stable beside it", || {
            beside(with(0.5, 0.3), vec![Service { rate: always(20.0), ..stable() }])
        }),
        faulty("restarts while it fails", || {
            World::of(Service { restarts: vec![300, 700, 1_100, 1_500, 1_900], ..with(2.0, 0.2) })
        }),
        faulty("the status label is called code, 20 % errors", || {
            World::of(Service { status: ("code", "200", "500"), ..with(1.0, 0.2) })
        }),
        faulty("statuses are classes", || {
            World::of(Service { status: ("status", "2xx", "5xx"), ..with(1.0, 0.2) })
        }),
        faulty("scraped once a minute, 15 % errors", || World {
            scrape_seconds: 60,
            ..World::of(with(1.0, 0.15))
        }),
        faulty("one scrape in eight fails, 15 % errors", || World {
            failing_one_in: 8,
            ..World::of(with(1.0, 0.15))
        }),
        faulty("late scrapes, 15 % errors", || World { late: 0.3, ..World::of(with(1.0, 0.15)) }),
        faulty("its series carry no job", || {
            World::of(Service { labels: vec![("track", "canary")], ..with(1.0, 0.2) })
        }),
    ]
}

fn durations() -> Vec<Kind> {
    vec![
        faulty("0.1 requests a second, P95 2 s", || World::of(slow_canary(0.1, 2.0))),
        faulty("3 requests a second, P95 550 ms", || World::of(slow_canary(3.0, 0.55))),
        faulty("3 requests a second, P95 330 ms", || World::of(slow_canary(3.0, 0.33))),
        faulty("P95 creeps from 100 to 600 ms", || {
            World::of(Service { p95: Box::new(|t| 0.1 + 0.5 * t / 2_400.0), ..with(5.0, 0.0) })
        })
        .since(12.0),
        faulty("coarse buckets, P95 1.5 s", || {
            World::of(Service { edges: &["0.1", "0.5", "1", "+Inf"], ..slow_canary(2.0, 1.5) })
        }),
        faulty("scraped once a minute, P95 900 ms", || World {
            scrape_seconds: 60,
            ..World::of(slow_canary(2.0, 0.9))
        }),
        faulty("a fifth of the queries are slow", || {
            World::of(Service { databases: vec![("orders", 2.0, 0.2)], ..canary() })
        }),
        faulty("one slow database beside a busy quick one", || {
            World::of(Service { databases: vec![("quotes", 30.0, 0.0), ("orders", 0.5, 0.4)], ..canary() })
        }),
    ]
}

fn slow_canary(rate: f64, p95: f64) -> Service {
    Service { p95: always(p95), ..with(rate, 0.0) }
}

/// The protocol's own names, without a total.
fn states(active: f64, idle: f64) -> Vec<Exported> {
    vec![
        gauge("pgbouncer_pools_server_active", &[("database", "orders")], move |_| Some(active)),
        gauge("pgbouncer_pools_server_idle", &[("database", "orders")], move |_| Some(idle)),
    ]
}

fn gauges() -> Vec<Kind> {
    vec![
        faulty("BIST data is 150 s old", || exporting(vec![staleness(|_| 150.0)])),
        faulty("BIST data is 150 s old, one scrape in eight fails", || World {
            failing_one_in: 8,
            ..exporting(vec![staleness(|_| 150.0)])
        }),
        faulty("BIST data is 150 s old, scraped once a minute, one in eight fails", || World {
            failing_one_in: 8,
            scrape_seconds: 60,
            ..exporting(vec![staleness(|_| 150.0)])
        }),
        faulty("one full pool beside an idle one", || {
            exporting(pool("orders", |_| 20.0).into_iter().chain(pool("reports", |_| 0.0)).collect())
        }),
        faulty("a full pool, one scrape in eight fails", || World {
            failing_one_in: 8,
            ..exporting(pool("orders", |_| 20.0))
        }),
        faulty("a full pool by the protocol's states without a total", || exporting(states(19.0, 1.0))),
        faulty("80 CSP violations a second", || exporting(vec![csp(|_| 80.0)])),
        faulty("80 CSP violations a second, scraped once a minute", || World {
            scrape_seconds: 60,
            ..exporting(vec![csp(|_| 80.0)])
        }),
        faulty("a CSP storm after twenty minutes", || exporting(vec![csp(from_minute(20.0, 0.1, 90.0))]))
            .since(20.0),
    ]
}
