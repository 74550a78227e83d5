//! What must hold for any body.

use std::sync::LazyLock;

use backstop::clock::{Clock, SystemClock};
use backstop::decision::{Context, Input, Mode, OnUnverified, PlanPolicy, Policy, Reading, decide};
use backstop::incident::{Alert, Event, Revision, RolloutName, RolloutState, SeverityMap, Share, StoredAs};
use backstop::webhook::{MAX_LISTED, Payload, UnreadableAlert, parse};
use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The longest text that is stored of a stranger's, with its ending: `text::kept`, and what is stored
/// of an unreadable alert.
const LONGEST_KEPT_BYTES: usize = 4 * 512 + 64;
const LONGEST_UNREADABLE_BYTES: usize = 4 * 8_192 + 64;

/// Bytes that may be allocated for one byte of a body, and for none: generous, but in proportion. A
/// copy of what is left for each element, or of what was read so far, would be far above it.
const ALLOCATED_FOR_A_BYTE: u64 = 256;
const ALLOCATED_FOR_NONE: u64 = 64 << 10;

#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    alerts: Option<Vec<IgnoredAny>>,
}

/// Parses and checks; `None`: the body was refused as a whole.
pub(crate) fn hold(body: &[u8]) -> Option<Payload> {
    let mut parsed = None;
    let used = allocation_counter::measure(|| {
        parsed = Some(parse(body, SystemClock.now(), &SeverityMap::default()))
    });
    let limit = ALLOCATED_FOR_NONE + ALLOCATED_FOR_A_BYTE * body.len() as u64;
    assert!(used.bytes_total <= limit, "{} bytes allocated for {}", used.bytes_total, body.len());
    let payload = match parsed.expect("measured") {
        Ok(payload) => payload,
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= 2 * LONGEST_KEPT_BYTES, "an answer of {} bytes", text.len());
            return None;
        }
    };
    let counted: Counted = serde_json::from_slice(body).expect("what was read is JSON");
    let elements = counted.alerts.map_or(0, |alerts| alerts.len());
    let counted = payload.alerts.len() + payload.unreadable_count + payload.over_limit;
    assert_eq!(counted, elements, "no element is lost");
    assert_eq!(payload.unreadable.len(), payload.unreadable_count.min(MAX_LISTED));
    payload.unreadable.iter().for_each(bounded);
    payload.alerts.iter().for_each(folds);
    Some(payload)
}

fn bounded(unreadable: &UnreadableAlert) {
    let UnreadableAlert { text, error, .. } = unreadable;
    assert!(text.len() <= LONGEST_UNREADABLE_BYTES, "a text of {} bytes", text.len());
    assert!(error.len() <= LONGEST_KEPT_BYTES, "an error of {} bytes", error.len());
    assert!(!error.is_empty());
}

/// It can be decided about, and what is stored of it is read back as it was.
fn folds(alert: &Alert) {
    static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy {
        rollback_deadline: TimeDelta::minutes(12),
        mode: Mode::Armed,
        matching: [].into(),
        revision: Revision::new("v1.4.0"),
        grace: TimeDelta::minutes(5),
        hold: TimeDelta::minutes(30),
        on_unverified: OnUnverified::RollBack,
        plan: PlanPolicy::TrafficOnly,
        verify_window: TimeDelta::minutes(10),
        guard: TimeDelta::zero(),
        reading_valid: TimeDelta::seconds(40),
        watchdog_timeout: TimeDelta::minutes(3),
        recipients: Vec::new(),
    });
    let plain = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(plain(alert.fingerprint.as_str()), "{}", alert.fingerprint);
    assert!(alert.weight() < 64 << 10, "an alert of {} bytes", alert.weight());
    let now = SystemClock.now();
    let context = Context {
        rollout: &RolloutName::new("spark-trading"),
        policy: &POLICY,
        revision: &POLICY.revision,
        now,
        nonce: 7,
        reading: Reading::At { at: now, share: Some(Share(25)) },
        observed: None,
        last_zero_at: Some(now),
        not_before: None,
        frozen: None,
        watchdog_silent_seconds: Some(1),
        watchdog_heard: true,
    };
    let input = Input::Alert { alert: alert.clone(), body: None };
    let first = decide(RolloutState::default(), &input, &context);
    let second = decide(first.state.clone(), &input, &context);
    let mut folded = RolloutState::default();
    for stored in first.events.iter().chain(&second.events) {
        let text = serde_json::to_string(stored).expect("it can be stored");
        let read: StoredAs = serde_json::from_str(&text).expect("and read again");
        assert_eq!(read, *stored);
        folded.apply(&read);
    }
    assert_eq!(folded, second.state, "the state is the fold of what is stored");
    let text = serde_json::to_string(&folded).expect("a state can be saved");
    assert_eq!(serde_json::from_str::<RolloutState>(&text).expect("and read again"), folded);
    let seen = first.events.iter().any(|stored| matches!(&stored.event, Event::AlertSeen { .. }));
    assert!(seen, "a new alert is recorded: {alert:?}");
}
