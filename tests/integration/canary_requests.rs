//! Whether requests still reach a canary, by what the real Prometheus has scraped of its counter.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstop::clock::{Clock, SystemClock};
use backstop::demo::trading_api::TradingApi;
use backstop::execution::ReadError;
use backstop::incident::{Alert, CheckOutcome, Observation, Share, Verdict};
use backstop::outbound::Outbound;
use backstop::signals::Prometheus;
use backstop::verification::{
    CanaryRequests, RequestCounter, RequestTimes, Round, Seen, Subject, TrafficShare, Verifier, VerifyTimes,
};
use chrono::TimeDelta;
use tokio::time::Instant;

use crate::support::measured::Measured;
use crate::support::{Site, prepare, rollout_toml, wait_for};

/// The canary's counter, as its pods show it.
const CANARY: &str = "http_requests_total{track=\"canary\",route=\"/orders\"}";

/// A rollback whose traffic is read back as off, whatever the canary counts.
#[derive(Debug)]
struct ReadAsOff;

#[async_trait]
impl Subject for ReadAsOff {
    fn alerts(&self) -> Option<Vec<Alert>> {
        Some(Vec::new())
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        Ok(Observation::of_share(Share::ZERO))
    }
}

/// A folder with a configuration, which names where everything is and is not served.
async fn site() -> Site {
    prepare();
    let api = TradingApi::start(0, 0).await.expect("started");
    Site::new("#monitoring", &rollout_toml("counted", "{ rollout = \"counted\" }", "8s", &api))
}

/// Spans for one machine and scrapes of every second.
fn probe(measured: &Measured) -> CanaryRequests {
    let outbound = Outbound::new(Duration::from_secs(5), None).expect("a client");
    let url = reqwest::Url::parse(&measured.prometheus.url()).expect("a URL");
    let seconds = Duration::from_secs;
    CanaryRequests {
        prometheus: Some(Arc::new(Prometheus::new(outbound, url))),
        counter: Some(RequestCounter {
            canary: "http_requests_total{job=\"app\",track!=\"stable\"}".to_owned(),
            labelled: "http_requests_total{job=\"app\",track!=\"stable\",track!=\"\"}".to_owned(),
            stable: Some("http_requests_total{job=\"app\",track=\"stable\"}".to_owned()),
            targets: "up{job=\"app\",track!=\"stable\"}".to_owned(),
        }),
        times: RequestTimes { settle: seconds(1), quiet: seconds(2), longest: seconds(5) },
    }
}

async fn read(probe: &CanaryRequests, off_for: Duration) -> Seen {
    use backstop::verification::Probe;
    probe.read(&Round::new(&ReadAsOff, &[], off_for)).await
}

/// Waits until the probe sees this, the traffic having been off since then.
async fn sees(probe: &CanaryRequests, off_since: Instant, outcome: CheckOutcome, words: &str) {
    wait_for(&format!("{outcome:?}: {words}"), || async {
        let seen = read(probe, off_since.elapsed()).await;
        (seen.outcome == outcome && seen.detail.contains(words)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_goes_on_rising_is_traffic_whatever_the_share_says_until_it_stands_still() {
    let site = site().await;
    let mut measured = Measured::new(&site, "", &[]).await;
    let probe = probe(&measured);
    let mut served = 1_000.0;
    let mut serve = |requests: f64| {
        served += requests;
        measured.set(CANARY, served);
    };
    // Customers come while the future of the test is waited for, and only then.
    macro_rules! with_customers {
        ($future:expr) => {{
            let customers = async {
                loop {
                    serve(20.0);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::select! { () = customers => unreachable!("they never end"), done = $future => done }
        }};
    }
    with_customers!(measured.until("sum(increase(http_requests_total[5s])) > 500", true));
    let off_since = Instant::now();
    let began = SystemClock.now();
    with_customers!(sees(&probe, off_since, CheckOutcome::Fail, "in as long before the rollback"));

    let verifier = Verifier { probes: vec![Arc::new(TrafficShare), Arc::new(probe.clone())] };
    let times = VerifyTimes {
        since: began,
        off_since: began,
        until: began,
        guarded_until: began + TimeDelta::seconds(2),
        interval: Duration::from_millis(200),
    };
    let verification = with_customers!(verifier.verify(&ReadAsOff, times, &SystemClock)).expect("a verdict");
    assert_eq!(verification.verdict, Verdict::NotVerified, "{verification:?}");
    assert!(verification.traffic_read_back_off(), "loud about it, and not done again: {verification:?}");

    sees(&probe, off_since, CheckOutcome::Pass, "none in the last 5 s").await;
    serve(3.0);
    sees(&probe, off_since, CheckOutcome::Unknown, "too few to be its traffic").await;
    sees(&probe, off_since, CheckOutcome::Pass, "none in the last 5 s").await;

    measured.prometheus.kill().await;
    assert_eq!(read(&probe, off_since.elapsed()).await.outcome, CheckOutcome::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_one_process_that_serves_both_versions_are_left_out_and_named() {
    let site = site().await;
    let measured = Measured::new(&site, "", &[]).await;
    let probe = probe(&measured);
    let minutes = Duration::from_secs(300);
    measured.set("http_requests_total{route=\"/orders\"}", 1_000.0);
    measured.until("http_requests_total", true).await;
    let seen = read(&probe, minutes).await;
    assert!(
        seen.outcome == CheckOutcome::NotConfigured && seen.detail.contains("metrics.canary"),
        "{seen:?}"
    );

    measured.set("http_requests_total{track=\"stable\",route=\"/orders\"}", 1_000.0);
    measured.until("http_requests_total{track=\"stable\"}", true).await;
    let off_since = Instant::now();
    let told_apart = || async {
        let seen = read(&probe, minutes + off_since.elapsed()).await;
        (seen.outcome == CheckOutcome::Pass).then_some(())
    };
    wait_for("stable's series to tell the canary's apart", told_apart).await;
}
