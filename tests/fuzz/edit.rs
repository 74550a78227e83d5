//! Edits of a JSON tree that leave it JSON, though not what anybody expects.

use serde_json::Value;

/// One edit: what to do, where, and with which text.
pub(crate) type Edit = (u8, u16, u16);

/// Written into the tree as a text and replaced when the tree is text: JSON that no tree holds.
const MARK: &str = "\u{e000}raw";

fn raw(number: usize) -> String {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let texts: [String; 20] = [
        deep(100),
        deep(5_000),
        format!("{}1{}", r#"{"a":"#.repeat(500), "}".repeat(500)),
        "9".repeat(400),
        "-0".into(),
        "1e999999".into(),
        "18446744073709551616".into(),
        "0.1E-400".into(),
        r#"{"a":"b","a":"c"}"#.into(),
        r#"{"alertname":"x","alertname":"y","severity":"critical"}"#.into(),
        r#""\ud800""#.into(),
        r#""\ud83d\ude00""#.into(),
        r#""\u0000\u001b[2J""#.into(),
        format!("\"{}\"", "\u{202e}\u{feff}é".repeat(300)),
        format!("\"{}\"", "x".repeat(70_000)),
        format!("{{{}\"z\":\"z\"}}", (0..500).map(|n| format!("\"l{n}\":\"v\",")).collect::<String>()),
        r#""+262142-12-31T23:59:59.999999999Z""#.into(),
        r#""-262143-01-01T00:00:00Z""#.into(),
        r#""9999-12-31T23:59:60+14:00""#.into(),
        r#""0000-01-01T00:00:00-23:59""#.into(),
    ];
    texts[number % texts.len()].clone()
}

const RAW_TEXTS: usize = 20;

/// Carries out the edits and writes the tree.
pub(crate) fn edited(mut tree: Value, edits: &[Edit]) -> String {
    for (kind, place, other) in edits {
        apply(&mut tree, *kind, usize::from(*place), usize::from(*other));
    }
    let mut text = tree.to_string();
    for number in 0..RAW_TEXTS {
        text = text.replace(&format!("\"{MARK}{number}\""), &raw(number));
    }
    text
}

fn apply(tree: &mut Value, kind: u8, place: usize, other: usize) {
    let count = nodes(tree);
    let copy = node(tree, other % count).clone();
    let target = node(tree, place % count);
    match kind % 6 {
        0 => *target = Value::from(format!("{MARK}{}", other % RAW_TEXTS)),
        1 => *target = Value::Null,
        2 => *target = copy,
        3 => *target = Value::from(other),
        4 => match target {
            Value::Object(members) => {
                let name = members.keys().nth(other % members.len().max(1)).cloned();
                name.and_then(|name| members.remove(&name));
            }
            Value::Array(elements) => elements.truncate(other % (elements.len() + 1)),
            Value::String(text) => {
                let cut = text.char_indices().nth(other % (text.len() + 1)).map(|(at, _)| at);
                cut.iter().for_each(|at| text.truncate(*at));
            }
            _ => {}
        },
        _ => match target {
            Value::Object(members) => {
                members.insert(format!("{MARK} name {other}"), copy);
            }
            Value::Array(elements) => elements.push(copy),
            value => *value = Value::Array(vec![value.clone(), copy]),
        },
    }
}

/// How many values there are in the tree, itself included.
fn nodes(tree: &Value) -> usize {
    1 + match tree {
        Value::Array(elements) => elements.iter().map(nodes).sum(),
        Value::Object(members) => members.values().map(nodes).sum(),
        _ => 0,
    }
}

/// The value with this number, counted from the root down; the root if there are fewer.
fn node(tree: &mut Value, number: usize) -> &mut Value {
    if number == 0 {
        return tree;
    }
    let mut left = number - 1;
    let below: Vec<&mut Value> = match tree {
        Value::Array(elements) => elements.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in below {
        let inside = nodes(child);
        if left < inside {
            return node(child, left);
        }
        left -= inside;
    }
    panic!("the number is below the count");
}
