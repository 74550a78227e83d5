//! Slack's notation, in which everything foreign is only text: no mention, no link, no code.

use chrono::{DateTime, Utc};
use reqwest::Url;

use crate::notification::{Line, Piece};

/// What stands where a text was cut.
const CUT: char = '…';

/// The longest link. A longer one is none that a person made, and would leave no room for the others.
const MAX_URL_CHARS: usize = 500;

/// A text that is built up to a limit, piece by piece, so that no escape or date is cut in the middle.
#[derive(Debug)]
pub(super) struct Fitted {
    text: String,
    /// Characters that still fit, one kept back for the mark of a cut.
    left: usize,
    is_cut: bool,
}

impl Fitted {
    /// An empty text that will not be longer than so many characters.
    pub(super) fn within(max_chars: usize) -> Self {
        Self { text: String::new(), left: max_chars.saturating_sub(1), is_cut: false }
    }

    /// Adds what is Slack's notation already, whole or not at all.
    pub(super) fn raw(mut self, notation: &str) -> Self {
        let chars = notation.chars().count();
        if self.is_cut || chars > self.left {
            return self.cut();
        }
        self.left -= chars;
        self.text.push_str(notation);
        self
    }

    /// Adds a text. Slack's three control characters are escaped, or a label could ping a channel; a
    /// backtick would open or close code.
    pub(super) fn text(mut self, text: &str) -> Self {
        for c in text.chars() {
            let mut buffer = [0; 4];
            let escaped = match c {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '`' => "'",
                _ => c.encode_utf8(&mut buffer),
            };
            self = self.raw(escaped);
            if self.is_cut {
                break;
            }
        }
        self
    }

    /// Adds a line; its times are shown in the reader's own zone.
    pub(super) fn line(mut self, line: &Line) -> Self {
        for piece in &line.0 {
            self = match piece {
                Piece::Text(text) => self.text(text),
                Piece::Time(at) => self.raw(&time(*at)),
            };
        }
        self
    }

    fn cut(mut self) -> Self {
        if !self.is_cut {
            self.is_cut = true;
            self.text.push(CUT);
        }
        self
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// A text of at most so many characters.
pub(super) fn escaped(text: &str, max_chars: usize) -> String {
    Fitted::within(max_chars).text(text).into_text()
}

/// A time, with what is shown where Slack can't show one.
fn time(at: DateTime<Utc>) -> String {
    format!("<!date^{}^{{time_secs}}|{}>", at.timestamp(), at.format("%H:%M:%S UTC"))
}

/// A link, if the address is one: an annotation can hold anything. What could end the link early is
/// percent-encoded.
pub(super) fn link(address: &str, label: &str) -> Option<String> {
    let is_plain = address.len() <= MAX_URL_CHARS && address.chars().all(|c| c.is_ascii_graphic());
    let url = Url::parse(address).ok().filter(|url| is_plain && ["http", "https"].contains(&url.scheme()))?;
    let url = url.as_str().replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
    Some(format!("<{url}|{label}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_pings_nobody_links_nowhere_and_opens_no_code() {
        assert_eq!(escaped("<!channel> & <@U1>", 100), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(escaped("`rm` ```x", 100), "'rm' '''x");
    }

    #[test]
    fn a_text_is_cut_between_characters_and_never_inside_an_escape_or_a_date() {
        assert_eq!(escaped("abcdef", 6), "abcde…", "one is kept back");
        assert_eq!(escaped("<<<", 10), "&lt;&lt;…");
        assert_eq!(escaped("çççç", 4), "ççç…");
        let line = Line(vec![Piece::Text("at ".to_owned()), Piece::Time(DateTime::UNIX_EPOCH)]);
        let full = Fitted::within(100).line(&line).into_text();
        assert_eq!(full, "at <!date^0^{time_secs}|00:00:00 UTC>");
        assert_eq!(Fitted::within(20).line(&line).into_text(), "at …");
        assert_eq!(Fitted::within(20).line(&line).text("more").into_text(), "at …", "nothing follows a cut");
    }

    #[test]
    fn a_link_is_made_of_an_address_and_of_nothing_else() {
        let made = |address: &str| link(address, "Runbook");
        assert_eq!(
            made("https://a.example/r?x=1&y=2#z"),
            Some("<https://a.example/r?x=1&amp;y=2#z|Runbook>".to_owned())
        );
        assert_eq!(made("https://a.example/a|b"), Some("<https://a.example/a%7Cb|Runbook>".to_owned()));
        let long = format!("https://a.example/{}", "x".repeat(500));
        for address in
            ["javascript:alert(1)", "runbooks/x.md", "https://a.example/ b", "https://a.example/…", &long]
        {
            assert_eq!(made(address), None, "{address}");
        }
    }
}
