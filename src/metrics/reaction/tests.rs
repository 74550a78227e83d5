//! What a rollback leaves in the metrics, and that it leaves it once.

use chrono::{DateTime, TimeDelta, Utc};

use crate::incident::fixtures::{firing, opened_by_warning};
use crate::incident::{
    Answer, AttachedAlert, Attempt, Check, CheckName, CheckOutcome, Event, GraceCause, IncidentId,
    OpenedIncident, Reason, RolloutName, RolloutState, Severity, Share, Step, StepOutcome, StepRecord,
    StoredAs, Trigger, Verdict, Verification,
};
use crate::metrics::Metrics;

fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_700_000_000) + TimeDelta::milliseconds(milliseconds)
}

/// Stores events one by one, as the journal does.
struct Told {
    metrics: Metrics,
    state: RolloutState,
    id: IncidentId,
}

impl Told {
    fn new() -> Self {
        let metrics = Metrics::new(&[RolloutName::new("spark")], &[]);
        Self { metrics, state: RolloutState::default(), id: IncidentId::new("spark-20231114-221320-0001") }
    }

    fn tell(&mut self, milliseconds: i64, event: Event) {
        let (rollout, incident) = (RolloutName::new("spark"), Some(self.id.clone()));
        let stored = StoredAs { at: at(milliseconds), rollout, incident, event };
        self.state.apply(&stored);
        self.metrics.stored(&stored, self.state.known_incident(&self.id).map(AsRef::as_ref));
    }

    fn opens(&mut self, severity: Severity, started: i64, received: i64) {
        let alert = firing("f", &[("alertname", "Errors"), ("severity", severity.as_str())], at(started));
        let reason = Reason::CriticalAlert;
        let alert = Some(AttachedAlert { alert, received_at: at(received), reason, body: None });
        let opened = OpenedIncident { severity, alert, ..opened_by_warning("Errors") };
        self.tell(received, Event::IncidentOpened(opened));
    }

    fn rolls_back(&mut self, begins: i64, verdict: Verdict) {
        let reason = Reason::CriticalAlert;
        self.tell(
            begins,
            Event::RollbackStarted { reason, attempt: 1, due_at: None, cause: None, plan: None },
        );
        self.step(begins);
        self.tell(begins + 40, Event::VerificationStarted { until: at(begins + 60_000) });
        let check =
            Check { name: CheckName::TrafficShare, outcome: CheckOutcome::Pass, detail: String::new() };
        let (started_at, ended_at) = (at(begins + 40), at(begins + 1_000));
        let verification = Verification { started_at, ended_at, verdict, checks: vec![check] };
        self.tell(begins + 1_000, Event::VerificationEnded(verification));
        self.tell(begins + 1_000, Event::RolledBack);
    }

    fn step(&mut self, begins: i64) {
        let (started_at, ended_at, outcome) = (at(begins), at(begins + 30), StepOutcome::Done);
        let attempt = Attempt {
            started_at,
            ended_at,
            request: String::new(),
            answer: Answer { status: Some(200), text: String::new() },
            read_back: Some(Share::ZERO),
            observed: None,
            read_failed: false,
            outcome,
        };
        self.tell(
            begins + 40,
            Event::StepEnded(StepRecord {
                step: Step::TrafficOff,
                started_at,
                ended_at: at(begins + 40),
                attempts: vec![attempt],
                outcome,
                share_before: None,
                decided_at: None,
            }),
        );
    }

    fn count(&self, severity: &str, stage: &str) -> f64 {
        let of = format!("{{rollout=\"spark\",severity=\"{severity}\",stage=\"{stage}\"}}");
        self.value(&format!("backstop_reaction_seconds_count{of}"))
    }

    fn value(&self, series: &str) -> f64 {
        let text = self.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = line.and_then(|value| value.split(' ').next()?.parse().ok());
        value.unwrap_or_else(|| panic!("no {series} in\n{text}"))
    }
}

