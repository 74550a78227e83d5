//! Every metric that Backstop exports, all present at zero from the start, so that `rate()` and
//! alerts work from the first failure on. Label values are closed lists or configured names.

mod delivery;
mod evidence;
mod interactions;
mod labels;
mod loops;
mod process;
mod ramp;
mod reaction;
mod registry;
mod states;
mod stored;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub use interactions::ClickOutcome;
pub use labels::{AlertOutcome, WebhookOutcome};
use labels::{
    Cause, Kind, OfLoop, OfRollout, Outcome, RolloutReason, RolloutState, RolloutVerdict, SecretState,
    Source, of_verdict,
};
pub use loops::Loop;

use crate::incident::{NoticeKind, Reason, RolloutName, Verdict};

#[derive(Debug, Default)]
struct Families {
    webhook_requests: Family<Outcome, Counter>,
    alerts: Family<Outcome, Counter>,
    alerts_of_unknown_severity: Counter,
    alerts_known: Family<OfRollout, Gauge>,
    decisions: Family<RolloutReason, Counter>,
    rollbacks: Family<OfRollout, Counter>,
    rollback_failures: Family<OfRollout, Counter>,
    verifications: Family<RolloutVerdict, Counter>,
    incidents_open: Family<RolloutState, Gauge>,
    grace_overdue_seconds: Family<OfRollout, Gauge>,
    canary_share_percent: Family<OfRollout, Gauge>,
    store_append_failures: Counter,
    store_healthy: Gauge,
    store_unrecorded_events: Gauge,
    store_rejected_submissions: Counter,
    log_lines_lost: Counter,
    ready: Gauge,
    live: Gauge,
    loop_age_seconds: Family<OfLoop, Gauge>,
    loops: loops::Loops,
    rollback_overdue_seconds: Family<OfRollout, Gauge>,
    clock_ahead_seconds: Family<Source, Gauge>,
    evidence_writes: Family<Outcome, Counter>,
    evidence_healthy: Gauge,
    evidence_health: evidence::EvidenceHealth,
    evidence_problems: Counter,
    reconciliation_failures: Family<Source, Counter>,
    reconciliation_last_success: Family<Source, Gauge>,
    watchdog_age_seconds: Gauge,
    notices: Family<Kind, Counter>,
    messages: delivery::Messages,
    reactions: reaction::Reactions,
    marks: reaction::Marks,
    ramps: ramp::Ramps,
    tasks_panicked: Counter,
    requests_panicked: Counter,
    connections_evicted: Counter,
    tls_reload_failures: Counter,
    tls_certificate_expiry: Gauge,
    log_lines_dropped: Family<Cause, Counter>,
    secret_files: Family<SecretState, Gauge>,
    interactions: interactions::Interactions,
}

/// All metrics of the process. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    families: Arc<Families>,
    registry: Arc<Registry>,
}

/// The values of the label `state`, all exported from the start.
const OPEN_STATES: [&str; 5] = ["grace", "held", "rolling_back", "verifying", "failed"];

impl Metrics {
    /// All metrics at zero, for these rollouts and these sources of reconciliation.
    #[must_use]
    pub fn new(rollouts: &[RolloutName], sources: &[String]) -> Self {
        let families = Arc::new(Families::default());
        let registry = Arc::new(registry::of(&families));
        let metrics = Self { families, registry };
        metrics.initialise(rollouts, sources);
        metrics
    }

