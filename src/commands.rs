//! Runs programs of the machine: the checks of a ramp that are commands, and git.
//!
//! No shell reads what is run. Each program is the head of a process group of its own, so that it ends with all
//! that it began: at its time limit, and as Backstop stops. It sees the variables that it is given and no
//! others, since Backstop's own environment may hold secrets that are none of its business.

mod environment;
mod judge;
mod program;
mod running;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use environment::{Environment, chosen};
pub use judge::{CommandJudge, Configured};
pub use program::{ProgramError, find};
pub use running::{Ended, MAX_OUTPUT_BYTES, RunError};

/// Programs that run at the same time, over all rollouts. A package manager's tests take a processor each, and
/// Backstop's own rollbacks need one, too.
pub const MAX_AT_ONCE: usize = 4;

/// What is run, and with what around it.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Backstop's own where there is none.
    pub directory: Option<PathBuf>,
    pub environment: Environment,
    /// It is ended, with all that it began, once it has run for so long.
    pub limit: Duration,
}

/// What programs get to end in as Backstop stops: they are killed, and it is only waited for that.
const STOPPED_WITHIN: Duration = Duration::from_secs(1);

/// Runs programs, a few at a time, and ends them as Backstop stops. Clones share the room.
#[derive(Debug, Clone)]
pub struct Commands {
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Default for Commands {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(MAX_AT_ONCE)), stop: CancellationToken::new() }
    }
}

impl Commands {
    /// Runs it to its end, once there is room. Dropped before, it ends the program.
    pub async fn run(&self, program: &Program) -> Ended {
        self.run_noting(program, || ()).await
    }

    /// The same, noting when it begins, with room for it.
    async fn run_noting(&self, program: &Program, begins: impl FnOnce() + Send) -> Ended {
        let stopping = || Ended::without_output(RunError::Stopping);
        let slot = tokio::select! {
            biased;
            () = self.stop.cancelled() => return stopping(),
            slot = self.slots.acquire() => slot,
        };
        // Nobody closes it, and without a slot nothing runs.
        let Ok(_slot) = slot else { return stopping() };
        begins();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => stopping(),
            ended = running::run(program) => ended,
        }
    }

    /// Ends every program that runs, with all that it began, and begins none any more. Whoever waits for one
    /// is told so.
    pub async fn stop(&self) {
        self.stop.cancel();
        let all = u32::try_from(MAX_AT_ONCE).unwrap_or(u32::MAX);
        // Who gives its slot back has ended its program.
        let _or_late = tokio::time::timeout(STOPPED_WITHIN, self.slots.acquire_many(all)).await;
    }
}

#[cfg(test)]
mod tests;
