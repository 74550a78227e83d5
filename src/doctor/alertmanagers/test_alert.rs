//! A test alert, through Alertmanager and back. It takes the route of a warning that leads to a rollback,
//! belongs to no rollout, and every server that could hear of it leaves it at that.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::finding::{Check, Finding};
use crate::incident::{DOCTOR_TEST, DOCTOR_TEST_LABEL, DOCTOR_TEST_ROLLOUT};
use crate::outbound::{Outbound, under};
use crate::randomness::Randomness;
use crate::rules::ROLLS_BACK;
use crate::text::kept;

/// Asks the running server whether this test alert has come.
///
/// # Errors
/// In words: why it can't be asked.
pub type Heard = Arc<dyn Fn(String) -> BoxFuture<'static, Result<bool, String>> + Send + Sync>;

/// How long it is waited for: longer than `--cluster.peer-timeout` (15 s), by which a member waits for the
/// one before it, and shorter than the 30 s after which the shipped routes tell people of a warning.
pub(super) const WAIT: Duration = Duration::from_secs(20);

/// By itself it ends then, should nobody be left to end it.
const ENDS_BY_ITSELF: TimeDelta = TimeDelta::seconds(25);

/// How often the server is asked.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// A route that keeps a critical for longer than this groups it, or waits for others.
const SLOW: Duration = Duration::from_secs(5);

/// What became of a test alert.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    CameBack(Duration),
    Lost,
    NotTaken(String),
    /// Not sent: nobody could have said whether it came.
    NobodyToAsk(String),
}

/// `there` is what Alertmanager's own clock shows: it judges ends by it.
pub(super) async fn tried(
    check: Check<'_>,
    outbound: &Outbound,
    alertmanager: &Url,
    there: DateTime<Utc>,
    heard: &Heard,
) -> Finding {
    let test = Randomness::unforeseen().token();
    let outcome = match heard(test.clone()).await {
        Err(error) => Outcome::NobodyToAsk(error),
        Ok(_) => match post(outbound, alertmanager, &alert(&test, there + ENDS_BY_ITSELF)).await {
            Err(error) => Outcome::NotTaken(error),
            Ok(()) => {
                let outcome = waited(&test, heard).await;
                // So that people who are told of warnings after a while are told of none.
                if let Err(error) = post(outbound, alertmanager, &alert(&test, there)).await {
                    tracing::debug!(error, "the test alert ends by itself");
                }
                outcome
            }
        },
    };
    judged(check, &outcome)
}

async fn waited(test: &str, heard: &Heard) -> Outcome {
    let sent_at = Instant::now();
    while sent_at.elapsed() < WAIT {
        // A server that can't be asked for a moment may be asked again.
        if heard(test.to_owned()).await == Ok(true) {
            return Outcome::CameBack(sent_at.elapsed());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
    Outcome::Lost
}

fn alert(test: &str, ends_at: DateTime<Utc>) -> Value {
    let (rolls_back, yes) = ROLLS_BACK;
    json!([{
        "labels": {
            "alertname": DOCTOR_TEST,
            "severity": "warning",
            "rollout": DOCTOR_TEST_ROLLOUT,
            rolls_back: yes,
            DOCTOR_TEST_LABEL: test,
        },
        "annotations": {
            "summary": "A test by `backstop doctor`: nothing is wrong, and nothing is rolled back.",
            "description": "It ends by itself within seconds.",
        },
        "endsAt": ends_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    }])
}

async fn post(outbound: &Outbound, alertmanager: &Url, alerts: &Value) -> Result<(), String> {
    let url = under(alertmanager, "api/v2/alerts");
    let reply = outbound.post_json(url, alerts.to_string()).await.map_err(|error| error.to_string())?;
    if reply.is_success() {
        return Ok(());
    }
    Err(format!("status {}: {}", reply.status, kept(&reply.kept_text())))
}

fn judged(check: Check<'_>, outcome: &Outcome) -> Finding {
    match outcome {
        Outcome::CameBack(after) if *after > SLOW => check.warning(
            format!("The test alert came back after {:.0} s: a critical would come as late.", after.as_secs_f64()),
            "Set group_wait: 0s and group_by: ['...'] in the route to Backstop: backstop rules generate --format alertmanager has it.",
        ),
        Outcome::CameBack(after) => {
            check.fine(format!("A test alert came through it to the server, after {:.1} s.", after.as_secs_f64()))
        }
        Outcome::Lost => check.error(
            format!("The test alert did not come to the server within {} s: its routes, receiver or token don't lead here, and no alert would roll anything back.", WAIT.as_secs()),
            "Compare its configuration with backstop rules generate --format alertmanager; amtool config routes test canary_rollback=true severity=warning says where such an alert goes, and Alertmanager's log why a webhook failed.",
        ),
        Outcome::NotTaken(error) => check.error(
            format!("It doesn't take the test alert: {error}."),
            "See that [alertmanager] may post to /api/v2/alerts.",
        ),
        Outcome::NobodyToAsk(error) => check.warning(
            format!("No test alert was sent, because nobody could have said whether it came: {error}."),
            "Start this version of the server: backstop serve.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Area, Severity};

    #[test]
    fn what_became_of_the_test_alert_is_judged_by_when_it_came() {
        let check = Check::new(Area::Alertmanager, "http://am", "routes");
        let seconds = Duration::from_secs;
        for (outcome, severity, words) in [
            (Outcome::CameBack(seconds(1)), Severity::Fine, "after 1.0 s"),
            (Outcome::CameBack(seconds(12)), Severity::Warning, "after 12 s"),
            (Outcome::Lost, Severity::Error, "did not come to the server within 20 s"),
            (Outcome::NotTaken("status 403: no".to_owned()), Severity::Error, "status 403"),
            (Outcome::NobodyToAsk("no server".to_owned()), Severity::Warning, "No test alert was sent"),
        ] {
            let found = judged(check, &outcome);
            assert_eq!(found.severity, severity, "{outcome:?}");
            assert!(found.message.contains(words), "{found:?}");
        }
    }

    #[test]
    fn the_test_alert_ends_before_people_are_told_of_it_and_after_it_was_waited_for() {
        let waited = TimeDelta::from_std(WAIT).expect("short");
        assert!(
            waited > TimeDelta::seconds(15)
                && ENDS_BY_ITSELF > waited
                && ENDS_BY_ITSELF < TimeDelta::seconds(30)
        );
    }
}
