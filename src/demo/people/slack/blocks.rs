//! What Slack refuses of blocks (docs.slack.dev, "Block Kit": each block's and element's page; the
//! total is from bolt-js issue 2509).

use serde_json::{Value, json};

use super::Refusal;

const MAX_BLOCKS: usize = 50;
/// Of all texts together; a little more is refused as `msg_blocks_too_long`.
const MAX_CHARS: usize = 13_000;

/// Blocks that a message may have. `alert` is for modals only.
const TYPES: [&str; 16] = [
    "actions",
    "card",
    "carousel",
    "context",
    "context_actions",
    "data_visualization",
    "divider",
    "file",
    "header",
    "image",
    "markdown",
    "plan",
    "rich_text",
    "section",
    "table",
    "video",
];

/// Refuses what Slack would, with the places that are wrong.
pub(super) fn check(blocks: &[Value]) -> Result<(), Refusal> {
    let mut problems = Problems::default();
    if blocks.len() > MAX_BLOCKS {
        problems.add(&format!("no more than {MAX_BLOCKS} items allowed"), "/blocks");
    }
    for (index, block) in blocks.iter().enumerate() {
        problems.block(block, &format!("/blocks/{index}"));
    }
    problems.repeated(blocks, "block_id", "/blocks");
    if !problems.0.is_empty() {
        let more = json!({ "errors": problems.0, "response_metadata": { "messages": problems.messages() } });
        return Err(Refusal { error: "invalid_blocks", more });
    }
    if blocks.iter().map(chars).sum::<usize>() > MAX_CHARS {
        return Err("msg_blocks_too_long".into());
    }
    Ok(())
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, what: &str, place: &str) {
        self.0.push(format!("{what} [json-pointer:{place}]"));
    }

    fn messages(&self) -> Vec<String> {
        self.0.iter().map(|problem| format!("[ERROR] {problem}")).collect()
    }

    fn block(&mut self, block: &Value, place: &str) {
        let kind = block["type"].as_str().unwrap_or_default();
        if !TYPES.contains(&kind) {
            return self.add(&format!("unsupported type: {kind}"), &format!("{place}/type"));
        }
        self.within(&block["block_id"], 255, &format!("{place}/block_id"));
        match kind {
            "header" => self.text(&block["text"], 150, true, &format!("{place}/text")),
            "section" => self.section(block, place),
            "actions" => {
                self.count(&block["elements"], 1, 25, &format!("{place}/elements"));
                for (index, element) in items(&block["elements"]).iter().enumerate() {
                    self.element(element, &format!("{place}/elements/{index}"));
                }
                self.repeated(items(&block["elements"]), "action_id", &format!("{place}/elements"));
            }
            "context" => {
                self.count(&block["elements"], 1, 10, &format!("{place}/elements"));
                for (index, element) in items(&block["elements"]).iter().enumerate() {
                    if element["type"] != "image" {
                        self.text(element, 3_000, false, &format!("{place}/elements/{index}"));
                    }
                }
            }
            _ => {}
        }
    }

    fn section(&mut self, block: &Value, place: &str) {
        if block["text"].is_null() && block["fields"].is_null() {
            self.add("must provide either text or fields", place);
        }
        if !block["text"].is_null() {
            self.text(&block["text"], 3_000, false, &format!("{place}/text"));
        }
        if !block["fields"].is_null() {
            self.count(&block["fields"], 1, 10, &format!("{place}/fields"));
        }
        for (index, field) in items(&block["fields"]).iter().enumerate() {
            self.text(field, 2_000, false, &format!("{place}/fields/{index}"));
        }
        if !block["accessory"].is_null() {
            self.element(&block["accessory"], &format!("{place}/accessory"));
        }
    }

    fn element(&mut self, element: &Value, place: &str) {
        self.within(&element["action_id"], 255, &format!("{place}/action_id"));
        if element["type"] != "button" {
            return;
        }
        self.text(&element["text"], 75, true, &format!("{place}/text"));
        self.within(&element["value"], 2_000, &format!("{place}/value"));
        self.within(&element["url"], 3_000, &format!("{place}/url"));
        if !matches!(element["style"].as_str(), None | Some("primary" | "danger")) {
            self.add("unsupported style", &format!("{place}/style"));
        }
        let confirm = &element["confirm"];
        if confirm.is_object() {
            for (name, most, is_plain) in
                [("title", 100, true), ("text", 300, false), ("confirm", 30, true), ("deny", 30, true)]
            {
                self.text(&confirm[name], most, is_plain, &format!("{place}/confirm/{name}"));
            }
        }
    }

    fn text(&mut self, text: &Value, most: usize, is_plain: bool, place: &str) {
        let kind = text["type"].as_str().unwrap_or_default();
        if kind != "plain_text" && (is_plain || kind != "mrkdwn") {
            self.add("unsupported type of text", &format!("{place}/type"));
        }
        if text["text"].as_str().is_none_or(str::is_empty) {
            self.add("must be more than 0 characters", &format!("{place}/text"));
        }
        self.within(&text["text"], most, &format!("{place}/text"));
    }

    fn within(&mut self, text: &Value, most: usize, place: &str) {
        if text.as_str().is_some_and(|text| text.chars().count() > most) {
            self.add(&format!("must be less than {} characters", most + 1), place);
        }
    }

    fn count(&mut self, list: &Value, least: usize, most: usize, place: &str) {
        let count = items(list).len();
        if count < least || count > most {
            self.add(&format!("must have {least} to {most} items"), place);
        }
    }

    fn repeated(&mut self, list: &[Value], name: &str, place: &str) {
        let mut names: Vec<&str> = list.iter().filter_map(|item| item[name].as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.add(&format!("{name} is used twice"), place);
        }
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The characters of every text within.
fn chars(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(chars).sum(),
        Value::Object(members) => {
            let own = members.get("text").and_then(Value::as_str).map_or(0, |text| text.chars().count());
            own + members.values().map(chars).sum::<usize>()
        }
        _ => 0,
    }
}
