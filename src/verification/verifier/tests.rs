//! A verification from its first round to its verdict, in stepped time.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;

use super::*;
use crate::clock::SteppedClock;
use crate::execution::ReadError;
use crate::incident::{Alert, Autoscaler, Observation, Pods, Share, Workloads};
use crate::logging::fixtures::page;
use crate::outbound::Outbound;
use crate::signals::RuleSource;
use crate::verification::fixtures::{Scripted, alert};
use crate::verification::{AlertExpression, CanaryRequests, StablePods, StableVersion, TrafficShare};
use CheckOutcome::{Fail, Gone, NotConfigured, Pass, Unknown};

/// A rollback whose target is observed as this, with these alerts: the later ones join as they are asked
/// for once more.
#[derive(Debug)]
struct Rollback {
    observed: Result<Observation, ReadError>,
    alerts: Vec<Alert>,
    first: usize,
    asked: AtomicUsize,
    observations: AtomicUsize,
    /// After so many questions for its alerts nobody waits for a verdict any more.
    over_after: usize,
}

impl Rollback {
    fn of(observed: Result<Observation, ReadError>, alerts: Vec<Alert>) -> Self {
        let (first, over_after) = (alerts.len(), usize::MAX);
        let (asked, observations) = Default::default();
        Self { observed, alerts, first, asked, observations, over_after }
    }

    fn with_share(share: u8, alerts: Vec<Alert>) -> Self {
        Self::of(Ok(Observation::of_share(Share(share))), alerts)
    }

    /// In a cluster whose stable version wants three pods, this many at least by its autoscaler, and has
    /// this many ready.
    fn in_a_cluster(min_replicas: u16, ready: u16) -> Self {
        let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
        let workloads = Some(Workloads { stable: pods(3, ready), canary: pods(0, 0) });
        let object = "HorizontalPodAutoscaler api".to_owned();
        let autoscaler = Some(Autoscaler { object, min_replicas, max_replicas: 9 });
        Self::of(Ok(Observation { workloads, autoscaler, ..Observation::of_share(Share::ZERO) }), slow())
    }
}

#[async_trait]
impl Subject for Rollback {
    fn alerts(&self) -> Option<Vec<Alert>> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let known = self.alerts.iter().take(self.first + asked).cloned();
        (asked < self.over_after).then(|| known.collect())
    }

    async fn observe(&self) -> Result<Observation, ReadError> {
        self.observations.fetch_add(1, Ordering::Relaxed);
        self.observed.clone()
    }
}

/// The length of the window, and the pause between two rounds.
const WINDOW: TimeDelta = TimeDelta::seconds(60);
const INTERVAL: Duration = Duration::from_secs(15);

fn start() -> DateTime<Utc> {
    "2026-11-24T03:00:00Z".parse().expect("a time")
}

fn verifier(prometheus: Option<Scripted>) -> Verifier {
    let _second_is_an_error = rustls::crypto::ring::default_provider().install_default();
    let outbound = Outbound::new(Duration::from_secs(1), None).expect("a client");
    let prometheus = prometheus.map(|scripted| Arc::new(scripted) as Arc<dyn RuleSource>);
    Verifier {
        probes: vec![
            Arc::new(TrafficShare),
            Arc::new(StableVersion { outbound, healthz: None }),
            Arc::new(AlertExpression { prometheus, requests: CanaryRequests::of(None, None) }),
        ],
    }
}

/// A Prometheus whose rules `Slow` and `Late` look at these values, with 0.03 as threshold.
fn measuring(slow: f64, late: f64) -> Option<Scripted> {
    let scripted = Scripted::default().with_rule("Slow", "slow > 0.03", &[]).with_value("slow", &[], slow);
    Some(scripted.with_rule("Late", "late > 0.03", &[]).with_value("late", &[], late))
}

fn times(until: DateTime<Utc>) -> VerifyTimes {
    let (since, off_since, guarded_until) = (start(), start(), start());
    VerifyTimes { since, off_since, until, guarded_until, interval: INTERVAL }
}

/// What became of it, and after how many seconds. One that never ends is a failure.
async fn verified(
    verifier: &Verifier,
    rollback: &Rollback,
    window: TimeDelta,
    clock: &SteppedClock,
) -> (Verification, u64) {
    let began = tokio::time::Instant::now();
    let verification = verifier.verify(rollback, times(clock.now() + window), clock);
    let an_hour = Duration::from_secs(3_600);
    let verification = tokio::time::timeout(an_hour, verification).await.expect("it ends by its window");
    (verification.expect("somebody waits for it"), began.elapsed().as_secs())
}

