//! The objects of a cluster that a rollback reads and changes: kind, namespace and name.

use std::fmt;

/// As the API server's paths have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// Empty for the oldest kinds, which lie under `/api`.
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
}

pub(super) const DEPLOYMENT: Kind =
    Kind { name: "Deployment", group: "apps", version: "v1", plural: "deployments" };
pub(super) const INGRESS: Kind =
    Kind { name: "Ingress", group: "networking.k8s.io", version: "v1", plural: "ingresses" };
pub(super) const HTTP_ROUTE: Kind =
    Kind { name: "HTTPRoute", group: "gateway.networking.k8s.io", version: "v1", plural: "httproutes" };
pub(super) const ENDPOINT_SLICE: Kind =
    Kind { name: "EndpointSlice", group: "discovery.k8s.io", version: "v1", plural: "endpointslices" };
pub(super) const SERVICE: Kind = Kind { name: "Service", group: "", version: "v1", plural: "services" };
pub(super) const HORIZONTAL_POD_AUTOSCALER: Kind = Kind {
    name: "HorizontalPodAutoscaler",
    group: "autoscaling",
    version: "v2",
    plural: "horizontalpodautoscalers",
};
pub(super) const ARGO_ROLLOUT: Kind =
    Kind { name: "Rollout", group: "argoproj.io", version: "v1alpha1", plural: "rollouts" };
pub(super) const FLAGGER_CANARY: Kind =
    Kind { name: "Canary", group: "flagger.app", version: "v1beta1", plural: "canaries" };
/// Whether our own account may do something.
pub(super) const ACCESS_REVIEW: Kind = Kind {
    name: "SelfSubjectAccessReview",
    group: "authorization.k8s.io",
    version: "v1",
    plural: "selfsubjectaccessreviews",
};
pub(super) const EVENT: Kind =
    Kind { name: "Event", group: "events.k8s.io", version: "v1", plural: "events" };

impl Kind {
    /// As `apiVersion` has it.
    pub(super) fn api_version(self) -> String {
        format!("{}/{}", self.group, self.version)
    }

    /// The path of all objects of this kind in a namespace.
    pub(super) fn path(self, namespace: &str) -> String {
        let Self { group, version, plural, .. } = self;
        if group.is_empty() {
            return format!("/api/{version}/namespaces/{namespace}/{plural}");
        }
        format!("/apis/{group}/{version}/namespaces/{namespace}/{plural}")
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Object {
    pub(super) fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// What a person finds it by in its namespace.
    pub(super) fn typed(&self) -> String {
        format!("{}/{}", self.kind.plural, self.name)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name, self.name)
    }
}
