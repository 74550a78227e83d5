//! A verification from its first round to its verdict, in stepped time.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;

use super::*;
use crate::clock::SteppedClock;
use crate::execution::{ActError, ReadError, Target};
use crate::incident::{Answer, Observation, Pods, Share, Step, Verdict, Workloads};
use crate::logging::fixtures::page;
use crate::outbound::Outbound;
use crate::verification::fixtures::{Scripted, alert};
use CheckOutcome::{Fail, NotConfigured, Pass, Unknown};

/// What the share is read as; `None`: there is no place to read it.
#[derive(Debug)]
struct Traffic(Option<Result<Share, ReadError>>);

#[async_trait]
impl Target for Traffic {
    fn describe(&self, _: Step) -> String {
        String::new()
    }

    async fn apply(&self, _: Step) -> Result<Answer, ActError> {
        unreachable!("a verification only reads")
    }

    fn can_observe(&self) -> bool {
        self.0.is_some()
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        self.0.clone().unwrap_or(Err(ReadError::NotConfigured)).map(Observation::of_share)
    }
}

const OFF: Option<Result<Share, ReadError>> = Some(Ok(Share::ZERO));

/// The length of the window, and the pause between two rounds.
const WINDOW: TimeDelta = TimeDelta::seconds(60);
const INTERVAL: Duration = Duration::from_secs(15);

fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

fn verifier(share: Option<Result<Share, ReadError>>, prometheus: Option<Scripted>) -> Verifier {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let outbound = Outbound::new(Duration::from_secs(1), None).expect("a client");
    Verifier {
        target: Observer::new(Arc::new(Traffic(share))),
        replicas: None,
        application: Application::new(outbound, None, None),
        prometheus: prometheus.map(|scripted| Arc::new(scripted) as Arc<dyn RuleSource>),
    }
}

/// A Prometheus whose rules `Slow` and `Late` look at these values, with 0.03 as threshold.
fn measuring(slow: f64, late: f64) -> Option<Scripted> {
    let scripted = Scripted::default().with_rule("Slow", "slow > 0.03", &[]).with_value("slow", &[], slow);
    Some(scripted.with_rule("Late", "late > 0.03", &[]).with_value("late", &[], late))
}

/// What became of it, and after how many seconds. One that never ends is a failure.
async fn verified(
    verifier: &Verifier,
    alerts: impl Fn() -> Vec<Alert> + Send + Sync,
    window: TimeDelta,
    clock: &SteppedClock,
) -> (Verification, u64) {
    let times = VerifyTimes {
        since: start(),
        until: clock.now() + window,
        guarded_until: start(),
        interval: INTERVAL,
    };
    let began = tokio::time::Instant::now();
    let verification = verifier.verify(alerts, times, clock);
    let an_hour = Duration::from_secs(3_600);
    let verification = tokio::time::timeout(an_hour, verification).await.expect("it ends by its window");
    (verification, began.elapsed().as_secs())
}

fn slow() -> Vec<Alert> {
    vec![alert("Slow", &[])]
}

/// One alert when it is first asked for, two from then on.
fn one_that_another_joins() -> impl Fn() -> Vec<Alert> + Send + Sync {
    let asked = AtomicUsize::new(0);
    move || {
        let all = [alert("Slow", &[]), alert("Late", &[])];
        all.into_iter().take(1 + asked.fetch_add(1, Ordering::Relaxed)).collect()
    }
}

fn checks(verification: &Verification) -> [(CheckOutcome, &str); 3] {
    let names: Vec<_> = verification.checks.iter().map(|check| check.name).collect();
    assert_eq!(names, [CheckName::TrafficShare, CheckName::StableVersion, CheckName::AlertExpression]);
    std::array::from_fn(|index| {
        let check = &verification.checks[index];
        (check.outcome, check.detail.as_str())
    })
}

const NO_HEALTHZ: (CheckOutcome, &str) = (NotConfigured, "verify.healthz_url is not configured");