    fn initialise(&self, rollouts: &[RolloutName], sources: &[String]) {
        let families = &self.families;
        for outcome in WebhookOutcome::ALL {
            touch(&families.webhook_requests, &Outcome { outcome: outcome.as_str().into() });
        }
        for outcome in AlertOutcome::ALL {
            touch(&families.alerts, &Outcome { outcome: outcome.as_str().into() });
        }
        for outcome in ["written", "failed"] {
            touch(&families.evidence_writes, &Outcome { outcome: outcome.into() });
        }
        for kind in NoticeKind::ALL {
            touch(&families.notices, &Kind { kind: kind.to_string() });
        }
        for source in sources {
            touch(&families.reconciliation_failures, &Source { source: source.clone() });
            touch(&families.reconciliation_last_success, &Source { source: source.clone() });
            touch(&families.clock_ahead_seconds, &Source { source: source.clone() });
        }
        for rollout in rollouts {
            let of_rollout = OfRollout { rollout: rollout.to_string() };
            touch(&families.rollbacks, &of_rollout);
            touch(&families.rollback_failures, &of_rollout);
            touch(&families.alerts_known, &of_rollout);
            touch(&families.grace_overdue_seconds, &of_rollout);
            touch(&families.rollback_overdue_seconds, &of_rollout);
            touch(&families.canary_share_percent, &of_rollout);
            self.initialise_reactions(rollout);
            families.ramps.initialise(rollout);
            for reason in Reason::ALL {
                let labels = RolloutReason { rollout: rollout.to_string(), reason: reason.to_string() };
                touch(&families.decisions, &labels);
            }
            for state in OPEN_STATES {
                self.open(rollout, state).set(0);
            }
            for verdict in [Verdict::Verified, Verdict::NotVerified, Verdict::Inconclusive] {
                touch(&families.verifications, &of_verdict(rollout, verdict));
            }
        }
        families.interactions.initialise();
        families.store_healthy.set(1);
        self.log_lines_dropped(0, 0, 0);
        self.secret_files(0, 0, 0);
        self.probes(false, true);
    }

    fn open(&self, rollout: &RolloutName, state: &str) -> Gauge {
        let labels = RolloutState { rollout: rollout.to_string(), state: state.to_owned() };
        self.families.incidents_open.get_or_create_owned(&labels)
    }

    /// Counts a webhook request by its answer.
    pub fn webhook(&self, outcome: WebhookOutcome) {
        self.families.webhook_requests.get_or_create(&Outcome { outcome: outcome.as_str().into() }).inc();
    }

    /// Counts alerts of a webhook by what became of them.
    pub fn alerts(&self, outcome: AlertOutcome, count: usize) {
        let labels = Outcome { outcome: outcome.as_str().into() };
        self.families.alerts.get_or_create(&labels).inc_by(count as u64);
    }

    /// Counts a firing alert whose severity nobody knows, each time that it is reported.
    pub fn severity_unknown(&self) {
        self.families.alerts_of_unknown_severity.inc();
    }

    /// Counts a decision by its reason.
    pub fn decided(&self, rollout: &RolloutName, reason: Reason) {
        let labels = RolloutReason { rollout: rollout.to_string(), reason: reason.to_string() };
        self.families.decisions.get_or_create(&labels).inc();
    }

    /// The store acknowledged: no event is held in memory alone any more.
    pub fn store_healthy(&self) {
        self.families.store_healthy.set(1);
        self.families.store_unrecorded_events.set(0);
    }

    /// A sign of life could be stored, or not: between events only this says whether the store can be
    /// written.
    pub fn sign_of_life_stored(&self, stored: bool) {
        if !stored {
            self.families.store_healthy.set(0);
        } else if self.families.store_unrecorded_events.get() == 0 {
            self.families.store_healthy.set(1);
        }
    }

    /// The store refused; this many events are held in memory.
    pub fn store_failed(&self, unrecorded: usize) {
        self.families.store_append_failures.inc();
        self.families.store_healthy.set(0);
        self.families.store_unrecorded_events.set(i64::try_from(unrecorded).unwrap_or(i64::MAX));
    }

    /// An append takes too long to wait for; this many events are held in memory.
    pub fn store_hangs(&self, unrecorded: usize) {
        self.families.store_healthy.set(0);
        self.families.store_unrecorded_events.set(i64::try_from(unrecorded).unwrap_or(i64::MAX));
    }

    /// So many submissions can't be stored, ever, and are set aside.
    pub fn store_rejected(&self, submissions: usize) {
        self.families.store_rejected_submissions.inc_by(submissions as u64);
    }

    /// So many events are stored, but their log lines are lost.
    pub fn log_lines_lost(&self, count: usize) {
        self.families.log_lines_lost.inc_by(count as u64);
    }

