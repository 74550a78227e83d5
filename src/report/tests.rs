//! What the reports of whole incidents say, and that no text in them can say something else.

mod courses;
mod questions;
mod stories;

use std::path::PathBuf;

use proptest::prelude::*;
use pulldown_cmark::{Event as Marked, Options, Parser, Tag, TagEnd};

use super::{PLACEHOLDERS, Report, Template};
use crate::incident::{
    AttachedAlert, ChannelName, CheckOutcome, Event, MessageOutcome, NoticeFact, Reason, References,
    Repeated, Revision, Severity, StepOutcome, Verdict,
};
use courses::{cancelled, critical, failed, superseded};
use stories::{Foreign, SLACK, Story, at};

/// Compares with the file, or writes it: `UPDATE_REPORTS=1 cargo test --lib report`.
fn is_as_in(name: &str, rendered: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/reports", name].iter().collect();
    if std::env::var_os("UPDATE_REPORTS").is_some() {
        std::fs::write(&path, rendered).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(rendered == expected, "{} is not what is rendered now:\n{rendered}", path.display());
}

fn compared(name: &str, story: &Story) {
    let report = Report::of(&story.incident);
    is_as_in(&format!("{name}.md"), &report.markdown(&Template::default()));
    is_as_in(&format!("{name}.json"), &report.json());
}

#[test]
fn a_critical_that_was_rolled_back_and_verified() {
    compared("critical", &critical(&Foreign::default()));
}

#[test]
fn a_warning_that_went_away_in_its_grace() {
    compared("cancelled", &cancelled(&Foreign::default()));
}

#[test]
fn a_rollback_that_failed_and_was_closed_by_a_person() {
    compared("failed", &failed(&Foreign::default()));
}

#[test]
fn a_grace_that_another_revision_ended() {
    compared("superseded", &superseded(&Foreign::default()));
}

#[test]
fn hostile_texts() {
    let texts = Foreign {
        actor: "ada](https://evil.example)".to_owned(),
        words: "x\n# All is well\n[runbook](https://evil.example)".to_owned(),
        alert: "# Safe: _yes_ <script>alert(1)</script>".to_owned(),
        description: "![logo](http://evil.example/p.png) | @oncall | www.evil.example".to_owned(),
        threshold: "`3 %` ``".to_owned(),
        runbook: "https://evil.example/`](x)".to_owned(),
        revision: "{{title}} **v1.4.0**".to_owned(),
        answer: "</details> &lt; ~~~ \u{1b}[2J\u{202e}".to_owned(),
        error: "- [x] done\r\n===".to_owned(),
        file: "rollback`.txt".to_owned(),
    };
    compared("hostile", &failed(&texts));
}

fn is_inline(end: TagEnd) -> bool {
    matches!(
        end,
        TagEnd::Emphasis
            | TagEnd::Strong
            | TagEnd::Strikethrough
            | TagEnd::Superscript
            | TagEnd::Subscript
            | TagEnd::Link
            | TagEnd::Image
    )
}

/// The tags of a document in their order, and the text that is no code.
fn marked(markdown: &str) -> (Vec<String>, String) {
    let (mut tags, mut text) = (Vec::new(), String::new());
    for event in Parser::new_ext(markdown, Options::all()) {
        match event {
            Marked::Start(tag @ (Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)) => {
                tags.push(format!("FORGED {tag:?}"));
            }
            Marked::Start(tag) => tags.push(format!("{tag:?}")),
            Marked::Html(html) | Marked::InlineHtml(html) => tags.push(format!("FORGED {html}")),
            Marked::Text(piece) => text.push_str(&piece),
            Marked::SoftBreak | Marked::HardBreak => text.push('\n'),
            Marked::TaskListMarker(done) => tags.push(format!("task {done}")),
            Marked::FootnoteReference(name) => tags.push(format!("FORGED {name}")),
            Marked::InlineMath(math) | Marked::DisplayMath(math) => tags.push(format!("FORGED {math}")),
            // One block's end and the next one's beginning are no text: together they forge nothing.
            Marked::End(end) if !is_inline(end) => text.push('\n'),
            Marked::Code(_) | Marked::End(_) | Marked::Rule => {}
        }
    }
    (tags, text)
}

/// A text may make code of itself and nothing else.
fn forges_nothing(text: &str) {
    for story in [critical, cancelled, failed, superseded] {
        let of =
            |foreign: &Foreign| marked(&Report::of(&story(foreign).incident).markdown(&Template::default()));
        let ((tags, _), (honest, _)) = (of(&Foreign::all(text)), of(&Foreign::all("harmless")));
        let differs = tags.iter().zip(&honest).find(|(tag, honest)| tag != honest);
        assert!(differs.is_none() && tags.len() == honest.len(), "{text:?} makes {differs:?}");
        let (_, shown) = of(&Foreign::all(text));
        let lower = shown.to_lowercase();
        assert!(!["://", "www.", "@"].iter().any(|mark| lower.contains(mark)), "{text:?} in {shown}");
    }
}

#[test]
fn no_text_forges_a_heading_a_link_a_list_or_html() {
    for text in [
        "# x",
        "x\n# y",
        "[a](b)",
        "![a](b)",
        "<b>x</b>",
        "<!-- ",
        "https://evil.example",
        "www.evil.example",
        "a@b.c",
        "- x",
        "1. x",
        "> x",
        "=== ",
        "---",
        "***",
        "`",
        "``x`",
        "```\nx",
        "|a|b|",
        "&lt;b&gt;",
        "[x]: http://evil",
        "\\[a](b)",
        "\\",
        "$x$",
        "$$x$$",
        "~~x~~",
        "[^1]",
        "__x__",
        "*x*",
        "\u{2028}# x",
        "{{title}}",
        "<https://x>",
        "mailto:a@b.c",
        "x `a @b",
        "\u{a0}# x",
        "#",
        "+",
        "1)",
        ":::",
        "[ ] x",
        "+++",
        "^x^",
        "![[x]]",
        "~x~",
        "https\\://x",
        "x\\`@y`[a](b)",
        "a  \nb",
        "x\t# y",
        "/x:/",
        "x {:1}",
        "{#x .y}",
        "{:1}",
    ] {
        forges_nothing(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_forges_anything(text in "[-a# \\n\\[\\]()<>`*_~|@:/.1+=&!\\\\$^{}]{1,24}") {
        // What is blank leaves nothing to show.
        prop_assume!(!text.trim().is_empty());
        forges_nothing(&text);
    }
}

#[test]
fn every_placeholder_is_filled_in_every_report() {
    for story in [critical, cancelled, failed, superseded] {
        let report = Report::of(&story(&Foreign::default()).incident);
        for name in PLACEHOLDERS {
            let template = Template::parse(&format!("{{{{{name}}}}}")).expect("a template");
            assert!(!report.markdown(&template).trim().is_empty(), "{name}");
        }
        let whole = report.markdown(&Template::default());
        assert!(!whole.contains("{{") && !whole.contains("\n\n\n"), "{whole}");
    }
}

#[test]
fn the_spans_of_a_post_mortem_are_from_start_over_receipt_decision_and_act_to_the_verdict() {
    let json = |story: &Story| {
        serde_json::from_str::<serde_json::Value>(&Report::of(&story.incident).json()).expect("JSON")
    };
    let spans = |value: &serde_json::Value| {
        ["detect_seconds", "decide_seconds", "act_seconds", "verify_seconds"]
            .map(|name| value["times"][name].as_f64())
    };
    let foreign = Foreign::default();
    let rolled_back = json(&critical(&foreign));
    assert_eq!(spans(&rolled_back), [Some(0.8), Some(0.01), Some(0.032), Some(3.158)]);
    let impact = &rolled_back["impact"];
    assert_eq!((&impact["share_percent"], impact["at_most_seconds"].as_f64()), (&25.into(), Some(0.85)));
    assert_eq!(rolled_back["schema_version"], 1);
    let by_hand = json(&failed(&foreign));
    assert_eq!(spans(&by_hand), [None, Some(0.0), None, None], "a person was no alert");
    assert_eq!(by_hand["impact"]["until_what"], "unknown");
    assert_eq!(spans(&json(&cancelled(&foreign))), [Some(0.8), None, None, None]);
}

#[test]
fn the_share_at_stake_and_when_it_was_read_are_of_one_reading_and_nothing_is_made_of_a_late_one() {
    let foreign = Foreign::default();
    let impact = |decided: Option<u8>, before: [Option<u8>; 2]| {
        let mut story = Story::of_person(&foreign, decided);
        // As older versions stored it: the time of the reading that failed.
        story.incident.opened.share_read_at = Some(at(400));
        story.begins(810);
        for (share, milliseconds) in before.into_iter().zip([1_000, 61_000]) {
            story.share_before = share;
            story.step(milliseconds, StepOutcome::Failed, None);
        }
        let report = Report::of(&story.incident);
        let markdown = report.markdown(&Template::parse("{{impact}}").expect("a template"));
        let said = (report.impact.share_percent, report.impact.share_read_at);
        assert_eq!(markdown.contains("The share was read at"), said.1.is_some(), "{markdown}");
        assert_eq!(markdown.contains("At most"), said.0.is_some(), "{markdown}");
        said
    };
    for (decided, before, expected) in [
        (Some(25), [None, None], (Some(25), Some(at(400)))),
        (Some(25), [Some(25), Some(0)], (Some(25), Some(at(400)))),
        (Some(5), [Some(25), None], (Some(25), Some(at(1_000)))),
        (Some(5), [Some(5), Some(25)], (Some(25), Some(at(61_000)))),
        (None, [Some(25), Some(5)], (Some(25), Some(at(1_000)))),
        (None, [None, Some(25)], (None, None)),
        (None, [None, Some(0)], (None, None)),
        (None, [Some(0), None], (None, None)),
        (None, [None, None], (None, None)),
    ] {
        assert_eq!(impact(decided, before), expected, "{decided:?} {before:?}");
    }
}

#[test]
fn a_storm_of_alerts_and_retries_is_still_one_short_document() {
    let foreign = Foreign::default();
    let mut story = Story::of_alert(&foreign, Severity::Critical, Some(25));
    for number in 0..500 {
        let alert = crate::incident::fixtures::firing(
            &format!("f{number:015x}"),
            &[("alertname", "Storm"), ("severity", "critical")],
            at(900),
        );
        let attached =
            AttachedAlert { alert, received_at: at(900), reason: Reason::RollbackRunning, body: None };
        story.tell(900, Event::AlertAttached(attached));
    }
    story.begins(810);
    for number in 0..300 {
        story.step(1_000 + number * 60_000, StepOutcome::Failed, None);
    }
    let report = Report::of(&story.incident);
    let markdown = report.markdown(&Template::default());
    assert!(markdown.lines().count() < 250, "{} lines", markdown.lines().count());
    assert!(markdown.contains("… and ") && markdown.contains("entries are not in this report"), "{markdown}");
    assert_eq!(report.alerts.len(), 501, "JSON has them all");
    let unread =
        report.messages.iter().flat_map(|message| &message.channels).any(|told| told.channel == SLACK);
    assert!(unread);
}
