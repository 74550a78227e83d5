//! A wall clock that is set by hours in the middle of a grace, and one that differs from the real
//! Alertmanager's by minutes: a grace neither ends early nor hangs.

use std::sync::Arc;
use std::time::Duration;

use backstop::app::App;
use backstop::clock::{Clock, SteppedClock, SystemClock};
use backstop::demo::trading_api::TradingApi;
use backstop::store::SqliteStore;
use chrono::TimeDelta;
use tokio::time::Instant;

use crate::support::alerting::{Fires, alertmanager, configure, matching, tell};
use crate::support::{Site, rollout_toml, wait_for};

const GRACE: Duration = Duration::from_secs(5);

/// Alertmanager cuts times to milliseconds, and two clocks are read one after the other.
const READ_LATER: Duration = Duration::from_millis(100);

/// Runs one warning's grace with our clock `ahead` of Alertmanager's from the start, and set by
/// `step` in the middle; says how long the grace lasted.
async fn grace_lasts(ahead: TimeDelta, step: TimeDelta) -> Duration {
    let api = TradingApi::start(25, 10).await.expect("started");
    let site = Site::new("#monitoring", &rollout_toml("clocks", &matching("clocks"), "5s", &api));
    let alertmanager = alertmanager(&site).await;
    configure(&site, &[&alertmanager], None);
    let config = site.parsed();
    let store = Arc::new(SqliteStore::open(&config.store.path).expect("opened"));
    let clock = Arc::new(SteppedClock::starting_at(SystemClock.now() + ahead));
    let app = App::start_with(&config, store, clock.clone()).await.expect("started");
    site.share_read(25).await;
    wait_for("the clocks to be compared", || async {
        let metrics =
            reqwest::get(format!("http://{}/metrics", app.admin_listen)).await.ok()?.text().await.ok()?;
        let line = metrics.lines().find(|line| line.starts_with("backstop_clock_ahead_seconds{"))?.to_owned();
        let seconds: i64 = line.rsplit(' ').next()?.parse().ok()?;
        ((seconds + ahead.num_seconds()).abs() < 3).then_some(())
    })
    .await;

    let fired = Instant::now();
    tell(&alertmanager, &[Fires::now("CanaryErrorRateWarning", "warning", "clocks")]).await;
    site.incident("the grace", |incident| incident.state == "grace").await;
    clock.step(step);
    wait_for("the rollback", || async { (api.share() == 0).then_some(()) }).await;
    let lasted = fired.elapsed();
    let done = site.incident("its end", |incident| incident.state == "rolled_back").await;
    assert_eq!((done.reason.as_str(), api.sets().len()), ("still_firing", 1));
    app.shutdown().await.expect("drained");
    lasted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_lasts_its_time_whatever_the_clocks_do() {
    let (none, hours, minutes) = (TimeDelta::zero(), TimeDelta::hours(2), TimeDelta::minutes(6));
    // The bound of every wait is a minute: a grace that hangs for hours would be noticed, too.
    let (forward, back, ahead, behind) = tokio::join!(
        grace_lasts(none, hours),
        grace_lasts(none, -hours),
        grace_lasts(minutes, none),
        grace_lasts(-minutes, none),
    );
    for (case, lasted) in [("set forward", forward), ("set back", back), ("ahead", ahead), ("behind", behind)]
    {
        assert!(lasted + READ_LATER >= GRACE, "{case}: the grace ended early, after {lasted:?}");
    }
}
