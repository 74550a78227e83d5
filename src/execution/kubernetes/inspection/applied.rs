//! Who applies a manifest that says what a rollback changes: the next time they do, it is undone.
//!
//! Told by `metadata.managedFields`, where tools that deploy have names of their own, and by what
//! `kubectl apply` notes down of the manifest it was given.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::super::changes::{Fields, REPLICAS, owners};
use super::super::object::{DEPLOYMENT, HTTP_ROUTE, INGRESS, Kind, Object};
use super::super::router::Router;
use crate::finding::{Check, Finding};
use crate::incident::OWN_MANAGER;
use crate::text::kept_within;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const WEIGHT: &str = "nginx.ingress.kubernetes.io/canary-weight";

/// The longest name of a manager that is repeated.
const MAX_NAME_CHARS: usize = 128;

/// A tool that deploys from somewhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    ArgoCd,
    Flux,
    Helm,
    /// A person or a pipeline.
    Kubectl,
}

impl Tool {
    /// By the name that it gives itself as a field manager.
    fn of(manager: &str) -> Option<Self> {
        let name = manager.to_ascii_lowercase();
        if name.contains("argocd") || name.contains("argo-cd") {
            Some(Self::ArgoCd)
        } else if name.contains("kustomize-controller")
            || name.contains("helm-controller")
            || name.contains("flux")
        {
            Some(Self::Flux)
        } else if name.contains("helm") {
            Some(Self::Helm)
        } else {
            None
        }
    }

    fn undoes(self) -> &'static str {
        match self {
            Self::ArgoCd => "its next sync",
            Self::Flux => "its next reconciliation, within minutes",
            Self::Helm => "the next helm upgrade",
            Self::Kubectl => "the next kubectl apply of that manifest",
        }
    }

    fn remedy(self, field: &Field) -> String {
        let Field { words, pointer, .. } = field;
        match self {
            Self::ArgoCd => format!(
                "Leave {words} out of Git, or in its Application set ignoreDifferences with managedFieldsManagers: [{OWN_MANAGER}] (or for {pointer}) and the syncOption RespectIgnoreDifferences=true: without that option a sync overwrites it all the same."
            ),
            Self::Flux => format!(
                "Leave {words} out of the manifest in Git, with the annotation kustomize.toolkit.fluxcd.io/ssa: Merge on the object; until then run flux suspend while a canary runs."
            ),
            Self::Helm => format!(
                "Leave {words} out of the chart's templates or values, so that an upgrade doesn't set it."
            ),
            Self::Kubectl => format!("Leave {words} out of the manifest that is applied."),
        }
    }
}

/// What a rollback changes of an object.
struct Field {
    words: &'static str,
    /// As Argo CD's `ignoreDifferences` takes it.
    pointer: &'static str,
    fields: Fields,
}

fn field(kind: Kind, fields: Fields) -> Field {
    let (words, pointer) = if kind == INGRESS {
        ("canary-weight", "jsonPointers: [/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight]")
    } else if kind == HTTP_ROUTE {
        ("the weights", "jqPathExpressions: [\".spec.rules[].backendRefs[].weight\"]")
    } else {
        ("replicas", "jsonPointers: [/spec/replicas]")
    };
    Field { words, pointer, fields }
}

/// Of the object that divides the traffic.
pub(super) fn router(check: Check<'_>, router: &dyn Router, object: &Value) -> Option<Finding> {
    let metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone()).ok()?;
    let field = field(router.object().kind, router.fields());
    let is_undone = |manifest: &Value| match manifest["metadata"]["annotations"][WEIGHT].as_str() {
        Some(weight) if router.object().kind == INGRESS => weight.trim() != "0",
        _ => router.object().kind == HTTP_ROUTE && divides(manifest),
    };
    found(check, router.object(), &metadata, &field, is_undone)
}

/// Whether any rule has two backends or more: then it says weights, if only by leaving them out.
fn divides(manifest: &Value) -> bool {
    let rules = manifest["spec"]["rules"].as_array().into_iter().flatten();
    rules.into_iter().any(|rule| rule["backendRefs"].as_array().is_some_and(|backends| backends.len() > 1))
}