#[test]
fn a_critical_is_counted_once_at_each_stage_with_its_incident_beside_it() {
    let mut told = Told::new();
    assert_eq!(told.count("critical", "verified"), 0.0, "there from the start");
    told.opens(Severity::Critical, 0, 800);
    told.rolls_back(810, Verdict::Verified);
    // Sent once more, because the traffic came back: the first is what was promised.
    told.step(9_000);
    for stage in ["received", "traffic_off", "verified"] {
        assert_eq!((told.count("critical", stage), told.count("warning", stage)), (1.0, 0.0), "{stage}");
    }
    let sum = |stage| {
        told.value(&format!(
            "backstop_reaction_seconds_sum{{rollout=\"spark\",severity=\"critical\",stage=\"{stage}\"}}"
        ))
    };
    assert_eq!((sum("received"), sum("traffic_off"), sum("verified")), (0.8, 0.84, 1.81));
    let text = told.metrics.render();
    let of = |line: &&str| ["le=\"1.0\"", "traffic_off", "critical"].iter().all(|part| line.contains(part));
    let bucket = text.lines().find(of);
    assert_eq!(
        bucket,
        Some(
            "backstop_reaction_seconds_bucket{le=\"1.0\",rollout=\"spark\",severity=\"critical\",stage=\"traffic_off\"} 1 # {incident=\"spark-20231114-221320-0001\"} 0.84 1700000000.84"
        )
    );
}

#[test]
fn what_was_not_verified_is_not_counted_so_and_a_clock_that_went_back_makes_no_time_negative() {
    let mut told = Told::new();
    told.opens(Severity::Warning, 5_000, 0);
    told.rolls_back(10, Verdict::Inconclusive);
    assert_eq!(told.count("warning", "traffic_off"), 1.0);
    assert_eq!(told.count("warning", "verified"), 0.0);
    let sum = "backstop_reaction_seconds_sum{rollout=\"spark\",severity=\"warning\",stage=\"traffic_off\"}";
    assert_eq!(told.value(sum), 0.0);
}

#[test]
fn a_persons_rollback_and_an_alert_that_is_older_than_the_canary_are_no_reaction() {
    let mut told = Told::new();
    let trigger = Trigger::Manual { actor: "ada".to_owned() };
    told.tell(0, Event::IncidentOpened(OpenedIncident { trigger, ..opened_by_warning("by hand") }));
    told.rolls_back(10, Verdict::Verified);
    let text = told.metrics.render();
    let counted = text.lines().filter(|line| line.starts_with("backstop_reaction_seconds_count"));
    assert!(counted.clone().all(|line| line.ends_with(" 0")) && counted.count() == 6, "{text}");
}

#[test]
fn an_id_that_is_too_long_for_an_exemplar_is_left_out_of_it() {
    let mut told = Told::new();
    told.id = IncidentId::new("i".repeat(121));
    told.opens(Severity::Critical, 0, 800);
    assert_eq!(told.count("critical", "received"), 1.0);
    assert!(!told.metrics.render().contains("iiii"));
}

#[test]
fn marks_are_at_zero_before_the_first_and_are_known_again_after_a_restart() {
    let series = |name: &str| format!("backstop_{name}_timestamp_seconds{{rollout=\"spark\"}}");
    let names = ["warning", "rollback_started", "rollback_ended"];
    let mut told = Told::new();
    assert_eq!(names.map(|name| told.value(&series(name))), [0.0; 3]);
    told.opens(Severity::Warning, 0, 0);
    told.tell(1_000, Event::GraceStarted { cause: GraceCause::Warning, ends_at: at(300_000) });
    told.rolls_back(300_000, Verdict::Verified);
    assert_eq!(
        names.map(|name| told.value(&series(name))),
        [1_700_000_001.0, 1_700_000_300.0, 1_700_000_301.0]
    );
    let state = std::sync::Arc::new(told.state.clone());
    let after = Told { state: told.state, ..Told::new() };
    after.metrics.observe_states([(&RolloutName::new("spark"), &state)], at(400_000), 0);
    assert_eq!(
        names.map(|name| after.value(&series(name))),
        [1_700_000_000.0, 1_700_000_300.0, 1_700_000_301.0]
    );
    assert_eq!(after.count("warning", "traffic_off"), 0.0, "nothing is counted twice");
}
