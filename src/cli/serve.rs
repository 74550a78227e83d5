//! `backstop serve`

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::{fail, progress};
use super::{Common, Outcome, check_config};
use crate::app::App;

pub(super) async fn run(common: &Common) -> Outcome {
    crate::logging::start();
    let Some(config) = check_config::load(common) else { return Outcome::Usage };
    let app = match App::start(&config).await {
        Ok(app) => app,
        Err(error) => return fail(format!("{error:#}"), Outcome::Failed),
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(format!("signals can't be received: {error}"), Outcome::Failed),
    };
    let (first, told) = tokio::sync::oneshot::channel();
    let running = app.run_until(async {
        let _sender_gone = told.await;
    });
    let aborted = async {
        signals.next().await;
        let _ended_already = first.send(());
        signals.next().await;
    };
    tokio::select! {
        ended = running => match ended {
            Ok(()) => Outcome::Done,
            Err(error) => fail(format!("{error:#}"), Outcome::Failed),
        },
        () = aborted => {
            progress("aborted by a second signal; the next start resumes what was under way");
            Outcome::Failed
        }
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
