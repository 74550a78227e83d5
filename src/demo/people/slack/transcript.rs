//! A channel as lines of text: what people saw, in the order in which they saw it.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::mrkdwn::plain;
use super::workspace::{Channel, Post, Version, Workspace};
use crate::text::shown;

/// The width that a reply is moved to the right.
const INDENT: &str = "    ";

/// The whole channel; every text in it is harmless to a terminal.
pub(super) fn of(channel: &Channel, workspace: &Workspace) -> String {
    let mut out = format!("#{}\n", shown(&channel.name));
    let page = Page { channel, workspace };
    for thread in channel.threads() {
        out.push('\n');
        page.post(&mut out, &thread.root, "");
        for (_, lines) in page.below(&thread.root.ts, &thread.replies) {
            out.push_str(&lines);
        }
    }
    out
}

struct Page<'a> {
    channel: &'a Channel,
    workspace: &'a Workspace,
}

impl Page<'_> {
    /// What happened in a thread, by time: replies, presses, what only one person saw.
    fn below(&self, root: &str, replies: &[Post]) -> Vec<(DateTime<Utc>, String)> {
        let mut all: Vec<(DateTime<Utc>, String)> = Vec::new();
        for reply in replies {
            let mut lines = String::new();
            self.post(&mut lines, reply, INDENT);
            all.push((reply.versions.first().map_or(reply.current().at, |first| first.at), lines));
        }
        let is_here = |ts: &str| ts == root || replies.iter().any(|reply| reply.ts == ts);
        for press in self.channel.presses.iter().filter(|press| is_here(&press.ts)) {
            let who = shown(self.workspace.user_name(&press.user));
            let time = clock(press.at);
            all.push((press.at, format!("{INDENT}{time}  {who} presses [{}]\n", shown(&press.text))));
        }
        for seen in &self.channel.ephemerals {
            if seen.thread_ts.as_deref() == Some(root) {
                let who = shown(self.workspace.user_name(&seen.user));
                let mut lines = format!("{INDENT}{}  Backstop, to {who} only\n", clock(seen.at));
                self.text(&mut lines, &seen.text, &format!("{INDENT}  "));
                all.push((seen.at, lines));
            }
        }
        all.sort_by_key(|(at, _)| *at);
        all
    }

    fn post(&self, out: &mut String, post: &Post, indent: &str) {
        let current = post.current();
        let posted = post.versions.first().unwrap_or(current);
        let who = shown(self.workspace.user_name(&post.user));
        let _infallible = write!(out, "{indent}{}  {who}", clock(posted.at));
        if post.is_broadcast {
            out.push_str(", also to the channel");
        }
        if post.is_edited() {
            let _infallible = write!(out, " (edited {})", clock(current.at));
        }
        out.push('\n');
        self.version(out, current, &format!("{indent}  "));
    }

    fn version(&self, out: &mut String, version: &Version, indent: &str) {
        if version.blocks.is_empty() {
            self.text(out, &version.text, indent);
        }
        for block in &version.blocks {
            self.block(out, block, indent);
        }
    }

    fn block(&self, out: &mut String, block: &Value, indent: &str) {
        match block["type"].as_str().unwrap_or_default() {
            "divider" => {
                let _infallible = writeln!(out, "{indent}----");
            }
            "actions" | "context" => {
                let parts = items(&block["elements"]).iter().map(|element| self.element(element));
                self.text_raw(out, &parts.collect::<Vec<_>>().join("  "), indent);
            }
            kind => {
                if let Some(text) = block["text"]["text"].as_str() {
                    self.text(out, text, indent);
                }
                for field in items(&block["fields"]) {
                    self.text(out, field["text"].as_str().unwrap_or_default(), indent);
                }
                if block["accessory"].is_object() {
                    self.text_raw(out, &self.element(&block["accessory"]), indent);
                }
                if block["text"].is_null() && block["fields"].is_null() {
                    let _infallible = writeln!(out, "{indent}({})", shown(kind));
                }
            }
        }
    }

    fn element(&self, element: &Value) -> String {
        match element["type"].as_str().unwrap_or_default() {
            "button" => format!("[{}]", element["text"]["text"].as_str().unwrap_or_default()),
            "image" => format!("({})", element["alt_text"].as_str().unwrap_or_default()),
            _ => plain(element["text"].as_str().unwrap_or_default(), self.workspace),
        }
    }

    fn text(&self, out: &mut String, text: &str, indent: &str) {
        self.text_raw(out, &plain(text, self.workspace), indent);
    }

    #[expect(clippy::unused_self, reason = "one of a row")]
    fn text_raw(&self, out: &mut String, text: &str, indent: &str) {
        for line in text.lines() {
            let _infallible = writeln!(out, "{indent}{}", shown(line));
        }
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%S").to_string()
}