#[tokio::test(start_paused = true)]
async fn a_rollback_after_which_all_is_well_is_verified_by_the_first_round() {
    let clock = SteppedClock::starting_at(start() + TimeDelta::seconds(5));
    let (verification, took) = verified(&verifier(OFF, measuring(0.01, 0.0)), slow, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Verified, 0));
    let times = (verification.started_at, verification.ended_at);
    assert_eq!(times, (start(), start() + TimeDelta::seconds(5)), "the start that is recorded already");
    let expected = [(Pass, "0 %"), NO_HEALTHZ, (Pass, "Slow: 0.01 is not > 0.03")];
    assert_eq!(checks(&verification), expected);
}

#[tokio::test(start_paused = true)]
async fn while_a_rollback_is_guarded_it_is_not_called_verified_but_what_is_wrong_is_said_at_once() {
    let clock = SteppedClock::starting_at(start());
    let guarded_until = start() + TimeDelta::minutes(5);
    let times = VerifyTimes { since: start(), until: start() + WINDOW, guarded_until, interval: INTERVAL };
    let began = tokio::time::Instant::now();
    let good = verifier(OFF, measuring(0.01, 0.0)).verify(slow, times, &clock).await;
    assert_eq!((good.verdict, began.elapsed().as_secs()), (Verdict::Verified, 300));
    let began = tokio::time::Instant::now();
    let on = verifier(Some(Ok(Share(25))), None).verify(slow, times, &clock).await;
    assert_eq!((on.verdict, began.elapsed().as_secs()), (Verdict::NotVerified, 0));
}

/// A cluster whose stable version wants three pods and has this many ready.
#[derive(Debug)]
struct Cluster(u16);

#[async_trait]
impl Target for Cluster {
    fn describe(&self, _: Step) -> String {
        String::new()
    }

    async fn apply(&self, _: Step) -> Result<Answer, ActError> {
        unreachable!("a verification only reads")
    }

    fn can_observe(&self) -> bool {
        true
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
        let workloads = Some(Workloads { stable: pods(3, self.0), canary: pods(0, 0) });
        Ok(Observation { workloads, ..Observation::of_share(Share::ZERO) })
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_cluster_the_stable_versions_pods_are_read_too() {
    for (ready, outcome, verdict) in [(3, Pass, Verdict::Verified), (2, Fail, Verdict::NotVerified)] {
        let clock = SteppedClock::starting_at(start());
        let in_a_cluster = Verifier {
            target: Observer::new(Arc::new(Cluster(ready))),
            replicas: Some(3),
            ..verifier(OFF, None)
        };
        let (verification, _) = verified(&in_a_cluster, slow, WINDOW, &clock).await;
        let pods = verification.checks.iter().find(|check| check.name == CheckName::StablePods);
        let pods = pods.expect("looked at");
        assert_eq!((pods.outcome, verification.verdict), (outcome, verdict), "{}", pods.detail);
        assert!(pods.detail.starts_with(&format!("{ready} get requests")), "{}", pods.detail);
        assert!(verification.traffic_read_back_off(), "rolled back all the same, and loud about it");
    }
}

#[tokio::test(start_paused = true)]
async fn traffic_that_is_read_back_on_the_canary_is_said_at_once_and_not_waited_upon() {
    let clock = SteppedClock::starting_at(start());
    let verifier = verifier(Some(Ok(Share(25))), measuring(0.01, 0.0));
    let (verification, took) = verified(&verifier, slow, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::NotVerified, 0));
    assert_eq!(checks(&verification)[0], (Fail, "25 % on the canary"));
}

#[tokio::test(start_paused = true)]
async fn a_metric_above_its_threshold_has_until_the_end_of_the_window_whatever_the_wall_clock_shows() {
    let (page, _logged_here) = page();
    let clock = SteppedClock::starting_at(start());
    let verifier = verifier(OFF, measuring(0.9, 0.0));
    let verification = verified(&verifier, slow, WINDOW, &clock);
    let set = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        clock.step(TimeDelta::hours(2));
    };
    let ((verification, took), ()) = tokio::join!(verification, set);
    assert_eq!((verification.verdict, took), (Verdict::NotVerified, 60));
    assert_eq!(verification.ended_at, start() + WINDOW + TimeDelta::hours(2));
    assert_eq!(checks(&verification)[2], (Fail, "Slow: still 0.9 > 0.03"));
    let lines = page.text();
    assert_eq!(lines.matches("Slow: still 0.9 > 0.03").count(), 4, "why it goes on is in the log: {lines}");
    assert!(!lines.contains("traffic_share"), "what is well keeps nobody waiting: {lines}");
}

