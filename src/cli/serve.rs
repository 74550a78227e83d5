//! `backstop serve`

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::output::{fail, progress};
use super::{Common, Outcome, check_config};
use crate::app::App;

pub(super) async fn run(common: &Common) -> Outcome {
    crate::logging::start();
    // Before anything else: SIGHUP, from a terminal that closes or a reload, must not kill it.
    let (mut signals, hangup) = match (Signals::new(), signal(SignalKind::hangup())) {
        (Ok(signals), Ok(hangup)) => (signals, hangup),
        (Err(error), _) | (_, Err(error)) => {
            return fail(format!("signals can't be received: {error}"), Outcome::Failed);
        }
    };
    let Some(config) = check_config::load(common) else { return Outcome::Usage };
    let app = match App::start(&config).await {
        Ok(app) => app,
        Err(error) => return fail(format!("{error:#}"), Outcome::Failed),
    };
    let reread = reread_on(hangup, app.reread());
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
        () = reread => Outcome::Failed,
        () = aborted => {
            progress("aborted by a second signal; the next start resumes what was under way");
            Outcome::Failed
        }
    }
}

/// Has secrets and certificates read again at each SIGHUP; it doesn't end.
async fn reread_on(mut hangup: Signal, reread: Arc<Notify>) {
    while hangup.recv().await.is_some() {
        reread.notify_waiters();
    }
    std::future::pending::<()>().await;
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
