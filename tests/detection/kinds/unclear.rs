//! Canaries over which reasonable people differ; what becomes of them is shown, and fails nothing.

use super::parts::{failing, with};
use super::{Kind, Page, Truth};
use crate::canary::{Service, World, always, during};

const fn unclear(name: &'static str, reason: &'static str, world: fn() -> World) -> Kind {
    Kind { name, truth: Truth::Unclear(reason), page: Page::Any, since_minute: 0.0, world }
}

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        unclear(
            "a cold start: 60 s of P95 900 ms",
            "beyond a critical threshold, which the protocol gives no grace",
            || World::of(Service { p95: during(0.0, 60.0, 0.9, 0.12), ..with(4.0, 0.002) }),
        ),
        unclear("a brown-out of 60 s with 40 % errors", "the same", || {
            World::of(failing(5.0, during(10.0, 60.0, 0.4, 0.002)))
        }),
        unclear(
            "0.1 requests a second, 90 s of failures",
            "a few requests, most of which failed, say little of the next",
            || World::of(failing(0.1, during(10.0, 90.0, 0.6, 0.005))),
        ),
        unclear(
            "0.1 requests a second, 4 % errors",
            "beyond a threshold, with a request in ten seconds to tell",
            || World::of(with(0.1, 0.04)),
        ),
        unclear(
            "1 request a second, 2 % errors",
            "between the pass criterion and what five minutes can tell from a warning",
            || World::of(with(1.0, 0.02)),
        ),
        unclear("10 requests a second, 1.3 % errors", "no pass, and no warning either", || {
            World::of(with(10.0, 0.013))
        }),
        unclear(
            "coarse buckets, P95 300 ms",
            "no bucket ends between 0.1 and 0.5 s, so nobody can know",
            || World::of(Service { edges: &["0.1", "0.5", "1", "+Inf"], p95: always(0.3), ..with(3.0, 0.0) }),
        ),
        unclear(
            "every request of a canary fails that has 1 % and no label",
            "1 % of all requests is below every threshold",
            || World::of(Service { labels: vec![("job", "spark-trading")], ..with(10.0, 0.01) }),
        ),
        unclear("two brown-outs, six minutes apart", "each recovers within the grace", || {
            World::of(failing(10.0, |t| {
                if (600.0..645.0).contains(&t) || (960.0..1_005.0).contains(&t) { 0.12 } else { 0.002 }
            }))
        }),
    ]
}
