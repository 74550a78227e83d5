//! Whether the gateways that an HTTPRoute is attached to have taken its present form over.

use serde_json::Value;

use super::super::object::Object;
use crate::text::kept_within;

/// The longest of a gateway's own words that are repeated.
const MAX_MESSAGE_CHARS: usize = 200;

/// What one gateway says of the route: `status.parents[].conditions`, type `Accepted`.
struct Parent<'a> {
    name: &'a str,
    /// The generation of the route that it speaks of; `None`: it has said nothing yet.
    generation: Option<u64>,
    accepts: bool,
    why: &'a str,
}

fn parents(object: &Value) -> impl Iterator<Item = Parent<'_>> {
    object["status"]["parents"].as_array().into_iter().flatten().map(|parent| {
        let conditions = parent["conditions"].as_array().into_iter().flatten();
        let accepted = conditions.into_iter().find(|condition| condition["type"] == "Accepted");
        let text = |name: &str| accepted.and_then(|condition| condition[name].as_str());
        Parent {
            name: parent["parentRef"]["name"].as_str().unwrap_or("unnamed"),
            // A controller that doesn't say of which generation it speaks is believed.
            generation: accepted
                .map(|condition| condition["observedGeneration"].as_u64().unwrap_or(u64::MAX)),
            accepts: text("status") == Some("True"),
            why: text("message").or_else(|| text("reason")).unwrap_or("it doesn't say why"),
        }
    })
}

fn generation(object: &Value) -> u64 {
    object["metadata"]["generation"].as_u64().unwrap_or(0)
}

/// Why no gateway follows the route, if none does and each has looked at its present form.
pub(super) fn refusal(object: &Value, route: &Object) -> Option<String> {
    let generation = generation(object);
    let all: Vec<_> = parents(object).collect();
    let refuses =
        |parent: &Parent<'_>| !parent.accepts && parent.generation.is_some_and(|seen| seen >= generation);
    if all.is_empty() || !all.iter().all(refuses) {
        return None;
    }
    let said =
        all.iter().map(|parent| format!("{}: {}", parent.name, kept_within(parent.why, MAX_MESSAGE_CHARS)));
    let said = said.collect::<Vec<_>>().join("; ");
    Some(format!(
        "No Gateway accepts {route}, so its weights mean nothing ({said}). Mend what its status says."
    ))
}

/// The gateways that may still follow an earlier form of the route. A gateway that refuses the present
/// form isn't one of them: it has looked at it.
pub(super) fn lag(object: &Value, route: &Object) -> Option<String> {
    let generation = generation(object);
    let mut count = 0;
    let mut behind = Vec::new();
    for parent in parents(object) {
        count += 1;
        if parent.generation.is_none_or(|seen| seen < generation) {
            behind.push(parent.name);
        }
    }
    if count == 0 {
        return Some(format!("no Gateway has accepted {route} yet"));
    }
    (!behind.is_empty()).then(|| {
        format!("not yet taken over by Gateway {}: {route}, generation {generation}", behind.join(", "))
    })
}
