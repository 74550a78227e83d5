//! The two versions: a Deployment each, and a Service that selects its pods and no other's.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;

use super::super::pods::pods;
use super::super::revision::revision;
use super::Version;
use crate::config::{KubernetesConfig, RevisionSource, WorkloadConfig};
use crate::finding::{Check, Finding};
use crate::incident::Pods;

type Labels = BTreeMap<String, String>;

pub(super) fn judged(
    check: Check<'_>,
    config: &KubernetesConfig,
    stable: &Version,
    canary: &Version,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (version, names, other, other_is) in
        [(stable, &config.stable, canary, "the canary's"), (canary, &config.canary, stable, "stable's")]
    {
        if let (Ok(service), Ok(own)) = (&version.service, &version.deployment) {
            let other = other.deployment.as_ref().ok();
            found.extend(selection(check, names, service, own, other.map(|other| (other, other_is))));
        }
    }
    // A Service that leads to no pod has no endpoint either: that is said already.
    if found.is_empty()
        && let (Ok(deployment), Ok(slices)) = (&stable.deployment, &stable.slices)
    {
        found.extend(serves(check, &config.stable, pods(deployment, slices)));
    }
    if let Ok(deployment) = &canary.deployment
        && revision(deployment, &config.revision).is_none()
    {
        let place = match &config.revision {
            RevisionSource::ImageTag => "its first container's image has no tag".to_owned(),
            RevisionSource::ImageTagOf(name) => format!("it has no container {name} whose image has a tag"),
            RevisionSource::Label(name) => format!("neither its pods nor itself carry the label {name}"),
        };
        found.push(check.warning(
            format!(
                "Which version is on canary can't be read off the Deployment {}: {place}. The configured revision counts instead.",
                config.canary.deployment
            ),
            "Set revision in [rollouts.traffic] to where the version is.",
        ));
    }
    found
}

/// Whether the Service leads to its Deployment's pods, and to no others of the rollout.
fn selection(
    check: Check<'_>,
    names: &WorkloadConfig,
    service: &Service,
    own: &Deployment,
    other: Option<(&Deployment, &str)>,
) -> Option<Finding> {
    let WorkloadConfig { deployment: own_name, service: name } = names;
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
        return Some(check.warning(
            format!("The Service {name} has no selector, so somebody else decides where its requests go."),
            format!("Give it the labels of the pods of the Deployment {own_name} as selector."),
        ));
    };
    if !selects(selector, own) {
        return Some(check.error(
            format!(
                "The Service {name} selects {}, and the pods of the Deployment {own_name} carry {}: it leads to none of them.",
                words(selector),
                words(&labels(own)),
            ),
            format!("Mend the selector of the Service {name}, or name the right one in [rollouts.traffic]."),
        ));
    }
    let (other, other_is) = other.filter(|(other, _)| selects(selector, other))?;
    let other_name = other.metadata.name.as_deref().unwrap_or_default();
    Some(check.error(
        format!(
            "The Service {name} selects {}, which {other_is} pods (Deployment {other_name}) carry, too: whatever the weight is, the versions get each other's requests.",
            words(selector)
        ),
        format!("Add a label to the selector of the Service {name} that only its own pods carry, such as track."),
    ))
}

fn labels(deployment: &Deployment) -> Labels {
    let template = deployment.spec.as_ref().map(|spec| &spec.template);
    let metadata = template.and_then(|template| template.metadata.as_ref());
    metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
}

fn selects(selector: &Labels, deployment: &Deployment) -> bool {
    let labels = labels(deployment);
    selector.iter().all(|(name, value)| labels.get(name) == Some(value))
}

fn words(labels: &Labels) -> String {
    if labels.is_empty() {
        return "no label".to_owned();
    }
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

/// Whether stable could take over traffic at once.
fn serves(check: Check<'_>, names: &WorkloadConfig, pods: Pods) -> Option<Finding> {
    let WorkloadConfig { deployment, service } = names;
    if pods.wanted == 0 {
        return Some(check.note(
            format!("The Deployment {deployment} has no replicas: a rollback starts them first, and traffic stays on the canary until they are ready."),
            "Nothing, if the canary is about to become stable; else keep stable running for a faster rollback.",
        ));
    }
    (pods.ready_endpoints == 0).then(|| {
        check.warning(
            format!("The Service {service} has no ready endpoint, though {} pods are wanted: a rollback would wait for one.", pods.wanted),
            format!("See why: kubectl describe deployment {deployment}."),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::finding::{Area, Severity};

    fn deployment(name: &str, labels: Value) -> Deployment {
        let template = json!({ "metadata": { "labels": labels } });
        let object =
            json!({ "metadata": { "name": name }, "spec": { "selector": {}, "template": template } });
        serde_json::from_value(object).expect("a Deployment")
    }

    #[test]
    fn a_service_has_to_select_its_own_pods_and_no_others() {
        let check = Check::new(Area::Kubernetes, "x", "workloads");
        let names = WorkloadConfig { deployment: "api-stable".to_owned(), service: "stable".to_owned() };
        let own = deployment("api-stable", json!({ "app": "api", "track": "stable" }));
        let other = deployment("api-canary", json!({ "app": "api", "track": "canary" }));
        for (selector, severity, words) in [
            (json!({ "track": "stable" }), None, ""),
            (json!({ "app": "api", "track": "stable" }), None, ""),
            (
                json!({ "app": "api" }),
                Some(Severity::Error),
                "canary's pods (Deployment api-canary) carry, too",
            ),
            (
                json!({ "app": "spark" }),
                Some(Severity::Error),
                "carry app=api, track=stable: it leads to none",
            ),
            (json!({}), Some(Severity::Warning), "has no selector"),
            (Value::Null, Some(Severity::Warning), "has no selector"),
        ] {
            let service = json!({ "spec": { "selector": selector } });
            let service: Service = serde_json::from_value(service).expect("a Service");
            let found = selection(check, &names, &service, &own, Some((&other, "the canary's")));
            assert_eq!(found.as_ref().map(|found| found.severity), severity, "{selector} {found:?}");
            assert!(found.is_none_or(|found| found.message.contains(words)), "{selector}");
        }
    }

    #[test]
    fn whether_stable_could_take_over_is_said_by_its_endpoints() {
        let check = Check::new(Area::Kubernetes, "x", "workloads");
        let names = WorkloadConfig { deployment: "stable".to_owned(), service: "stable".to_owned() };
        let pods = |wanted, ready_endpoints| Pods { wanted, available: ready_endpoints, ready_endpoints };
        for (pods, expected) in [
            (pods(3, 3), None),
            (pods(3, 1), None),
            (pods(3, 0), Some(Severity::Warning)),
            (pods(0, 0), Some(Severity::Note)),
        ] {
            assert_eq!(serves(check, &names, pods).map(|found| found.severity), expected, "{pods:?}");
        }
    }
}