fn off(alerts: Vec<Alert>) -> Rollback {
    Rollback::with_share(0, alerts)
}

fn slow() -> Vec<Alert> {
    vec![alert("Slow", &[])]
}

/// One alert when it is first asked for, two from then on.
fn one_that_another_joins() -> Rollback {
    Rollback { first: 1, ..off(vec![alert("Slow", &[]), alert("Late", &[])]) }
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
    let (verification, took) = verified(&verifier(measuring(0.01, 0.0)), &off(slow()), WINDOW, &clock).await;
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
    let times = VerifyTimes { guarded_until, ..times(start() + WINDOW) };
    let began = tokio::time::Instant::now();
    let good = verifier(measuring(0.01, 0.0)).verify(&off(slow()), times, &clock).await.expect("a verdict");
    assert_eq!((good.verdict, began.elapsed().as_secs()), (Verdict::Verified, 300));
    let began = tokio::time::Instant::now();
    let on = Rollback::with_share(25, slow());
    let on = verifier(None).verify(&on, times, &clock).await.expect("a verdict");
    assert_eq!((on.verdict, began.elapsed().as_secs()), (Verdict::NotVerified, 0));
}

#[tokio::test(start_paused = true)]
async fn in_a_cluster_the_stable_versions_pods_are_read_too() {
    for (min_replicas, ready, outcome, verdict) in [
        (1, 3, Pass, Verdict::Verified),
        (1, 2, Fail, Verdict::NotVerified),
        (4, 3, Fail, Verdict::NotVerified),
    ] {
        let clock = SteppedClock::starting_at(start());
        let verifier =
            Verifier { probes: vec![Arc::new(TrafficShare), Arc::new(StablePods { replicas: 3 })] };
        let rollback = Rollback::in_a_cluster(min_replicas, ready);
        let (verification, took) = verified(&verifier, &rollback, WINDOW, &clock).await;
        let rounds = usize::try_from(took / INTERVAL.as_secs()).expect("few") + 1;
        assert_eq!(rollback.observations.load(Ordering::Relaxed), rounds, "one observation a round");
        let pods = verification.checks.iter().find(|check| check.name == CheckName::StablePods);
        let pods = pods.expect("looked at");
        assert_eq!((pods.outcome, verification.verdict), (outcome, verdict), "{}", pods.detail);
        assert!(pods.detail.starts_with(&format!("{ready} get requests")), "{}", pods.detail);
        assert!(verification.traffic_read_back_off(), "rolled back all the same, and loud about it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_without_pods_that_measures_nothing_any_more_keeps_nobody_waiting() {
    let clock = SteppedClock::starting_at(start());
    let silent = || verifier(Some(Scripted::default().with_rule("Slow", "slow > 0.03", &[])));
    let (verification, took) = verified(&silent(), &Rollback::in_a_cluster(1, 3), WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Verified, 0));
    let why = "Slow: `slow` has no data any more, and the canary, which it was about, has no pods any more";
    assert_eq!(checks(&verification)[2], (Gone, why));

    let running = Pods { wanted: 1, available: 0, ready_endpoints: 0 };
    let Rollback { observed: Ok(mut observed), .. } = Rollback::in_a_cluster(1, 3) else {
        panic!("observed")
    };
    observed.workloads.as_mut().expect("a cluster").canary = running;
    for observed in [observed, Observation::of_share(Share::ZERO)] {
        let rollback = Rollback::of(Ok(observed), slow());
        let (verification, took) = verified(&silent(), &rollback, WINDOW, &clock).await;
        assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 60));
        assert_eq!(checks(&verification)[2], (Unknown, "Slow: `slow` has no data"));
    }

    let alerts = vec![alert("Slow", &[]), alert("Late", &[])];
    let joined = Rollback { first: 1, alerts, ..Rollback::in_a_cluster(1, 3) };
    let late =
        Scripted::default().with_rule("Slow", "slow > 0.03", &[]).with_rule("Late", "late > 0.03", &[]);
    let late = verifier(Some(late.with_value("late", &[], 0.9)));
    let (verification, _) = verified(&late, &joined, WINDOW, &clock).await;
    assert_eq!(verification.verdict, Verdict::NotVerified, "the one that joins is asked about, too");
}

