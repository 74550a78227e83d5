//! Prometheus: whether it answers, has what the rules judge, has the rules, and tells an Alertmanager.

use super::rule_metrics::{Doubt, doubts, freshness};
use super::{Examination, QUESTION_WITHIN, clocks, loaded_rules, unreachable};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, RolloutConfig};
use crate::finding::{Area, Check, Finding};
use crate::outbound::Connections;
use crate::signals::{Prometheus, RuleSource};

pub(super) fn examinations(config: &Config) -> Vec<Examination> {
    let Some(url) = config.prometheus.url.clone() else {
        let found = vec![Check::new(Area::Prometheus, "", "reachable").note(
            "No Prometheus is configured: a rollback is not verified by the alerts' own expressions, and whether rules see what they judge is not known.",
            "Set url in [prometheus].",
        )];
        return vec![Examination::new(Area::Prometheus, "", std::future::ready(found))];
    };
    let (about, access) = (url.to_string(), config.prometheus.access.clone());
    let rollouts = config.rollouts.clone();
    let work = async move {
        let check = Check::new(Area::Prometheus, url.as_str(), "reachable");
        match Connections::default().to(&access, QUESTION_WITHIN) {
            Ok(outbound) => look(check, &Prometheus::new(outbound, url.clone()), &rollouts).await,
            Err(error) => {
                vec![check.error(format!("It can't be asked: {error}."), "Mend the keys in [prometheus].")]
            }
        }
    };
    vec![Examination::new(Area::Prometheus, &about, work)]
}

async fn look(check: Check<'_>, prometheus: &Prometheus, rollouts: &[RolloutConfig]) -> Vec<Finding> {
    let loaded = match prometheus.rules().await {
        Ok(loaded) => loaded,
        Err(error) => return vec![unreachable(check, &error, "prometheus", "url")],
    };
    let mut found = vec![check.fine("It answers.")];
    let asked_at = SystemClock.now();
    if let Ok(theirs) = prometheus.clock().await {
        found.push(clocks::judged("Prometheus", theirs, asked_at, SystemClock.now()));
    }
    let to = Check { name: "alertmanagers", ..check };
    match prometheus.alertmanagers().await {
        Ok(known) => found.push(judged_alertmanagers(to, &known)),
        Err(error) => found.push(to.warning(
            format!("Which Alertmanagers it tells can't be asked: {error}."),
            "See Status > Runtime in Prometheus.",
        )),
    }
    let of_rollouts = rollouts.iter().map(|rollout| async {
        let rules = Check::new(Area::Prometheus, &rollout.name, "rules");
        let mut found = loaded_rules::judged(rules, rollout, &loaded);
        found.extend(metrics(prometheus, rollout).await);
        found
    });
    found.extend(futures_util::future::join_all(of_rollouts).await.into_iter().flatten());
    found
}

fn judged_alertmanagers(check: Check<'_>, known: &[String]) -> Finding {
    if known.is_empty() {
        return check.error(
            "It tells no Alertmanager: alerts fire, and nobody hears of them.",
            "Name every Alertmanager in its alerting.alertmanagers, and reload it.",
        );
    }
    check.fine(format!("It tells {}.", known.join(", ")))
}

async fn metrics(prometheus: &Prometheus, rollout: &RolloutConfig) -> Vec<Finding> {
    let check = Check::new(Area::Prometheus, &rollout.name, "metrics");
    let (seen, fresh) =
        tokio::join!(doubts(prometheus, &rollout.metrics), freshness(prometheus, &rollout.metrics));
    let mut found = Vec::new();
    match (seen, fresh) {
        (Ok(seen), Ok(fresh)) => {
            found.extend(seen.into_iter().chain(fresh).map(|doubt| of_doubt(check, doubt)))
        }
        (Err(error), _) | (_, Err(error)) => found.push(check.warning(
            format!("What Prometheus has of the rules' metrics can't be asked: {error}."),
            "Try again later.",
        )),
    }
    if found.is_empty() {
        found.push(
            check.fine("Every metric of the rules is there, fresh, and fine enough for its threshold."),
        );
    }
    found
}

fn of_doubt(check: Check<'_>, doubt: Doubt) -> Finding {
    let Doubt { key, message, remedy, is_blind } = doubt;
    let message = format!("metrics.{key} {message}.");
    if is_blind { check.error(message, remedy) } else { check.warning(message, remedy) }
}
