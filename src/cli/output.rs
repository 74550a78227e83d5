//! The only place that prints.

use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;

use super::Outcome;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For tools.
    Json,
}

/// Prints data on stdout. A reader that went away (`| head`) is no error.
pub(super) fn print(text: impl AsRef<str>) {
    // Without a terminal, or with NO_COLOR, styles are taken out.
    let mut stdout = anstream::stdout().lock();
    let _reader_gone = writeln!(stdout, "{}", text.as_ref().trim_end_matches('\n'));
}

/// Prints progress on stderr.
pub(super) fn progress(text: impl AsRef<str>) {
    let mut stderr = std::io::stderr().lock();
    let _reader_gone = writeln!(stderr, "{}", text.as_ref());
}

/// Prints data as JSON on stdout.
pub(super) fn print_json(data: &impl Serialize) {
    match serde_json::to_string_pretty(data) {
        Ok(text) => print(text),
        Err(error) => progress(format!("error: can't be printed as JSON: {error}")),
    }
}

/// Prints an error and returns the outcome.
pub(super) fn fail(error: impl std::fmt::Display, outcome: Outcome) -> Outcome {
    progress(format!("error: {error}"));
    outcome
}

/// Prints a shell's completions.
pub(super) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "backstop", &mut script);
    print(String::from_utf8_lossy(&script));
    Outcome::Done
}
