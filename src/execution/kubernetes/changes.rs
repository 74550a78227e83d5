//! Who changed an object last: read off `metadata.managedFields`, where the API server itself keeps
//! which manager owns which field.

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

use super::object::Object;
use crate::incident::LastChange;
use crate::text::kept_within;

/// A manager names itself, in up to 128 characters as the API server checks.
const MAX_MANAGER_CHARS: usize = 128;

/// Which fields count: several paths, the first that anybody owns.
pub(super) type Fields = &'static [&'static [&'static str]];

/// What a Deployment's scale subresource changes, too: its owners are listed on the Deployment. But not who
/// scaled to 0 by it: a Scale leaves zeros out, and what isn't there is nobody's.
pub(super) const REPLICAS: Fields = &[&["f:spec", "f:replicas"]];

/// Who changed these fields last. An entry's time is that of its last change of any of its fields, so
/// this is the latest change by somebody who owns one of them.
pub(super) fn last_change(object: &Object, metadata: &ObjectMeta, fields: Fields) -> Option<LastChange> {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let last = fields.iter().find_map(|path| {
        // An owner by the scale subresource has no time there. Whoever owns the same beside it has said
        // the same number, and didn't change it.
        let is_later = |entry: &&ManagedFieldsEntry| (entry.time.is_none(), time(entry));
        entries.iter().filter(|entry| owns(entry, path)).max_by_key(is_later)
    })?;
    let manager = last.manager.as_deref().filter(|name| !name.is_empty()).unwrap_or("unknown");
    let manager = kept_within(manager, MAX_MANAGER_CHARS);
    Some(LastChange { object: object.to_string(), manager, at: time(last) })
}

/// All who own these fields, by their names.
pub(super) fn owners(metadata: &ObjectMeta, fields: Fields) -> Vec<String> {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let owning = entries.iter().filter(|entry| fields.iter().any(|path| owns(entry, path)));
    owning.filter_map(|entry| entry.manager.clone()).collect()
}

fn time(entry: &ManagedFieldsEntry) -> Option<DateTime<Utc>> {
    let time = entry.time.as_ref()?;
    let nanoseconds = u32::try_from(time.0.subsec_nanosecond()).unwrap_or_default();
    DateTime::from_timestamp(time.0.as_second(), nanoseconds)
}

/// The last name of a path may be the beginning of several, where it ends with `*`.
fn owns(entry: &ManagedFieldsEntry, path: &[&str]) -> bool {
    let Some(fields) = &entry.fields_v1 else { return false };
    path.iter()
        .try_fold(&fields.0, |fields: &Value, name| match name.strip_suffix('*') {
            None => fields.get(name),
            Some(beginning) => fields
                .as_object()?
                .iter()
                .find(|(name, _)| name.starts_with(beginning))
                .map(|(_, value)| value),
        })
        .is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::object::{DEPLOYMENT, INGRESS};
    use super::*;

    const WEIGHT: Fields = &[
        &["f:metadata", "f:annotations", "f:x/canary-weight"],
        &["f:metadata", "f:annotations", "f:x/canary*"],
    ];

    fn metadata(entries: &[(&str, &str, Value)]) -> ObjectMeta {
        let entries: Vec<_> = entries
            .iter()
            .map(|(manager, time, fields)| json!({ "manager": manager, "time": time, "operation": "Update", "fieldsV1": fields }))
            .collect();
        serde_json::from_value(json!({ "managedFields": entries })).expect("metadata")
    }

    fn annotations(names: &[&str]) -> Value {
        let names: serde_json::Map<_, _> =
            names.iter().map(|name| (format!("f:x/{name}"), json!({}))).collect();
        json!({ "f:metadata": { "f:annotations": names } })
    }

    #[test]
    fn the_last_who_owns_the_weight_is_named_and_nobody_who_touched_something_else() {
        let object = Object::new(INGRESS, "spark", "api");
        let given = [
            ("argocd-controller", "2026-01-01T10:00:00Z", annotations(&["canary", "canary-weight"])),
            ("kubectl-annotate", "2026-01-01T11:00:00Z", annotations(&["canary-weight"])),
            ("kubectl-edit", "2026-01-01T12:00:00Z", annotations(&["canary"])),
            ("nginx", "2026-01-01T13:00:00Z", json!({ "f:status": { "f:loadBalancer": {} } })),
        ];
        let change = last_change(&object, &metadata(&given), WEIGHT).expect("somebody");
        assert_eq!((change.object.as_str(), change.manager.as_str()), ("Ingress api", "kubectl-annotate"));
        assert_eq!(change.at.expect("a time").to_rfc3339(), "2026-01-01T11:00:00+00:00");
        // Where nobody owns the weight: it may be gone, and another rule of the canary's may not be.
        let change = last_change(&object, &metadata(&given[2..]), WEIGHT).expect("somebody");
        assert_eq!(change.manager, "kubectl-edit");
        assert_eq!(last_change(&object, &metadata(&given[3..]), WEIGHT), None);
        assert_eq!(last_change(&object, &ObjectMeta::default(), WEIGHT), None);
    }

    #[test]
    fn who_scaled_by_the_subresource_counts_and_who_only_reported_status_does_not() {
        let object = Object::new(DEPLOYMENT, "spark", "api");
        let metadata: ObjectMeta = serde_json::from_value(json!({ "managedFields": [
            { "manager": "kubectl", "time": "2026-01-01T10:00:00Z", "fieldsV1": { "f:spec": { "f:replicas": {}, "f:template": {} } } },
            { "manager": "hpa", "subresource": "scale", "fieldsV1": { "f:spec": { "f:replicas": {} } } },
            { "manager": "controller", "time": "2026-01-01T12:00:00Z", "subresource": "status", "fieldsV1": { "f:status": { "f:replicas": {} } } },
        ] }))
        .expect("metadata");
        let change = last_change(&object, &metadata, REPLICAS).expect("somebody");
        assert_eq!(
            (change.manager.as_str(), change.at),
            ("hpa", None),
            "as the server writes it: without a time"
        );
    }
}
