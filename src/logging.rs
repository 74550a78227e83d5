//! Logs: one line per event, readable alone, with fields to filter by. Secrets have no way in: their
//! type can't be printed.
//!
//! A log must not be able to stop what it reports. So nobody writes to stderr but one thread of
//! `stderr`, over a queue that never blocks; what finds no room is lost and counted, and what
//! repeats too often is left out and counted.

mod events;
#[cfg(test)]
pub(crate) mod fixtures;
mod json;
mod limiter;
mod stderr;

use std::error::Error;
use std::io::IsTerminal;
use std::time::Duration;

use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

pub use events::stored;
pub use stderr::line;

/// The longest that the end of the process waits for its last lines to be read. A pipe that nobody
/// reads must not keep it.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Lines that are in no log, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostLines {
    /// stderr was not read fast enough.
    pub overflowed: u64,
    /// stderr could not be written: a full disk, a pipe whose reader is gone.
    pub unwritable: u64,
    /// Left out because the same line came too often.
    pub repeated: u64,
}

/// Starts logging to stderr: JSON for machines, plain text on a terminal. `RUST_LOG` filters.
pub fn start() {
    // kube's own line on a failed call names neither the call nor what comes of it; ours do.
    let default = || EnvFilter::new("info,kube_client::client::builder=off");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default());
    // An error of the writer would be printed by `eprintln!`, which panics where stderr is closed.
    let lines =
        tracing_subscriber::fmt::layer().with_writer(stderr::LineWriter::new).log_internal_errors(false);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        lines.fmt_fields(JsonFields::new()).event_format(json::Flat).boxed()
    };
    // A second start (in tests) keeps the first logger.
    let _already_started =
        tracing_subscriber::registry().with(lines).with(filter).with(limiter::LIMITER.layer()).try_init();
}

/// Panics go where everything else goes: the standard hook writes to stderr itself, and would stop
/// the thread that panicked on a pipe that nobody reads, with what it holds.
pub fn catch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("without words");
        let trace = std::backtrace::Backtrace::capture();
        let traced = trace.status() == std::backtrace::BacktraceStatus::Captured;
        if tracing::dispatcher::has_been_set() {
            let backtrace = traced.then(|| tracing::field::display(&trace));
            tracing::error!(place, backtrace, "a part of the program broke off, by a bug: {words}");
        } else {
            line(&format!("error: a part of the program broke off, by a bug: {words} ({place})"));
        }
    }));
}

/// Lines that are in no log, for the metric `backstop_log_lines_dropped_total`.
#[must_use]
pub fn lost_lines() -> LostLines {
    let (overflowed, unwritable) = stderr::lost();
    LostLines { overflowed, unwritable, repeated: limiter::LIMITER.left_out() }
}

/// Waits until what was logged is written, for a second at most.
pub fn flush() {
    limiter::LIMITER.tell();
    stderr::flush(FLUSH_TIMEOUT);
}

/// An error with all its causes in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
