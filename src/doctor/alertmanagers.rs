//! Alertmanager: whether each member answers, has a living Watchdog, and, if that is asked for, leads a test
//! alert to us.

mod test_alert;

use std::collections::BTreeMap;
use std::time::Duration;

pub use test_alert::Heard;

use super::{Examination, QUESTION_WITHIN, clocks, unreachable};
use crate::clock::{Clock, SystemClock};
use crate::config::{AlertmanagerConfig, Config, RolloutConfig};
use crate::finding::{Area, Check, Finding};
use crate::incident::DOCTOR_TEST;
use crate::outbound::{Connections, Outbound};
use crate::rules::ROLLS_BACK;
use crate::signals::{AlertSource, Alertmanager, Listing};

/// Beside the wait for a test alert: questions before and after it.
const MARGIN: Duration = Duration::from_secs(20);

/// Each member; with `heard`, which asks the running server, a test alert is sent through each.
pub(super) fn examinations(config: &Config, heard: Option<Heard>) -> Vec<Examination> {
    let settings = &config.alertmanager;
    if settings.urls.is_empty() {
        let found = vec![Check::new(Area::Alertmanager, "", "reachable").note(
            "No Alertmanager is configured, so none is asked: what a lost webhook told is not found, and a grace's end is not confirmed.",
            "Name every member in urls of [alertmanager].",
        )];
        return vec![Examination::new(Area::Alertmanager, "", std::future::ready(found))];
    }
    let untried = untried_routes(&config.rollouts);
    let member = |url: &reqwest::Url| {
        let (url, settings, heard, untried) = (url.clone(), settings.clone(), heard.clone(), untried.clone());
        let about = url.to_string();
        let work = async move { member(&url, &settings, heard, untried).await };
        Examination { limit: test_alert::WAIT + MARGIN, ..Examination::new(Area::Alertmanager, &about, work) }
    };
    settings.urls.iter().map(member).collect()
}

/// Rollouts whose alerts are led to us by another route than the test alert's.
fn untried_routes(rollouts: &[RolloutConfig]) -> Vec<String> {
    let (name, value) = ROLLS_BACK;
    let otherwise = rollouts.iter().filter(|one| one.matching.get(name).is_none_or(|own| own != value));
    otherwise.map(|rollout| rollout.name.clone()).collect()
}

async fn member(
    url: &reqwest::Url,
    settings: &AlertmanagerConfig,
    heard: Option<Heard>,
    untried: Vec<String>,
) -> Vec<Finding> {
    let check = Check::new(Area::Alertmanager, url.as_str(), "reachable");
    let outbound: Outbound = match Connections::default().to(&settings.access, QUESTION_WITHIN) {
        Ok(outbound) => outbound,
        Err(error) => {
            return vec![
                check.error(format!("It can't be asked: {error}."), "Mend the keys in [alertmanager]."),
            ];
        }
    };
    let asked_at = SystemClock.now();
    let source = Alertmanager::new(outbound.clone(), url.clone());
    let few = BTreeMap::from([("alertname".to_owned(), DOCTOR_TEST.to_owned())]);
    let listing = match source.list(&few, &settings.watchdog, asked_at).await {
        Ok(listing) => listing,
        Err(error) => return vec![unreachable(check, &error, "alertmanager", "urls")],
    };
    let answered_at = SystemClock.now();
    let mut found = vec![check.fine("It answers.")];
    found.extend(
        listing
            .clock
            .map(|theirs| clocks::judged(&format!("Alertmanager {url}"), theirs, asked_at, answered_at)),
    );
    found.push(watchdog(Check { name: "watchdog", ..check }, settings, &listing));
    let routed = Check { name: "routes", ..check };
    match heard {
        None => found.push(routed.note(
            "Whether its routes lead to this server was not tried, because that takes a test alert.",
            "Send one: backstop doctor --send-test-alert.",
        )),
        Some(heard) => {
            let there = listing.clock.unwrap_or(answered_at);
            found.push(test_alert::tried(routed, &outbound, url, there, &heard).await);
            if !untried.is_empty() {
                found.push(routed.note(
                    format!("The routes of {} are others than the one that was tried: their alerts don't carry canary_rollback.", untried.join(", ")),
                    "See amtool config routes test with their labels.",
                ));
            }
        }
    }
    found
}

fn watchdog(check: Check<'_>, settings: &AlertmanagerConfig, listing: &Listing) -> Finding {
    let name = &settings.watchdog.alertname;
    if listing.reading.watchdogs.is_empty() {
        return check.warning(
            format!("It lists no living alert {name}: nobody knows that Prometheus still evaluates and sends, so no resolve is believed."),
            "Load the rule Watchdog of alert-rules/backstop.yml into Prometheus, or name yours in watchdog_alertname.",
        );
    }
    check.fine(format!("It lists a living {name}."))
}
