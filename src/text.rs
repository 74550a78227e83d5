//! Foreign text on its way to a person: labels, annotations, answers, names, reasons.
//!
//! Whoever can make an alert fire chooses these texts. Shown as they come, a line break forges a
//! line of evidence, an escape sequence steers a terminal, a bidirectional control turns a sentence
//! round, and a text of megabytes buries all others. So each passes through [`shown`] where it meets
//! a person, and through [`kept`] where it is stored.

use std::fmt::Write;

/// The longest foreign text that a person is shown on one line: annotations have no limit at their
/// source.
pub const MAX_SHOWN_CHARS: usize = 2_000;

/// The longest text of an answer or an error that is stored or logged.
pub const MAX_KEPT_CHARS: usize = 512;

/// A foreign text for one line of a terminal, a log or evidence: what could end the line, steer a
/// terminal, reorder or hide letters is escaped as `\u{…}`, and what is too long is cut, with the
/// whole length beside it.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_SHOWN_CHARS));
    for (count, c) in text.chars().enumerate() {
        if count == MAX_SHOWN_CHARS {
            let _infallible = write!(out, "… (cut, {} bytes in all)", text.len());
            break;
        }
        if is_harmless(c) { out.push(c) } else { out.extend(c.escape_default()) }
    }
    out
}

/// A foreign text as it is stored: trimmed, and cut to [`MAX_KEPT_CHARS`].
#[must_use]
pub fn kept(text: &str) -> String {
    kept_within(text.trim(), MAX_KEPT_CHARS)
}

/// A foreign text of at most so many characters, with the whole length beside it if it was cut.
#[must_use]
pub fn kept_within(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// Whether a character only shows itself. The standard library's own notion of what is printable
/// leaves out every control and format character (Unicode's Cc, Cf, Zl, Zp and unassigned ones), so
/// that a list of ours needn't follow Unicode. A letter stands before it, because marks that combine
/// with one are printable only so, and names in many languages need them.
fn is_harmless(c: char) -> bool {
    let after_a_letter: String = ['x', c].iter().collect();
    matches!(c, '"' | '\'' | '\\') || after_a_letter.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_line_steers_a_terminal_or_turns_letters_round_is_escaped() {
        for (text, expected) in [
            ("a\nTriggered By: the boss", "a\\nTriggered By: the boss"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{202e}b\u{2066}c\u{200f}d\u{061c}", "a\\u{202e}b\\u{2066}c\\u{200f}d\\u{61c}"),
            ("\u{2028}\u{2029}\u{85}\u{9b}", "\\u{2028}\\u{2029}\\u{85}\\u{9b}"),
            ("hidden\u{200b}\u{feff}\u{e0041}", "hidden\\u{200b}\\u{feff}\\u{e0041}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn letters_of_every_language_quotes_and_backslashes_stay_as_they_are() {
        for text in ["Gecikme yüksek: işlem 5 %", "e\u{301}te", "क्या", "a\"b'c\\d", "召集 ✅"] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_says_how_long_it_was() {
        let long = "x".repeat(MAX_SHOWN_CHARS + 1);
        assert!(shown(&long).ends_with("x… (cut, 2001 bytes in all)"), "{}", shown(&long));
        assert_eq!(shown(&long[1..]), &long[1..]);
        assert!(kept(&long).len() < MAX_KEPT_CHARS + 40 && kept("  short ") == "short");
    }
}
