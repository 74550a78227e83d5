//! What is to be said of a canary's Ingress before there is anything to roll back.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::Ingress;
use serde_json::Value;

use super::{CANARY, HEADER, WEIGHT, backends, is_canary, parse, text};
use crate::finding::{Check, Finding};

/// Host and path, as an Ingress writes them; both may be empty.
type Place = (String, String);

/// What is odd about the Ingress, which no obstacle stands for.
pub(super) fn of(check: Check<'_>, object: &Value, stable: &str, canary: &str) -> Vec<Finding> {
    let Ok(ingress) = parse(object) else { return Vec::new() };
    let name = ingress.metadata.name.as_deref().unwrap_or_default();
    if !is_canary(&ingress) {
        // What leads elsewhere than to stable is an obstacle already.
        let message = format!(
            "Ingress {name} has no {CANARY}: \"true\" and leads to the Service {stable}: there is no canary now."
        );
        return vec![check.note(message, "Nothing, until a canary is to get traffic.")];
    }
    let mut found = Vec::new();
    let others: Vec<_> = backends(&ingress).into_iter().filter(|backend| backend != canary).collect();
    if !others.is_empty() {
        found.push(check.error(
            format!(
                "Ingress {name} leads to {}, not to the canary's Service {canary}: its weight moves somebody else's requests.",
                others.join(", ")
            ),
            "Mend its backend, or name the right Service or Ingress in [rollouts.traffic].",
        ));
    }
    let weight = text(&ingress, WEIGHT);
    if let Some(weight) = weight.filter(|weight| weight.parse::<i64>().is_err()) {
        found.push(check.warning(
            format!(
                "Ingress {name} has {WEIGHT}: {weight:?}, which is no number: ingress-nginx takes it for 0."
            ),
            "Write a whole number between quotes.",
        ));
    }
    if weight.is_none() && text(&ingress, HEADER).is_none() {
        found.push(check.note(
            format!("Ingress {name} has no {WEIGHT}: the canary gets nothing by weight."),
            "Nothing, until a canary is to get traffic.",
        ));
    }
    found
}

/// A canary's Ingress takes its share from another one with the same host and path, in its namespace
/// (`mergeAlternativeBackends` in the controller's source); without that it does nothing.
pub(super) fn beside(check: Check<'_>, canary: &Value, stable: &str, all: &[Ingress]) -> Vec<Finding> {
    let Ok(canary) = parse(canary) else { return Vec::new() };
    let name = canary.metadata.name.as_deref().unwrap_or_default();
    if !is_canary(&canary) {
        return Vec::new();
    }
    let others: Vec<_> = all.iter().filter(|other| other.metadata.name != canary.metadata.name).collect();
    let mut found = Vec::new();
    for place in places(&canary, None) {
        let serves =
            |service| others.iter().any(|other| !is_canary(other) && places(other, service).contains(&place));
        let (host, path) = (if place.0.is_empty() { "any host" } else { &place.0 }, &place.1);
        if !serves(Some(stable)) {
            let instead = if serves(None) {
                format!("another Ingress serves {host}{path}, but not with the Service {stable}")
            } else {
                format!("no other Ingress serves {host}{path}")
            };
            found.push(check.error(
                format!("Ingress {name} is a canary's, and {instead}: its weight divides nothing, and a rollback leads nowhere."),
                format!("Create an Ingress without canary annotations for {host}{path} whose backend is the Service {stable}."),
            ));
        }
        let rivals = others.iter().filter(|other| is_canary(other) && places(other, None).contains(&place));
        let rivals: Vec<_> = rivals.filter_map(|other| other.metadata.name.as_deref()).collect();
        if !rivals.is_empty() {
            found.push(check.warning(
                format!(
                    "Ingress {name} and {} are canaries of the same {host}{path}: ingress-nginx follows one of them.",
                    rivals.join(", ")
                ),
                "Take the other one away.",
            ));
        }
    }
    found
}

/// Where the Ingress leads to this Service, or to any.
fn places(ingress: &Ingress, service: Option<&str>) -> BTreeSet<Place> {
    let mut found = BTreeSet::new();
    for rule in ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten()) {
        let host = rule.host.clone().unwrap_or_default();
        for path in rule.http.iter().flat_map(|http| &http.paths) {
            let backend = path.backend.service.as_ref().map(|backend| backend.name.as_str());
            if service.is_none() || backend == service {
                found.insert((host.clone(), path.path.clone().unwrap_or_else(|| "/".to_owned())));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::finding::{Area, Severity};

    fn ingress(name: &str, host: &str, service: &str, annotations: &[(&str, &str)]) -> Value {
        let annotations: serde_json::Map<_, _> =
            annotations.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let backend = json!({ "service": { "name": service, "port": { "number": 80 } } });
        let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
        json!({
            "metadata": { "name": name, "annotations": annotations },
            "spec": { "rules": [{ "host": host, "http": { "paths": paths } }] },
        })
    }

    fn worst(found: &[Finding]) -> (Severity, &str) {
        found.iter().map(|one| (one.severity, one.message.as_str())).max().unwrap_or((Severity::Fine, ""))
    }

    const OF: [(&str, &str); 2] = [(CANARY, "true"), (WEIGHT, "25")];

    #[test]
    fn the_canarys_ingress_has_to_be_one_and_lead_to_the_canary() {
        let check = Check::new(Area::Kubernetes, "x", "router");
        for (object, severity, words) in [
            (ingress("api", "h", "canary", &OF), Severity::Fine, ""),
            (ingress("api", "h", "other", &OF), Severity::Error, "leads to other, not to"),
            (ingress("api", "h", "stable", &[]), Severity::Note, "there is no canary now"),
            (ingress("api", "h", "canary", &[(CANARY, "true")]), Severity::Note, "gets nothing by weight"),
            (
                ingress("api", "h", "canary", &[(CANARY, "true"), (WEIGHT, "a lot")]),
                Severity::Warning,
                "no number",
            ),
        ] {
            let found = of(check, &object, "stable", "canary");
            assert!(worst(&found).0 == severity && worst(&found).1.contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn beside_it_another_one_has_to_serve_the_same_place_by_stable() {
        let check = Check::new(Area::Kubernetes, "x", "router");
        let canary = ingress("api", "h", "canary", &OF);
        let all = |others: &[Value]| -> Vec<Ingress> {
            let all = others.iter().chain([&canary]);
            all.map(|one| serde_json::from_value(one.clone()).expect("an Ingress")).collect()
        };
        for (others, severity, words) in [
            (vec![ingress("main", "h", "stable", &[])], Severity::Fine, ""),
            (vec![], Severity::Error, "no other Ingress serves h/"),
            (vec![ingress("main", "g", "stable", &[])], Severity::Error, "no other Ingress serves h/"),
            (vec![ingress("main", "h", "other", &[])], Severity::Error, "but not with the Service stable"),
            (vec![ingress("main", "h", "stable", &OF)], Severity::Error, "its weight divides nothing"),
            (
                vec![ingress("main", "h", "stable", &[]), ingress("second", "h", "new", &OF)],
                Severity::Warning,
                "api and second are canaries of the same h/",
            ),
        ] {
            let found = beside(check, &canary, "stable", &all(&others));
            assert!(worst(&found).0 == severity && worst(&found).1.contains(words), "{words}: {found:?}");
        }
    }
}
