//! Starts, ends and freezes the parts of a control plane, one by one.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::time::Instant;

use super::{ControlPlane, PATIENCE, Part, programs};

impl ControlPlane {
    /// Starts a part that is not running. Returns once the API server is ready, if it is that one.
    pub(crate) async fn run(&mut self, part: Part) {
        assert!(!self.running.contains_key(&part), "{part:?} runs already");
        let program = programs::find().await.path(part.program());
        let log = self.folder.join(format!("{}.log", part.program()));
        let child = self.guardian.spawn(part.note(), program, &part.arguments(self), &log);
        self.running.insert(part, child);
        if part == Part::Apiserver {
            self.is_ready().await;
        }
    }

    /// Ends a part at once, as a power cut does. What it held is kept, and [`Self::run`] starts it again.
    pub(crate) fn kill(&mut self, part: Part) {
        let mut child = self.running.remove(&part).unwrap_or_else(|| panic!("{part:?} doesn't run"));
        child.kill().expect("killed");
        child.wait().expect("it ends");
    }

    /// Stops a part's processors: it takes connections, and answers nothing.
    pub(crate) fn freeze(&mut self, part: Part) {
        self.signal(part, Signal::STOP);
    }

    /// Lets a frozen part go on where it was.
    pub(crate) fn thaw(&mut self, part: Part) {
        self.signal(part, Signal::CONT);
    }

    fn signal(&self, part: Part, signal: Signal) {
        let child = self.running.get(&part).unwrap_or_else(|| panic!("{part:?} doesn't run"));
        rustix::process::kill_process(Pid::from_child(child), signal).expect("signalled");
    }

    async fn is_ready(&mut self) {
        let client = self.client().await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ask = hyper::Request::get("/readyz").body(Vec::new()).expect("a request");
            if client.request_text(ask).await.is_ok_and(|answer| answer == "ok") {
                return;
            }
            for (part, child) in &mut self.running {
                let ended = child.try_wait().expect("asked");
                assert!(
                    ended.is_none(),
                    "{part:?} has ended, {ended:?}:\n{}",
                    last_lines(&self.folder, *part)
                );
            }
            let late = Instant::now() >= deadline;
            assert!(!late, "no API server:\n{}", last_lines(&self.folder, Part::Apiserver));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn last_lines(folder: &Path, part: Part) -> String {
    let text = std::fs::read_to_string(folder.join(format!("{}.log", part.program()))).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
