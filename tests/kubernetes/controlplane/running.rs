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
        // Until the signal has come to all of its threads it would answer.
        let deadline = Instant::now() + PATIENCE;
        while !self.is_stopped(part) {
            assert!(Instant::now() < deadline, "{part:?} does not stop");
            std::thread::yield_now();
        }
    }

    /// Whether each of its threads is in the state `T` of proc(5), which follows the name in brackets.
    fn is_stopped(&self, part: Part) -> bool {
        let pid = self.pid(part).as_raw_nonzero();
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("its threads");
        let stats = threads.map(|thread| std::fs::read_to_string(thread.expect("one").path().join("stat")));
        stats.into_iter().all(|stat| {
            stat.is_ok_and(|stat| {
                stat.rsplit_once(')').is_some_and(|(_, fields)| fields.trim_start().starts_with('T'))
            })
        })
    }

    /// Lets a frozen part go on where it was.
    pub(crate) fn thaw(&mut self, part: Part) {
        self.signal(part, Signal::CONT);
    }

    fn signal(&self, part: Part, signal: Signal) {
        rustix::process::kill_process(self.pid(part), signal).expect("signalled");
    }

    fn pid(&self, part: Part) -> Pid {
        let child = self.running.get(&part).unwrap_or_else(|| panic!("{part:?} doesn't run"));
        Pid::from_child(child)
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