#[tokio::test(start_paused = true)]
async fn traffic_that_is_read_back_on_the_canary_is_said_at_once_and_not_waited_upon() {
    let clock = SteppedClock::starting_at(start());
    let verifier = verifier(measuring(0.01, 0.0));
    let rollback = Rollback::with_share(25, slow());
    let (verification, took) = verified(&verifier, &rollback, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::NotVerified, 0));
    assert_eq!(checks(&verification)[0], (Fail, "25 % on the canary"));
}

#[tokio::test(start_paused = true)]
async fn a_metric_above_its_threshold_has_until_the_end_of_the_window_whatever_the_wall_clock_shows() {
    let (page, _logged_here) = page();
    let clock = SteppedClock::starting_at(start());
    let (verifier, rollback) = (verifier(measuring(0.9, 0.0)), off(slow()));
    let verification = verified(&verifier, &rollback, WINDOW, &clock);
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
    let verifier = verifier(measuring(f64::NAN, 0.0));
    let (verification, took) = verified(&verifier, &off(slow()), -TimeDelta::minutes(50), &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 0));
    let unknown = (Unknown, "Slow: `slow` is no number: nothing was measured");
    assert_eq!(checks(&verification)[2], unknown);
}

#[tokio::test(start_paused = true)]
async fn a_share_that_cant_be_read_is_tried_until_the_end_of_the_window_and_leaves_it_open() {
    let clock = SteppedClock::starting_at(start());
    let refused = ReadError::Refused { status: 503, text: "later".to_owned() };
    let verifier = verifier(measuring(0.01, 0.0));
    let rollback = Rollback::of(Err(refused), slow());
    let (verification, took) = verified(&verifier, &rollback, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 60));
    assert_eq!(checks(&verification)[0], (Unknown, "status 503: later"));
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_read_each_check_says_why_and_nothing_is_called_verified() {
    let clock = SteppedClock::starting_at(start());
    let no_share = (NotConfigured, "traffic.read_url is not configured");
    let unread = Rollback::of(Err(ReadError::NotConfigured), slow());
    let (verification, took) = verified(&verifier(None), &unread, WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Inconclusive, 0));
    let no_prometheus = (NotConfigured, "prometheus.url is not configured");
    assert_eq!(checks(&verification), [no_share, NO_HEALTHZ, no_prometheus]);

    let by_a_person = off(Vec::new());
    let (verification, _) = verified(&verifier(measuring(0.9, 0.0)), &by_a_person, WINDOW, &clock).await;
    assert_eq!(verification.verdict, Verdict::Verified);
    assert_eq!(checks(&verification)[2], (NotConfigured, "no alert caused it"));
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_joins_during_a_round_is_asked_about_in_the_next() {
    let clock = SteppedClock::starting_at(start());
    let well = verifier(measuring(0.01, 0.02));
    let (verification, took) = verified(&well, &one_that_another_joins(), WINDOW, &clock).await;
    assert_eq!((verification.verdict, took), (Verdict::Verified, INTERVAL.as_secs()));
    let both = "Slow: 0.01 is not > 0.03; Late: 0.02 is not > 0.03";
    assert_eq!(checks(&verification)[2], (Pass, both));
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_joins_during_the_last_round_leaves_open_what_passed_and_mends_nothing() {
    let clock = SteppedClock::starting_at(start());
    let ended = TimeDelta::zero();
    let well = verifier(measuring(0.01, 0.02));
    let (verification, _) = verified(&well, &one_that_another_joins(), ended, &clock).await;
    assert_eq!(verification.verdict, Verdict::Inconclusive);
    let not_all = "Slow: 0.01 is not > 0.03; 1 joined while this was read";
    assert_eq!(checks(&verification), [(Pass, "0 %"), NO_HEALTHZ, (Unknown, not_all)]);

    let bad = verifier(measuring(0.9, 0.02));
    let (verification, _) = verified(&bad, &one_that_another_joins(), ended, &clock).await;
    assert_eq!(verification.verdict, Verdict::NotVerified);
    assert_eq!(checks(&verification)[2], (Fail, "Slow: still 0.9 > 0.03"));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_that_is_not_verified_any_more_is_read_no_further() {
    let clock = SteppedClock::starting_at(start());
    for (over_after, observations) in [(0, 0), (1, 1), (4, 2)] {
        let rollback = Rollback { over_after, ..off(slow()) };
        let ended = verifier(measuring(0.9, 0.0)).verify(&rollback, times(start() + WINDOW), &clock).await;
        assert_eq!(ended, None);
        assert_eq!(rollback.observations.load(Ordering::Relaxed), observations, "{over_after}");
    }
}
