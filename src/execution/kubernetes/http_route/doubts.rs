//! What is to be said of an HTTPRoute before there is anything to roll back.

use serde_json::Value;

use super::parents;
use super::rules::Services;
use crate::execution::kubernetes::object::Object;
use crate::finding::{Check, Finding};

/// What is odd about the route, which no obstacle stands for.
pub(super) fn of(
    check: Check<'_>,
    services: &Services,
    route: &Object,
    object: &Value,
    rules: &[Value],
) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(lag) = parents::lag(object, route) {
        found.push(check.warning(
            format!("No proxy may follow the present weights: {lag}."),
            format!(
                "See what its gateways say: kubectl describe httproute {} -n {}.",
                route.name, route.namespace
            ),
        ));
    }
    let (stable, canary) = (&services.stable, &services.canary);
    if !rules.iter().any(|rule| services.names_both(rule)) {
        found.push(check.warning(
            format!("No rule of {route} names both Services, {stable} and {canary}: no weights divide requests between them."),
            format!("Name both in the backendRefs of the rules that the canary takes part in, {canary} with weight 0 while there is none."),
        ));
    }
    found
}
