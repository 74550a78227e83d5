//! The part of JSON Schema that the shipped schema uses, so that it can't drift from what is posted.

use serde_json::Value;

/// `deploy/schemas/webhook.schema.json`.
pub(super) fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/schemas/webhook.schema.json");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("JSON")
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("a type {other}"),
    }
}

/// What of the value is not as the schema says, each with its place.
pub(super) fn wrong(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).expect("a definition");
        return wrong(root, target, value, place);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let is_null = |choice: &&Value| choice["type"] == "null";
        let choice = choices.iter().find(|choice| is_null(choice) == value.is_null()).expect("a choice");
        return wrong(root, choice, value, place);
    }
    let mut found = Vec::new();
    let kinds: Vec<_> = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.and_then(Value::as_str).into_iter().collect(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(kind, value)) {
        return vec![format!("{place} is none of {kinds:?}")];
    }
    if schema.get("const").is_some_and(|only| only != value)
        || schema.get("enum").and_then(Value::as_array).is_some_and(|choices| !choices.contains(value))
    {
        found.push(format!("{place} is {value}"));
    }
    if let (Some(items), Some(item)) = (value.as_array(), schema.get("items")) {
        let each = items.iter().enumerate();
        found.extend(each.flat_map(|(at, value)| wrong(root, item, value, &format!("{place}/{at}"))));
    }
    let Some(members) = value.as_object() else { return found };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let missing = required.filter_map(Value::as_str).filter(|name| !members.contains_key(*name));
    found.extend(missing.map(|name| format!("{place}/{name} is missing")));
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, value) in members {
        let place = format!("{place}/{name}");
        match (known.and_then(|known| known.get(name)), schema.get("additionalProperties")) {
            (Some(schema), _) => found.extend(wrong(root, schema, value, &place)),
            (None, Some(Value::Bool(false))) => found.push(format!("{place} is not known")),
            (None, Some(schema)) if schema.is_object() => found.extend(wrong(root, schema, value, &place)),
            (None, _) => {}
        }
    }
    found
}
