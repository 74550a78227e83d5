//! Ends what was started, and removes its folder, even when the tests are killed: a static is never
//! dropped, and a killed process drops nothing. So a process apart, `tests/controlplane/guardian`, waits
//! until a pipe closes, which the system does for us.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The process that watches over a folder.
pub(super) struct Guardian {
    folder: PathBuf,
    process: Child,
    /// Open for as long as what is in the folder is wanted.
    pipe: Option<ChildStdin>,
}

fn script() -> PathBuf {
    super::setup::here().join("guardian")
}

impl Guardian {
    /// Watches over the folder from now on.
    pub(super) fn watch(folder: &Path) -> Self {
        std::fs::create_dir(folder.join("pids")).expect("a folder");
        let mut command = Command::new(script());
        command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::null());
        // Not in the tests' group: Ctrl-C is for them.
        let mut process = command.process_group(0).spawn().expect("a guardian");
        let pipe = process.stdin.take();
        Self { folder: folder.to_owned(), process, pipe }
    }

    /// Starts a program that ends with the folder; the guardian ends them in the order of their notes.
    pub(super) fn spawn(&self, note: &str, program: &Path, arguments: &[String], log: &Path) -> Child {
        let log: File = OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let mut command = Command::new(script());
        command.arg(&self.folder).arg(note).arg(program).args(arguments);
        // The programs read no settings of whoever runs the tests.
        command.env("HOME", &self.folder).env("NO_PROXY", "*").env_remove("KUBECONFIG");
        command.current_dir(&self.folder).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        command.spawn().expect("it starts")
    }

    /// Ends everything, and waits until the folder is gone.
    pub(super) fn end(&mut self) {
        self.pipe = None;
        let _it_may_have_ended = self.process.wait();
    }
}
