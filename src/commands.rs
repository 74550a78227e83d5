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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

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

/// Runs programs, a few at a time, and ends them as Backstop stops.
#[derive(Debug, Clone)]
pub struct Commands {
    slots: Arc<Semaphore>,
    background: Arc<Mutex<JoinSet<()>>>,
}

impl Default for Commands {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(MAX_AT_ONCE)), background: Arc::default() }
    }
}

impl Commands {
    /// Runs it to its end, once there is room. Dropped before, it ends the program.
    pub async fn run(&self, program: &Program) -> Ended {
        // Closed only as Backstop stops.
        let Ok(_slot) = self.slots.acquire().await else { return Ended::without_output(RunError::Stopping) };
        running::run(program).await
    }

    /// Does this beside whatever else is done, until it is done or Backstop stops.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        // What has ended is let go of.
        while background.try_join_next().is_some() {}
        if !self.slots.is_closed() {
            background.spawn(work);
        }
    }

    /// Ends every program that was begun in the background, and begins none any more. Nothing that a program
    /// still says would be heard.
    pub async fn stop(&self) {
        self.slots.close();
        let mut background =
            std::mem::take(&mut *self.background.lock().unwrap_or_else(PoisonError::into_inner));
        background.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
