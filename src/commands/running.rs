//! One program, from its start to its end.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::program::{ProgramError, find};
use super::{Environment, Program};

/// What is kept of what a program says, to its standard output and error together. Tests of contracts say some
/// kilobytes; one that goes mad must fill neither memory nor evidence.
pub const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// How much is taken out of the pipe at a time, which holds as much itself.
const CHUNK_BYTES: usize = 64 << 10;

/// After a program's end its last words are already in the pipe. Longer waits only who left its group and keeps
/// the pipe open.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(1);

/// How a program ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The exit code, or why there is none.
    pub code: Result<i32, RunError>,
    /// What it said, to both outputs in their order, without the secrets that it was given.
    pub output: Vec<u8>,
    /// How many bytes more it said.
    pub dropped_bytes: u64,
}

/// Why a program has no exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// There is nothing to run: a person has to mend that.
    #[error(transparent)]
    NoProgram(#[from] ProgramError),
    /// The system refused: too many processes, too long an argument, no interpreter.
    #[error("it did not start: {0}")]
    NotStarted(String),
    /// It was ended for its time, with all that it had begun.
    #[error("it was ended after {}, its time limit", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// Somebody ended it, or it crashed.
    #[error("it was ended by signal {0}")]
    Signal(i32),
    /// How it ended can't be known.
    #[error("its end was not seen: {0}")]
    Unseen(String),
    /// Backstop stops, and starts nothing any more.
    #[error("Backstop was stopping")]
    Stopping,
}

impl Ended {
    pub(super) fn without_output(error: RunError) -> Self {
        Self { code: Err(error), output: Vec::new(), dropped_bytes: 0 }
    }
}

/// A program that runs. Dropped, it ends with its whole group.
#[derive(Debug)]
struct Running {
    child: Child,
    words: Words,
}

impl Drop for Running {
    fn drop(&mut self) {
        // None once its end was taken note of: the number may be another process' by now.
        if let Some(group) = group(&self.child) {
            end(group);
        }
    }
}

fn group(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
}

/// With SIGKILL: a program that may ignore its end is none that keeps a time limit.
fn end(group: Pid) {
    // That there is nobody in it any more is what is wanted.
    let _nobody = kill_process_group(group, Signal::KILL);
}

pub(super) async fn run(program: &Program) -> Ended {
    let mut running = match start(program) {
        Ok(running) => running,
        Err(error) => return Ended::without_output(error),
    };
    let until = Instant::now() + program.limit;
    let group = group(&running.child);
    let Running { child, words } = &mut running;
    let code = {
        let waited = tokio::time::timeout_at(until, async {
            tokio::select! {
                status = child.wait() => status,
                never = words.listen() => match never {},
            }
        });
        match waited.await {
            Err(_) => Err(RunError::TimedOut(program.limit)),
            Ok(Err(error)) => Err(RunError::Unseen(error.to_string())),
            Ok(Ok(status)) => match (status.code(), status.signal()) {
                (Some(code), _) => Ok(code),
                (None, signal) => Err(RunError::Signal(signal.unwrap_or_default())),
            },
        }
    };
    // What it left running ends with it, at once: while one of its group is there, or was a moment ago, no other
    // process has got the group's number.
    if let Some(group) = group {
        end(group);
    }
    let _who_left_the_group_keeps_it_open =
        tokio::time::timeout(LAST_WORDS_WITHIN, running.words.until_the_end()).await;
    let Words { kept, dropped, .. } = std::mem::take(&mut running.words);
    ended(code, kept, dropped, &program.environment)
}

/// Without secrets first and cut then: half of one would not be recognised.
fn ended(code: Result<i32, RunError>, kept: Vec<u8>, dropped: u64, environment: &Environment) -> Ended {
    let mut output = environment.redacted(kept);
    let too_many = output.len().saturating_sub(MAX_OUTPUT_BYTES);
    output.truncate(MAX_OUTPUT_BYTES);
    Ended { code, output, dropped_bytes: dropped + u64::try_from(too_many).unwrap_or(u64::MAX) }
}

fn start(program: &Program) -> Result<Running, RunError> {
    let failed = |error: std::io::Error| RunError::NotStarted(error.to_string());
    let Program { argv, directory, environment, .. } = program;
    let (name, arguments) = argv.split_first().ok_or(ProgramError::Unnamed)?;
    let file = find(name, environment.get("PATH"), directory.as_deref())?;
    // One pipe for both, so that an error stands where it was said.
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let mut command = Command::new(file);
    command
        .args(arguments)
        .env_clear()
        .envs(environment.all())
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    let from = Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
    let room = MAX_OUTPUT_BYTES + environment.longest_secret_bytes();
    let child = command.spawn().map_err(failed)?;
    // As it returns our own ends of the pipe go with the command, or it would never end.
    Ok(Running { child, words: Words { from: Some(from), room, ..Words::default() } })
}

/// What a program says.
#[derive(Debug, Default)]
struct Words {
    /// None once it has ended.
    from: Option<Receiver>,
    kept: Vec<u8>,
    room: usize,
    dropped: u64,
}

impl Words {
    /// Takes out of the pipe whatever comes, so that the program never waits for us. Keeps its place where it
    /// is dropped.
    async fn listen(&mut self) -> std::convert::Infallible {
        self.until_the_end().await;
        std::future::pending().await
    }

    async fn until_the_end(&mut self) {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Some(from) = &self.from {
            if from.readable().await.is_err() {
                self.from = None;
                continue;
            }
            match from.try_read(&mut chunk) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => self.from = None,
                Ok(length) => self.take(&chunk[..length]),
            }
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        let kept = chunk.len().min(self.room - self.kept.len());
        self.kept.extend_from_slice(&chunk[..kept]);
        self.dropped += u64::try_from(chunk.len() - kept).unwrap_or(u64::MAX);
    }
}
