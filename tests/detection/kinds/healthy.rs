//! Canaries that are to stay.

use super::parts::{beside, csp, exporting, failing, gauge, long, pool, pool_of, share, staleness, with};
use super::{Kind, Page, healthy};
use crate::canary::{Service, World, always, canary, during, others, stable};

pub(super) fn kinds() -> Vec<Kind> {
    let all = [few_requests(), many_requests(), recoveries(), monitoring(), ended(), gauges()];
    all.into_iter().flatten().collect()
}

fn few_requests() -> Vec<Kind> {
    vec![
        healthy("0.1 requests a second, 0.5 % errors", || long(with(0.1, 0.005))),
        healthy("0.2 requests a second, 0.3 % errors", || long(with(0.2, 0.003))),
        healthy("0.3 requests a second, 0.7 % errors", || long(with(0.3, 0.007))),
        healthy("0.02 requests a second, 0.5 % errors", || long(with(0.02, 0.005))),
        healthy("0.15 requests a second, P95 190 ms", || {
            long(Service { p95: always(0.19), ..with(0.15, 0.0) })
        }),
        healthy("0.3 requests a second, 0.9 % conflicts", || {
            long(Service { conflicts: 0.009, ..with(0.3, 0.0) })
        }),
        healthy("0.3 requests a second over twelve series, born one by one", || {
            let routes = &["/a", "/b", "/c", "/d", "/e", "/f"];
            long(Service { routes, pods: 2, ..with(0.3, 0.005) })
        }),
        healthy("no errors at all", || long(with(0.5, 0.0))),
    ]
}

fn many_requests() -> Vec<Kind> {
    vec![
        healthy("1 request a second, 0.8 % errors", || long(with(1.0, 0.008))),
        healthy("10 requests a second, 0.9 % errors", || long(with(10.0, 0.009))),
        healthy("3 requests a second, P95 190 ms", || long(Service { p95: always(0.19), ..with(3.0, 0.0) })),
        healthy("5 requests a second, 0.9 % conflicts", || {
            World::of(Service { conflicts: 0.009, ..with(5.0, 0.0) })
        }),
        healthy("one request in a hundred takes a second, in new pods", || {
            long(Service { tail: (0.01, 1.0), pods: 2, restarts: vec![1_205, 2_405], ..with(4.0, 0.0) })
        }),
        healthy("errors drift from 0.2 % to 0.9 %", || long(failing(5.0, |t| 0.002 + 0.007 * t / 5_400.0))),
        healthy("traffic goes up and down between 0.2 and 6 a second", || {
            let rate = Box::new(|t: f64| 3.1 + 2.9 * (t / 900.0).sin());
            long(Service { rate, ..with(0.0, 0.006) })
        }),
        healthy("all requests of three seconds fail every ten minutes", || {
            long(failing(1.0, |t| if t % 600.0 < 3.0 { 1.0 } else { 0.0 }))
        }),
        healthy("three pods that restart", || {
            World::of(Service { pods: 3, restarts: vec![1_205], ..with(3.0, 0.006) })
        }),
        healthy("stable is bad beside a good canary", || {
            beside(
                with(1.0, 0.004),
                vec![Service { p95: always(1.5), errors: Box::new(|_, _, _| 0.2), ..stable() }],
            )
        }),
        healthy("the status label is called code, 0.6 % errors", || {
            World::of(Service { status: ("code", "200", "503"), ..with(3.0, 0.006) })
        }),
    ]
}

/// Errors in the eleventh minute, for some seconds, and next to none otherwise.
fn brown_out(rate: f64, seconds: f64, errors: f64) -> World {
    World::of(failing(rate, during(10.0, seconds, errors, 0.002)))
}

fn recoveries() -> Vec<Kind> {
    vec![
        healthy("a cold start: 60 s of P95 320 ms", || {
            World::of(Service { p95: during(0.0, 60.0, 0.32, 0.12), ..with(4.0, 0.002) })
        }),
        healthy("a cold start: 90 s of P95 300 ms at 10 requests a second", || {
            World::of(Service { p95: during(0.0, 90.0, 0.3, 0.12), ..with(10.0, 0.002) })
        }),
        healthy("a cold start: four minutes of P95 360 ms", || {
            World::of(Service { p95: during(0.0, 240.0, 0.36, 0.12), ..with(5.0, 0.002) })
        }),
        healthy("a brown-out of 45 s with P95 500 ms", || {
            World::of(Service { p95: during(10.0, 45.0, 0.5, 0.12), ..with(5.0, 0.002) })
        }),
        healthy("a brown-out of 30 s with 20 % errors at 10 requests a second", || {
            brown_out(10.0, 30.0, 0.2)
        }),
        healthy("a brown-out of 60 s with 10 % errors at 10 requests a second", || {
            brown_out(10.0, 60.0, 0.1)
        }),
        healthy("a brown-out of 90 s with 6 % errors at 20 requests a second", || {
            brown_out(20.0, 90.0, 0.06)
        }),
    ]
}