/// Of a Deployment: stable is left alone by a manifest that wants `harmless_from` replicas or more; of the
/// canary (`None`) only 0 would be harmless.
pub(super) fn deployment(
    check: Check<'_>,
    deployment: &Deployment,
    harmless_from: Option<u16>,
) -> Option<Finding> {
    let metadata = &deployment.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let object = Object::new(DEPLOYMENT, metadata.namespace.as_deref().unwrap_or_default(), name);
    let is_undone = |manifest: &Value| {
        let wanted = manifest["spec"]["replicas"].as_u64();
        wanted.is_some_and(|wanted| harmless_from.map_or(wanted > 0, |enough| wanted < u64::from(enough)))
    };
    found(check, &object, metadata, &field(DEPLOYMENT, REPLICAS), is_undone)
}

fn found(
    check: Check<'_>,
    object: &Object,
    metadata: &ObjectMeta,
    field: &Field,
    is_undone: impl Fn(&Value) -> bool,
) -> Option<Finding> {
    let managers = owners(metadata, field.fields);
    let tool = managers.iter().find_map(|manager| Some((Tool::of(manager)?, manager.as_str())));
    let (tool, who) = match tool {
        Some((tool, manager)) => (tool, kept_within(manager, MAX_NAME_CHARS)),
        None => {
            let manifest = metadata.annotations.as_ref()?.get(LAST_APPLIED)?;
            let manifest: Value = serde_json::from_str(manifest).ok()?;
            if !is_undone(&manifest) {
                return None;
            }
            (Tool::Kubectl, "kubectl apply".to_owned())
        }
    };
    let words = field.words;
    let message = match tool {
        Tool::Kubectl => {
            format!(
                "The manifest of {object} that was applied last says {words}: {} undoes a rollback.",
                tool.undoes()
            )
        }
        _ => format!("{who} owns {words} of {object}: {} undoes a rollback.", tool.undoes()),
    };
    Some(check.warning(message, tool.remedy(field)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::finding::Area;

    fn given(replicas: u32, manager: &str, applied: Option<u32>) -> Deployment {
        let manifest = applied.map(|replicas| json!({ "spec": { "replicas": replicas } }).to_string());
        let owned = json!({ "manager": manager, "operation": "Update", "fieldsV1": { "f:spec": { "f:replicas": {} } } });
        let annotations = manifest.map(|manifest| json!({ LAST_APPLIED: manifest }));
        let metadata = json!({ "name": "api", "namespace": "spark", "managedFields": [owned], "annotations": annotations });
        let spec = json!({ "replicas": replicas, "selector": {}, "template": {} });
        serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).expect("a Deployment")
    }

    #[test]
    fn tools_are_known_by_their_names_and_manifests_by_what_they_would_undo() {
        let check = Check::new(Area::Kubernetes, "x", "applied_by_others");
        for (manager, applied, harmless_from, expected) in [
            ("argocd-controller", None, Some(3), Some("RespectIgnoreDifferences=true")),
            ("kustomize-controller", None, Some(3), Some("kustomize.toolkit.fluxcd.io/ssa: Merge")),
            ("helm-controller", None, Some(3), Some("flux suspend")),
            ("Helm", None, Some(3), Some("the chart's templates")),
            ("kubectl-edit", None, Some(3), None),
            (OWN_MANAGER, None, Some(3), None),
            ("kubectl-client-side-apply", Some(1), Some(3), Some("out of the manifest that is applied")),
            ("kubectl-client-side-apply", Some(3), Some(3), None),
            ("kubectl-client-side-apply", Some(3), None, Some("out of the manifest that is applied")),
            ("kubectl-client-side-apply", Some(0), None, None),
        ] {
            let found = deployment(check, &given(1, manager, applied), harmless_from);
            let remedy = found.and_then(|found| found.remedy);
            match (&remedy, expected) {
                (None, None) => {}
                (Some(remedy), Some(words)) => assert!(remedy.contains(words), "{manager}: {remedy}"),
                _ => panic!("{manager} {applied:?}: {remedy:?}"),
            }
        }
    }
}
