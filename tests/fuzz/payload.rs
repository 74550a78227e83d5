//! The webhook's body.

use std::sync::LazyLock;
use std::time::Duration;

use backstop::incident::Alert;
use serde_json::Value;

use crate::captured;
use crate::edit::{Edit, edited};
use crate::properties::hold;

/// Inputs of each target in a run of the tests, and the longest that they may take together.
const INPUTS: usize = 4_000;
const LONGEST: Duration = Duration::from_secs(10);

static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(captured);

/// Every alert of the captured bodies.
static ALERTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let alerts = BODIES.iter().flat_map(|body| {
        let mut body: Value = serde_json::from_slice(body).expect("JSON");
        match body["alerts"].take() {
            Value::Array(alerts) => alerts,
            other => panic!("alerts are a list, not {other}"),
        }
    });
    alerts.collect()
});

const GOOD: &str = r#"{"status":"firing","labels":{"alertname":"Good","severity":"critical"},"startsAt":"2026-11-24T03:00:00Z"}"#;

fn good() -> Alert {
    let body = format!(r#"{{"version":"4","alerts":[{GOOD}]}}"#);
    hold(body.as_bytes()).expect("a body").alerts.remove(0)
}

#[test]
fn the_captured_bodies_themselves_hold() {
    for body in BODIES.iter() {
        let payload = hold(body).expect("a body");
        assert!(payload.unreadable.is_empty() && !payload.alerts.is_empty());
    }
}

#[test]
fn random_bytes_break_nothing() {
    bolero::check!().with_iterations(INPUTS).with_test_time(LONGEST).with_max_len(8_192).for_each(
        |bytes: &[u8]| {
            hold(bytes);
        },
    );
}

/// Cut, overwritten, doubled and spliced without any regard for JSON.
#[test]
fn edited_bytes_break_nothing() {
    bolero::check!()
        .with_iterations(INPUTS)
        .with_test_time(LONGEST)
        .with_type::<(u8, Vec<(u8, u16, u16, u8)>)>()
        .for_each(|(which, edits)| {
            let mut body = BODIES[usize::from(*which) % BODIES.len()].clone();
            for (kind, from, length, byte) in edits {
                let from = usize::from(*from) % body.len().max(1);
                let end = (from + usize::from(*length) % 64).min(body.len());
                match kind % 4 {
                    0 => body[from..end].fill(*byte),
                    1 => drop(body.drain(from..end)),
                    2 => body.extend_from_within(from..end),
                    _ => {
                        let part = body[from..end].to_vec();
                        let place = usize::from(*byte) % (body.len() + 1);
                        drop(body.splice(place..place, part));
                    }
                }
            }
            hold(&body);
        });
}

/// The whole tree, edited so that it stays JSON.
#[test]
fn edited_trees_break_nothing() {
    bolero::check!().with_iterations(INPUTS).with_test_time(LONGEST).with_type::<(u8, Vec<Edit>)>().for_each(
        |(which, edits)| {
            let body = &BODIES[usize::from(*which) % BODIES.len()];
            hold(edited(serde_json::from_slice(body).expect("JSON"), edits).as_bytes());
        },
    );
}

#[test]
fn a_good_alert_is_kept_whatever_stands_beside_it() {
    let good = good();
    bolero::check!()
        .with_iterations(INPUTS)
        .with_test_time(LONGEST)
        .with_type::<(u8, Vec<(u8, Vec<Edit>)>)>()
        .for_each(|(place, neighbours)| {
            let neighbours = neighbours.iter().take(6);
            let mut alerts: Vec<String> = neighbours
                .map(|(which, edits)| edited(ALERTS[usize::from(*which) % ALERTS.len()].clone(), edits))
                .collect();
            alerts.insert(usize::from(*place) % (alerts.len() + 1), GOOD.to_owned());
            let body = format!(r#"{{"version":"4","alerts":[{}]}}"#, alerts.join(","));
            let payload = hold(body.as_bytes()).expect("a bad alert does not spoil the body");
            assert!(payload.alerts.contains(&good), "the good alert is there");
        });
}