    /// Dates a vital loop's last turn. `/livez` fails once that is too long ago.
    pub fn loop_turned(&self, turned: Loop) {
        self.families.loops.turned(turned);
    }

    /// How long ago a vital loop has turned; for one that has not yet, the age of the process.
    #[must_use]
    pub fn loop_age(&self, asked: Loop) -> std::time::Duration {
        self.families.loops.age(asked)
    }

    /// What `/readyz` and `/livez` would answer now, and how long ago each loop has turned.
    pub fn probes(&self, ready: bool, live: bool) {
        self.families.ready.set(i64::from(ready));
        self.families.live.set(i64::from(live));
        for known in Loop::ALL {
            let age = i64::try_from(self.loop_age(known).as_secs()).unwrap_or(i64::MAX);
            let labels = OfLoop { r#loop: known.as_str().to_owned() };
            self.families.loop_age_seconds.get_or_create(&labels).set(age);
        }
    }

    /// Events that are held in memory because the store can't be written.
    #[must_use]
    pub fn unrecorded_events(&self) -> u64 {
        u64::try_from(self.families.store_unrecorded_events.get()).unwrap_or(0)
    }

    /// Whether the last append, or sign of life, was acknowledged.
    #[must_use]
    pub fn is_store_healthy(&self) -> bool {
        self.families.store_healthy.get() == 1
    }

    /// Evidence was written, or could not be; and whether all is well with it: it lies in its folder,
    /// and the record of what was written before is whole.
    pub fn evidence_written(&self, written: bool, healthy: bool) {
        let outcome = if written { "written" } else { "failed" };
        self.families.evidence_writes.get_or_create(&Outcome { outcome: outcome.into() }).inc();
        self.families.evidence_health.written(written, healthy);
        if written && !healthy {
            self.families.evidence_problems.inc();
        }
    }

    /// Whether all was well with the evidence that was last written, and with all of the last hour.
    #[must_use]
    pub fn is_evidence_healthy(&self) -> bool {
        self.families.evidence_health.is_healthy()
    }

    /// A source of reconciliation answered, or did not.
    pub fn reconciled(&self, source: &str, now: DateTime<Utc>, answered: bool) {
        let labels = Source { source: source.to_owned() };
        if answered {
            self.families.reconciliation_last_success.get_or_create(&labels).set(now.timestamp());
        } else {
            self.families.reconciliation_failures.get_or_create(&labels).inc();
        }
    }

    /// By how much a source's clock is ahead of this one.
    pub fn clock_ahead(&self, source: &str, seconds: i64) {
        let labels = Source { source: source.to_owned() };
        self.families.clock_ahead_seconds.get_or_create(&labels).set(seconds);
    }

    /// Counts a task that panicked.
    pub fn task_panicked(&self) {
        self.families.tasks_panicked.inc();
    }

    /// A request broke off; it alone was harmed.
    pub fn request_panicked(&self) {
        self.families.requests_panicked.inc();
    }

    /// So many connections were closed to make room for others.
    pub fn connections_evicted(&self, count: usize) {
        self.families.connections_evicted.inc_by(count as u64);
    }

    /// New TLS files can't be used, so the old ones still are.
    pub fn tls_reload_failed(&self) {
        self.families.tls_reload_failures.inc();
    }

    /// The certificate in use expires then; the metric is in Unix seconds.
    pub fn certificate_expires(&self, at: DateTime<Utc>) {
        self.families.tls_certificate_expiry.set(at.timestamp());
    }

    /// The metrics as text, in the OpenMetrics format that Prometheus reads.
    #[must_use]
    pub fn render(&self) -> String {
        // It changes by itself as an hour ends.
        self.families.evidence_healthy.set(i64::from(self.is_evidence_healthy()));
        self.families.interactions.look_at_the_clock();
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Writing into a String can't fail; an empty page would read as "all gone".
            Err(error) => format!("# encoding failed: {error}\n"),
        }
    }
}

/// Creates a series at zero: `rate()` misses the first increase of one that appears with it.
fn touch<L, M>(family: &Family<L, M>, labels: &L)
where
    L: Clone + std::hash::Hash + Eq,
    M: Default + Clone,
{
    drop(family.get_or_create_owned(labels));
}
