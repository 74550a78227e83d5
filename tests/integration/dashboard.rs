//! The dashboard: that Grafana can read it, that it shows what the protocol asks for, and that every
//! expression of it is answered.

mod answered;
mod expressions;
mod marks;
mod panels;
mod types;

use serde_json::Value;

use crate::support::project;

/// The protocol's name for it.
const DASHBOARD: &str = "deploy/grafana/dashboards/risk-idempotency-pitr.json";

fn read(path: &str) -> String {
    std::fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&read(DASHBOARD)).expect("JSON")
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer} is no list"))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} is no text"))
}

/// Where the metrics come from, as every panel has to say it: so that any Prometheus can be chosen.
fn chosen() -> Value {
    serde_json::json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// All panels but rows, which only are headings.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "/panels").iter().filter(|panel| text(panel, "/type") != "row")
}

/// What annotations ask Prometheus, apart from Grafana's own.
fn marks(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "/annotations/list").iter().filter(|mark| mark["datasource"] == chosen())
}

/// One thing that the dashboard asks Prometheus.
struct Asked {
    /// The panel's title or the annotation's name.
    by: String,
    /// With the variables' values in it, as Grafana sends it.
    expression: String,
    /// It is one of the protocol's ten panels, the first ten.
    is_protocols: bool,
}

fn asked(dashboard: &Value) -> Vec<Asked> {
    let mut all = Vec::new();
    for (number, panel) in panels(dashboard).enumerate() {
        for target in list(panel, "/targets") {
            let expression = filled_in(dashboard, text(target, "/expr"));
            all.push(Asked { by: text(panel, "/title").to_owned(), expression, is_protocols: number < 10 });
        }
    }
    for mark in marks(dashboard) {
        let expression = filled_in(dashboard, text(mark, "/expr"));
        all.push(Asked { by: text(mark, "/name").to_owned(), expression, is_protocols: false });
    }
    all
}

/// The value that a variable begins with.
fn variable<'a>(dashboard: &'a Value, name: &str) -> &'a str {
    let all = list(dashboard, "/templating/list");
    let found = all.iter().find(|variable| variable["name"] == name);
    text(found.unwrap_or_else(|| panic!("no variable {name}")), "/current/value")
}

fn filled_in(dashboard: &Value, expression: &str) -> String {
    let mut filled = expression.to_owned();
    for known in list(dashboard, "/templating/list") {
        let (name, value) = (text(known, "/name"), text(known, "/current/value"));
        // As they are, or in the form that Grafana leaves quotes alone in.
        filled = filled.replace(&format!("${{{name}:raw}}"), value).replace(&format!("${name}"), value);
    }
    assert!(!filled.contains('$'), "an unknown variable in {expression}");
    filled
}