fn monitoring() -> Vec<Kind> {
    vec![
        healthy("another team's application fails 12 % and has no track", || {
            beside(
                with(1.0, 0.004),
                vec![Service { p95: always(2.0), errors: Box::new(|_, _, _| 0.12), ..others() }],
            )
        }),
        healthy("another team's nightly job queries slowly", || {
            let job = Service { databases: vec![("reports", 5.0, 0.9)], ..others() };
            beside(Service { databases: vec![("orders", 3.0, 0.01)], ..canary() }, vec![job])
        }),
        healthy("one scrape in eight fails", || World { failing_one_in: 8, ..World::of(with(2.0, 0.006)) })
            .paged(Page::By("CanaryScrapesFailing")),
        healthy("a fifth of the scrapes are late", || World { late: 0.2, ..World::of(with(2.0, 0.006)) }),
        healthy("scraped once a minute", || World { scrape_seconds: 60, ..World::of(with(2.0, 0.006)) })
            .paged(Page::By("CanaryScrapesRare")),
        healthy("an old process whose bad past Prometheus did not see", || {
            World::of(Service { history: (90_000.0, 8_000.0), ..with(2.0, 0.004) })
        }),
        healthy("coarse buckets, P95 160 ms", || {
            World::of(Service { edges: &["0.1", "0.5", "1", "+Inf"], p95: always(0.16), ..with(3.0, 0.002) })
        }),
        healthy("it is probed every two seconds", || World::of(Service { probes: 0.5, ..with(0.3, 0.005) })),
    ]
}

/// A canary that has ended after twenty minutes, beside stable.
fn ends(share_after: Option<f64>) -> World {
    let ended = Service { life: (0.0, 20.0), ..with(2.0, 0.002) };
    let exported = share_after.map(|after| share(move |t| if t < 1_200.0 { 20.0 } else { after }));
    let exported = exported.into_iter().collect();
    World { minutes: 40, exported, ..beside(ended, vec![stable()]) }
}

fn ended() -> Vec<Kind> {
    vec![
        healthy("no canary any more: the share is 0 %", || ends(Some(0.0))),
        healthy("promoted: its series are gone, the share is 100 %", || ends(Some(100.0))),
        healthy("promoted, and Backstop is not scraped", || ends(None)),
        healthy("nobody uses the application at night", || {
            let asleep = |service: Service, rate: f64| Service {
                rate: Box::new(move |t| if t < 900.0 { rate } else { 0.0 }),
                ..service
            };
            let world = beside(asleep(canary(), 1.0), vec![asleep(stable(), 19.0)]);
            World { exported: vec![share(|_| 5.0)], ..world }
        }),
    ]
}

fn gauges() -> Vec<Kind> {
    vec![
        healthy("BIST data gets up to 50 s old", || exporting(vec![staleness(|t| t % 50.0)])),
        healthy("BIST data is stale for two minutes and a half, once", || {
            exporting(vec![staleness(during(20.0, 150.0, 150.0, 10.0))])
        }),
        healthy("a pod whose data was stale for a minute is replaced", || {
            let of = |metric, pod, value: fn(f64) -> Option<f64>| gauge(metric, &[("pod", pod)], value);
            exporting(vec![
                of("spark_bist_staleness_seconds", "old", |t| {
                    (t < 1_260.0).then_some(if t < 1_200.0 { 10.0 } else { 130.0 })
                }),
                of("up", "old", |t| (t < 1_260.0).then_some(1.0)),
                of("spark_bist_staleness_seconds", "new", |t| (t >= 1_260.0).then_some(5.0)),
                of("up", "new", |t| (t >= 1_260.0).then_some(1.0)),
            ])
        }),
        healthy("pgBouncer's pool is used to 85 %", || exporting(pool("orders", |_| 17.0))),
        healthy("pgBouncer's pool is full for a minute", || {
            exporting(pool("orders", |t| if (1_200.0..1_260.0).contains(&t) { 20.0 } else { 8.0 }))
        }),
        healthy("a job holds its only connection all night", || {
            exporting(pool("orders", |_| 4.0).into_iter().chain(pool_of("nightly", 1.0, |_| 1.0)).collect())
        }),
        healthy("a CSP violation now and then", || exporting(vec![csp(|_| 0.5)])),
        healthy("a burst of CSP violations over ten seconds", || {
            exporting(vec![csp(during(20.0, 10.0, 150.0, 0.2))])
        }),
        healthy("few queries, one in fifty of them slow", || {
            long(Service { databases: vec![("orders", 0.1, 0.02)], ..canary() })
        }),
        healthy("many queries, one in fifty of them slow", || {
            World::of(Service { databases: vec![("orders", 8.0, 0.02)], ..canary() })
        }),
    ]
}
