//! Canaries that can't be judged: people have to be paged, and nothing is rolled back.

use super::parts::{beside, gauge, share, with};
use super::{Kind, Page, healthy};
use crate::canary::{Exported, Service, World, always, canary, others, series, stable};

fn paged(name: &'static str, world: fn() -> World) -> Kind {
    healthy(name, world).paged(Page::By("CanaryNoData"))
}

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        paged("a share of 5 %, and no request while stable is busy", || {
            let idle = Service { rate: Box::new(|t| if t < 600.0 { 1.0 } else { 0.0 }), ..canary() };
            World {
                exported: vec![share(|_| 5.0)],
                ..beside(idle, vec![Service { rate: always(20.0), ..stable() }])
            }
        }),
        paged("its target is down", || down(|t| t >= 900.0)),
        paged("it comes up and goes down again", || down(|t| t % 240.0 >= 60.0)),
        paged("its process restarts every two minutes", || {
            World::of(Service { restarts: (1..30).map(|n| n * 120).collect(), ..with(2.0, 0.002) })
        }),
        paged("its series are gone, those of another team remain", || {
            let gone = Service { life: (0.0, 20.0), ..with(1.0, 0.002) };
            World { exported: vec![share(|_| 5.0)], ..beside(gone, vec![others()]) }
        }),
        paged("its BIST metric is gone, stable's is there", || {
            let lost = gauge("spark_bist_staleness_seconds", &[], |t| (t < 900.0).then_some(10.0));
            let of_stable = Exported {
                series: series(
                    "spark_bist_staleness_seconds",
                    &[("job", "spark-trading"), ("track", "stable")],
                ),
                value: Box::new(|_| Some(10.0)),
                is_counter: false,
            };
            World { exported: vec![lost, of_stable], ..World::of(canary()) }
        }),
        paged("its statuses are words", || {
            World::of(Service { status: ("status", "ok", "error"), ..canary() })
        }),
        paged("its requests carry no status", || {
            World::of(Service { status: ("outcome", "ok", "bad"), ..canary() })
        }),
    ]
}

/// A canary whose target can't be scraped at these times: only Prometheus' own metric says so.
fn down(is_down: impl Fn(f64) -> bool + 'static) -> World {
    let up = gauge("up", &[("pod", "canary-9")], move |t| Some(f64::from(u8::from(!is_down(t)))));
    World { exported: vec![up], services: vec![stable()], ..World::of(canary()) }
}
