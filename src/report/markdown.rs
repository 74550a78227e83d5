//! Foreign text in Markdown: it can make no heading, no link, no image, no HTML and no mention.
//!
//! Facts about the grammar: CommonMark 0.31 (backslash escapes, code spans) and GitHub's extension of it,
//! which makes links of bare addresses and mails, also of escaped ones. Only a code span is safe from that.

use crate::text::{kept_within, shown};

/// The longest foreign text that the report shows: it is one document, and short.
const MOST_CHARS: usize = 400;

/// A sentence that is ours, or quotes others, or is foreign: as inline text that begins a block or
/// stands within one.
pub(super) fn text(foreign: &str) -> String {
    let whole = shown(&kept_within(foreign.trim(), MOST_CHARS));
    let words = whole.split(' ').map(|word| {
        // What ends our sentence is no part of the address.
        let address = word.trim_end_matches(['.', ',', ':', ';']);
        if may_be_linked(address) { span(address) + &word[address.len()..] } else { escaped(word) }
    });
    let mut text = words.collect::<Vec<_>>().join(" ");
    if let Some(at) = opens_a_block(&text) {
        text.insert(at, '\\');
    }
    // In braces at a heading's end some readers find its attributes.
    if text.ends_with('}') {
        text.insert(text.len() - 1, '\\');
    }
    text
}

/// A name, an address or a request, as it is.
pub(super) fn code(foreign: &str) -> String {
    let whole = shown(&kept_within(foreign.trim(), MOST_CHARS));
    if whole.is_empty() { "(empty)".to_owned() } else { span(&whole) }
}

/// What GitHub would make a link or a mention of, by itself.
fn may_be_linked(word: &str) -> bool {
    let lower = word.to_lowercase();
    ["://", "www", "@"].iter().any(|mark| lower.contains(mark))
}

/// A code span whose fence is longer than every run of backticks in it.
fn span(word: &str) -> String {
    let longest = word.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if word.starts_with('`') || word.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{word}{pad}{fence}")
}

fn escaped(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut before = None;
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        let within_a_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let marks = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '^' | '$' | '&' | '#' => true,
            // `http_requests_total` emphasises nothing, and is read better without.
            '_' => !(within_a_word(before) && within_a_word(rest.peek().copied())),
            _ => false,
        };
        if marks {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    out
}

/// Where a backslash has to stand so that the text opens no list, and underlines no heading above it.
fn opens_a_block(text: &str) -> Option<usize> {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let mut rest = text[digits..].chars();
    match (digits, rest.next(), rest.next()) {
        (0, Some('-' | '+' | '='), _) => Some(0),
        (1.., Some('.' | ')'), None | Some(' ')) => Some(digits),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_marks_something_up_is_escaped_and_names_stay_readable() {
        for (foreign, expected) in [
            (
                "P95 0.42 s (limit 0.4) in http_requests_total",
                "P95 0.42 s (limit 0.4) in http_requests_total",
            ),
            ("# Heading", "\\# Heading"),
            ("[safe](x)", "\\[safe\\](x)"),
            ("![i](x)", "!\\[i\\](x)"),
            ("<b>&lt;", "\\<b\\>\\&lt;"),
            ("_all_ **is** ~~well~~", "\\_all\\_ \\*\\*is\\*\\* \\~\\~well\\~\\~"),
            ("- [ ] done", "\\- \\[ \\] done"),
            ("1. first", "1\\. first"),
            ("12) twelfth", "12\\) twelfth"),
            ("=== under", "\\=== under"),
            ("0.42 is no list", "0.42 is no list"),
            ("a\n# Heading", "a\\\\n\\# Heading"),
        ] {
            assert_eq!(text(foreign), expected);
        }
    }

    #[test]
    fn addresses_mails_and_mentions_are_code_and_no_fence_can_be_closed_from_inside() {
        for (foreign, expected) in [
            ("see https://evil.example/x now", "see `https://evil.example/x` now"),
            ("by ada@example.org: WWW.evil.example.", "by `ada@example.org`: `WWW.evil.example`."),
            ("@org/team", "`@org/team`"),
            ("`](http://x)`", "`` `](http://x)` ``"),
            ("a``b@c", "```a``b@c```"),
        ] {
            assert_eq!(text(foreign), expected);
        }
        assert_eq!(code("a | b"), "`a | b`");
        assert_eq!(code(" "), "(empty)");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut() {
        let long = "x".repeat(MOST_CHARS + 1);
        assert!(text(&long).ends_with("x… (401 bytes)"), "{}", text(&long));
    }
}
