//! The few colours. What has none says the same: colour only helps to find it.

use anstyle::{AnsiColor, Style};

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

pub(super) fn bold(text: &str) -> String {
    styled(Style::new().bold(), text)
}

/// Needs a person now.
pub(super) fn alarm(text: &str) -> String {
    styled(AnsiColor::Red.on_default().bold(), text)
}

/// Worth a look, but nobody has to act yet.
pub(super) fn warning(text: &str) -> String {
    styled(AnsiColor::Yellow.on_default(), text)
}

pub(super) fn good(text: &str) -> String {
    styled(AnsiColor::Green.on_default(), text)
}
