//! The schedules once more, in a process whose stderr is a full pipe that nobody reads: a log that
//! anything waits for would stop everything within the first of them.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{number, run_all};

/// Tells the child that it is one, and how many schedules it runs.
const OF_CHILD: &str = "SIMULATION_UNREAD_LOG";

/// Enough to fill the pipe and the queue before it, seconds' worth.
const SCHEDULES: u64 = 50;

/// Beyond it the child hangs: it needs a few seconds.
const LONGEST: Duration = Duration::from_secs(120);

/// Not a test by itself: what the child runs, and nothing anywhere else.
#[test]
fn with_a_log_that_nobody_reads() {
    let Some(schedules) = number(OF_CHILD) else { return };
    backstop::logging::start();
    // A schedule logs little that is new to the limiter, so the pipe is filled before.
    while backstop::logging::lost_lines().overflowed == 0 {
        backstop::logging::line(&"x".repeat(1_000));
    }
    let before = backstop::logging::lost_lines().overflowed;
    // The usual hook writes to stderr, which would hang; stdout is read.
    std::panic::set_hook(Box::new(|panic| println!("{panic}")));
    if let Some((seed, broken)) = run_all(schedules, |seed| drop(crate::schedule::run(seed))) {
        panic!("seed {seed}: {broken}");
    }
    let lost = backstop::logging::lost_lines().overflowed - before;
    assert!(lost > 0, "the log was not full");
}

#[test]
fn the_promises_hold_while_nobody_reads_the_log() {
    let itself = std::env::current_exe().expect("this program");
    let mut command = Command::new(itself);
    command.args(["--exact", "unread_log::with_a_log_that_nobody_reads", "--nocapture"]);
    command.env(OF_CHILD, SCHEDULES.to_string()).env("RUST_LOG", "info");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let status = ended(&mut child);
    let mut words = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut words).expect("text");
    assert_eq!(status, Some(0), "{words}");
}

/// Its exit code; `None`: it hung, and was killed.
fn ended(child: &mut Child) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    child.wait().expect("ended");
    None
}
