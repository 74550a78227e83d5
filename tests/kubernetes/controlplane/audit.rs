//! What the API server was asked, by its own account: who, what, and how it answered. The control
//! plane's own programs are left out.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ControlPlane;
use super::certificates::KUBELET;

/// A request, after it was answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEvent {
    /// `get`, `list`, `patch` and so on.
    pub(crate) verb: String,
    #[serde(rename = "requestURI")]
    pub(crate) request_uri: String,
    pub(crate) user: User,
    /// When it came.
    pub(crate) request_received_timestamp: DateTime<Utc>,
    /// When the answer went out.
    pub(crate) stage_timestamp: DateTime<Utc>,
    pub(crate) object_ref: Option<ObjectRef>,
    /// What was sent.
    #[serde(default)]
    pub(crate) request_object: Value,
    pub(crate) response_status: Option<ResponseStatus>,
}

/// Who asked.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) username: String,
}

/// What was asked about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ObjectRef {
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
}

/// How it was answered.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ResponseStatus {
    /// As in HTTP.
    pub(crate) code: u16,
}

impl ControlPlane {
    /// What was asked in a namespace so far, oldest first. An event may be written just after its
    /// answer has arrived: wait for one that has to be there.
    pub(crate) fn audit(&self, namespace: &str) -> Vec<AuditEvent> {
        let text = std::fs::read_to_string(self.folder().join("audit.log")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let events = whole.lines().map(|line| serde_json::from_str(line).expect("an audit event"));
        let is_there = |event: &AuditEvent| {
            event.object_ref.as_ref().is_some_and(|object| object.namespace == namespace)
        };
        events.filter(is_there).collect()
    }
}

/// Everything, with what was sent, but for the control plane's own work.
pub(super) fn policy() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "omitManagedFields": true,
        "rules": [
            {
                "level": "None",
                "users": [
                    "system:apiserver",
                    "system:kube-controller-manager",
                    "system:kube-scheduler",
                    KUBELET,
                ],
            },
            { "level": "None", "userGroups": ["system:serviceaccounts:kube-system"] },
            { "level": "None", "nonResourceURLs": ["*"] },
            { "level": "Request" },
        ],
    })
}
