//! The only place that prints.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde::Serialize;

use super::Outcome;

/// The format of data on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

/// Set once data could not be written: the exit code must not say "done" then.
static DATA_LOST: AtomicBool = AtomicBool::new(false);

/// Prints data on stdout, and waits for its reader. A reader that went away (`| head`) is no error.
pub(super) fn print(text: impl AsRef<str>) {
    // anstream removes styles without a terminal and with NO_COLOR.
    let mut stdout = anstream::stdout().lock();
    let written = writeln!(stdout, "{}", text.as_ref().trim_end_matches('\n'));
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            if !DATA_LOST.swap(true, Ordering::Relaxed) {
                progress(format!("error: the output can't be written: {error}"));
            }
        }
        Ok(()) | Err(_) => {}
    }
}

/// Whether all data that was to be printed could be.
pub(super) fn is_data_complete() -> bool {
    !DATA_LOST.load(Ordering::Relaxed)
}

/// Prints progress on stderr. It never waits: a terminal that is stopped, or a pipe that nobody
/// reads, must not hold up a rollback.
pub(super) fn progress(text: impl AsRef<str>) {
    crate::logging::line(text.as_ref());
}

pub(super) fn print_json(data: &impl Serialize) {
    match serde_json::to_string_pretty(data) {
        Ok(text) => print(text),
        Err(error) => progress(format!("error: can't be printed as JSON: {error}")),
    }
}

pub(super) fn fail(error: impl std::fmt::Display, outcome: Outcome) -> Outcome {
    progress(format!("error: {error}"));
    outcome
}

pub(super) fn completions(shell: clap_complete::Shell, command: &mut clap::Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "backstop", &mut script);
    print(String::from_utf8_lossy(&script));
    Outcome::Done
}