#[tokio::test(start_paused = true)]
async fn a_window_that_ended_while_nobody_was_there_still_has_one_round() {
    let clock = SteppedClock::starting_at(start() + TimeDelta::hours(1));
    let verifier = verifier(OFF, measuring(f64::NAN, 0.0));
    let (verification, took) = verified(&verifier, slow, -TimeDelta::minutes(50), &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 0));
    let unknown = (Unknown, "Slow: `slow` is no number: nothing was measured");
    assert_eq!(checks(&verification)[2], unknown);
}

#[tokio::test(start_paused = true)]
async fn a_share_that_cant_be_read_is_tried_until_the_end_of_the_window_and_leaves_it_open() {
    let clock = SteppedClock::starting_at(start());
    let refused = ReadError::Refused { status: 503, text: "later".to_owned() };
    let verifier = verifier(Some(Err(refused)), measuring(0.01, 0.0));
    let (verification, took) = verified(&verifier, slow, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 60));
    assert_eq!(checks(&verification)[0], (Unknown, "status 503: later"));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_read_each_check_says_why_and_nothing_is_called_verified() {
    let clock = SteppedClock::starting_at(start());
    let no_share = (NotConfigured, "traffic.read_url is not configured");
    let (verification, took) = verified(&verifier(None, None), slow, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 0));
    let no_prometheus = (NotConfigured, "prometheus.url is not configured");
    assert_eq!(checks(&verification), [no_share, NO_HEALTHZ, no_prometheus]);

    let by_a_person = verifier(OFF, measuring(0.9, 0.0));
    let (verification, _) = verified(&by_a_person, Vec::new, WINDOW, &clock).await;
    assert_eq!(verification.verdict, Verdict::Verified);
    assert_eq!(checks(&verification)[2], (NotConfigured, "no alert caused it"));
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_joins_during_a_round_is_asked_about_in_the_next() {
    let clock = SteppedClock::starting_at(start());
    let well = verifier(OFF, measuring(0.01, 0.02));
    let (verification, took) = verified(&well, one_that_another_joins(), WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Verified, INTERVAL.as_secs()));
    let both = "Slow: 0.01 is not > 0.03; Late: 0.02 is not > 0.03";
    assert_eq!(checks(&verification)[2], (Pass, both));
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_joins_during_the_last_round_leaves_open_what_passed_and_mends_nothing() {
    let clock = SteppedClock::starting_at(start());
    let ended = TimeDelta::zero();
    let well = verifier(OFF, measuring(0.01, 0.02));
    let (verification, _) = verified(&well, one_that_another_joins(), ended, &clock).await;
    assert_eq!(verification.verdict, Verdict::Inconclusive);
    let not_all = "Slow: 0.01 is not > 0.03; 1 joined while this was read";
    assert_eq!(checks(&verification), [(Pass, "0 %"), NO_HEALTHZ, (Unknown, not_all)]);

    let bad = verifier(OFF, measuring(0.9, 0.02));
    let (verification, _) = verified(&bad, one_that_another_joins(), ended, &clock).await;
    assert_eq!(verification.verdict, Verdict::NotVerified);
    assert_eq!(checks(&verification)[2], (Fail, "Slow: still 0.9 > 0.03"));
}
