//! `pods_stage_100.txt`: what serves once all of the traffic is on the new version.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::incident::{Observation, Pods};
use crate::text::shown;

/// `None`: the observation is of a target without pods.
pub(super) fn text(at: DateTime<Utc>, observed: &Observation) -> Option<String> {
    let workloads = observed.workloads.as_ref()?;
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let revision = observed.revision.as_ref().map_or("not said by the target", |revision| revision.as_str());
    let mut lines = vec![
        format!("Read: {}", time(at)),
        format!("Traffic On Canary: {}", observed.share),
        format!("Version On Canary: {}", shown(revision)),
        row("", "WANTED", "AVAILABLE", "READY"),
        row_of("stable", workloads.stable),
        row_of("canary", workloads.canary),
    ];
    if let Some(scaler) = &observed.autoscaler {
        let object = shown(&scaler.object);
        lines.push(format!(
            "Autoscaler: {object}, {} to {} replicas",
            scaler.min_replicas, scaler.max_replicas
        ));
    }
    lines.extend(observed.changes.iter().map(|change| {
        let when = change.at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
        format!("Last Changed: {} by {}{when}", shown(&change.object), shown(&change.manager))
    }));
    Some(lines.join("\n") + "\n")
}

fn row(track: &str, wanted: &str, available: &str, ready: &str) -> String {
    format!("{track:<8}{wanted:<8}{available:<11}{ready}")
}

fn row_of(track: &str, pods: Pods) -> String {
    let [wanted, available, ready] =
        [pods.wanted, pods.available, pods.ready_endpoints].map(|count| count.to_string());
    row(track, &wanted, &available, &ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::{Autoscaler, LastChange, Revision, Share, Workloads};

    fn at() -> DateTime<Utc> {
        "2026-11-24T03:00:00Z".parse().expect("a time")
    }

    #[test]
    fn the_pods_of_the_last_stage_are_named_with_who_changed_them() {
        let pods = |wanted, ready| Pods { wanted, available: ready, ready_endpoints: ready };
        let observed = Observation {
            workloads: Some(Workloads { stable: pods(3, 3), canary: pods(4, 2) }),
            revision: Some(Revision::new("v1.4.0")),
            autoscaler: Some(Autoscaler {
                object: "HorizontalPodAutoscaler api".to_owned(),
                min_replicas: 3,
                max_replicas: 9,
            }),
            changes: vec![LastChange {
                object: "Deployment api-canary".to_owned(),
                manager: "kubectl\nRead: x".to_owned(),
                at: Some(at()),
            }],
            ..Observation::of_share(Share::ALL)
        };
        let expected = "Read: 2026-11-24T03:00:00Z
Traffic On Canary: 100 %
Version On Canary: v1.4.0
        WANTED  AVAILABLE  READY
stable  3       3          3
canary  4       2          2
Autoscaler: HorizontalPodAutoscaler api, 3 to 9 replicas
Last Changed: Deployment api-canary by kubectl\\nRead: x at 2026-11-24T03:00:00Z
";
        assert_eq!(text(at(), &observed).as_deref(), Some(expected));
        assert_eq!(text(at(), &Observation::of_share(Share::ALL)), None);
    }
}
