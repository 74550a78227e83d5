//! Gateway API: an HTTPRoute whose rules split requests between Services by weight.
//!
//! Read and written as JSON, because the whole object is written back: fields that are newer than any type
//! of ours have to survive. Facts from the API's specification (`HTTPBackendRef.weight`, `RouteStatus`).

mod doubts;
mod parents;
mod rules;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use super::changes::Fields;
use super::object::{HTTP_ROUTE, Object};
use super::router::{Change, Route, Router, Send};
use crate::finding::{Check, Finding};
use crate::incident::Share;
use rules::Services;

/// A list of rules is one field to the API server.
const FIELDS: Fields = &[&["f:spec", "f:rules"]];

/// The route that leads to both versions.
#[derive(Debug)]
pub(super) struct HttpRoute {
    object: Object,
    services: Services,
}

impl HttpRoute {
    pub(super) fn new(namespace: &str, http_route: &str, stable_service: &str, canary_service: &str) -> Self {
        let services = Services {
            namespace: namespace.to_owned(),
            stable: stable_service.to_owned(),
            canary: canary_service.to_owned(),
        };
        Self { object: Object::new(HTTP_ROUTE, namespace, http_route), services }
    }
}

impl Router for HttpRoute {
    fn object(&self) -> &Object {
        &self.object
    }

    fn route(&self, object: &Value) -> Result<Route, String> {
        let mut route = self.services.route(rules(object)?);
        if route.obstacle.is_none() {
            route.obstacle = parents::refusal(object, &self.object);
        }
        route.not_in_effect = parents::lag(object, &self.object);
        Ok(route)
    }

    fn with_share(&self, object: &Value, share: Share) -> Result<Option<Change>, String> {
        Ok(self.services.with_share(rules(object)?, share).map(|changed| replaced(object, changed)))
    }

    fn with_exactly(&self, object: &Value, share: Share) -> Result<Option<Change>, String> {
        Ok(self.services.with_exactly(rules(object)?, share).map(|changed| replaced(object, changed)))
    }

    fn describe(&self, share: Share) -> String {
        let rules = if share == Share::ZERO { ", no rule of its own" } else { "" };
        format!("PUT {}: weight of {} for {share}{rules}", self.object.typed(), self.services.canary)
    }

    fn fields(&self) -> Fields {
        FIELDS
    }

    fn doubts(&self, check: Check<'_>, object: &Value, _canary_service: &str) -> Vec<Finding> {
        rules(object)
            .map(|rules| doubts::of(check, &self.services, &self.object, object, rules))
            .unwrap_or_default()
    }
}

fn replaced(object: &Value, (rules, words): (Vec<Value>, String)) -> Change {
    let mut changed = object.clone();
    changed["spec"]["rules"] = Value::Array(rules);
    Change { send: Send::Replace(changed), words }
}

fn rules(object: &Value) -> Result<&[Value], String> {
    let _metadata: ObjectMeta = serde_json::from_value(object["metadata"].clone())
        .map_err(|error| format!("not an HTTPRoute: {error}"))?;
    match &object["spec"]["rules"] {
        Value::Array(rules) => Ok(rules),
        Value::Null => Ok(&[]),
        _ => Err("not an HTTPRoute: spec.rules is no list".to_owned()),
    }
}

#[cfg(test)]
mod tests;
