//! Judges the criteria that are commands.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Commands, Ended, Program, chosen};
use crate::clock::Clock;
use crate::incident::{CommandCheck, Criterion, Question};
use crate::ramp::{Answer, Asked, CommandAnswer, Judge, KeptFile, StageSpan};
use crate::text::kept;

/// Says whether the configuration has a command as it is now.
///
/// A criterion comes out of a stored plan. Whoever can write to the store must not be able to run programs by
/// it, so that the file on this machine has the last word.
pub trait Configured: Send + Sync + Debug {
    /// Whether it has it; looks at files, so not for a task that others wait for.
    fn has(&self, criterion: &Criterion) -> bool;
}

/// Runs a criterion's program to its end.
#[derive(Debug, Clone)]
pub struct CommandJudge {
    pub commands: Commands,
    pub configured: Arc<dyn Configured>,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Judge for CommandJudge {
    async fn ask(&self, criterion: &Criterion, _: &StageSpan) -> Asked {
        let refused =
            |why: &str| Asked::bare(Answer::failed(&criterion.question, why.to_owned(), self.clock.now()));
        let Question::Command(check) = &criterion.question else { return refused("it is no command") };
        let (configured, asked) = (Arc::clone(&self.configured), criterion.clone());
        let is_configured = tokio::task::spawn_blocking(move || configured.has(&asked)).await;
        if !is_configured.unwrap_or(false) {
            return refused("the configuration has no such command any more: write it back, or start anew");
        }
        let mut asked_at = self.clock.now();
        let begins = || asked_at = self.clock.now();
        let ended = self.commands.run_noting(&program(check), begins).await;
        let last_line = last_line(&ended.output);
        let (exit_code, error) = match &ended.code {
            Ok(code) => (Some(*code), None),
            Err(error) => (None, Some(kept(&error.to_string()))),
        };
        let answer = Answer::Command(CommandAnswer { asked_at, exit_code, error, last_line });
        Asked { answer, kept: file(check, ended) }
    }
}

fn program(check: &CommandCheck) -> Program {
    Program {
        argv: check.argv.clone(),
        directory: check.directory.as_ref().map(PathBuf::from),
        environment: chosen(&check.environment, &check.variables),
        limit: Duration::from_secs(check.timeout_seconds.into()),
    }
}

/// What it said, and how much of that is not there.
fn file(check: &CommandCheck, ended: Ended) -> Option<KeptFile> {
    let name = check.file.clone()?;
    let mut bytes = ended.output;
    if ended.dropped_bytes > 0 {
        let words = format!("\n[{} bytes more were said, and not kept]\n", ended.dropped_bytes);
        bytes.extend_from_slice(words.as_bytes());
    }
    Some(KeptFile { name, bytes })
}

/// The last that is no blank.
fn last_line(output: &[u8]) -> Option<String> {
    let line = output.rsplit(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty())?;
    Some(kept(&String::from_utf8_lossy(line)))
}

#[cfg(test)]
mod tests;
