//! Looks at every secret once a second, so that no request has to.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::secret::{SecretFile, SecretState};

/// A secret whose file is removed counts as gone two looks later.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest that a command waits for the files it names before it goes on without them.
const FIRST_LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// Looks at all of them at once and waits for what answers in time. The others stay unread.
pub(super) fn look_now(files: &[&SecretFile]) {
    let (done, looks) = channel();
    let mut begun = 0;
    for file in files {
        let (file, done) = ((*file).clone(), done.clone());
        let thread = std::thread::Builder::new().name("secret".to_owned());
        // A file that hangs keeps its thread; nothing waits for it.
        let started = thread.spawn(move || {
            file.look();
            done.send(())
        });
        begun += usize::from(started.is_ok());
    }
    let deadline = Instant::now() + FIRST_LOOK_TIMEOUT;
    for _ in 0..begun {
        let left = deadline.saturating_duration_since(Instant::now());
        if looks.recv_timeout(left).is_err() {
            return;
        }
    }
}

/// How many secret files are in which state, for a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SecretCounts {
    pub usable: usize,
    /// Missing, empty or unusable: nobody is let in by them.
    pub gone: usize,
    /// Their files don't answer; what was last read counts.
    pub unclear: usize,
}

/// Looks at the files every second, and at once when `now` is notified, until `stop`; logs every
/// change and hands the counts to `counted`.
pub async fn watch_secrets(
    files: Vec<SecretFile>,
    now: Arc<Notify>,
    counted: impl Fn(SecretCounts),
    stop: CancellationToken,
) {
    let mut known: Vec<SecretState> = files.iter().map(|_| SecretState::Usable).collect();
    loop {
        for file in files.iter().filter(|file| file.begin_look()) {
            let file = file.clone();
            // At most one for each file: a file system that hangs holds no more threads than that.
            drop(tokio::task::spawn_blocking(move || file.finish_look()));
        }
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            () = now.notified() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let mut counts = SecretCounts::default();
        for (file, known) in files.iter().zip(&mut known) {
            let state = file.state();
            match &state {
                SecretState::Usable | SecretState::PartlyUsable(_) => counts.usable += 1,
                SecretState::Gone(_) => counts.gone += 1,
                SecretState::Unclear(_) => counts.unclear += 1,
            }
            if state != *known {
                tell(file, &state);
                *known = state;
            }
        }
        counted(counts);
        if asked {
            tracing::info!(files = files.len(), "secrets are read again");
        }
    }
}

fn tell(file: &SecretFile, state: &SecretState) {
    match state {
        SecretState::Usable => tracing::info!(path = %file.path().display(), "a secret can be used again"),
        SecretState::PartlyUsable(error) => {
            tracing::error!(remedy = error.remedy(), "a line of a secret is left out: {error}");
        }
        SecretState::Gone(error) => {
            tracing::error!(remedy = error.remedy(), "a secret is gone, and nobody is let in by it: {error}");
        }
        SecretState::Unclear(error) => {
            tracing::error!(
                remedy = error.remedy(),
                "a secret's file doesn't answer; what was last read counts: {error}"
            );
        }
    }
}
