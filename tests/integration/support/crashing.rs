//! Backstop in a process of its own that is killed at its N-th commit. The product has no hook for
//! it: the test binary runs itself again, with a store that kills around SQLite.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use backstop::app::App;
use backstop::clock::SystemClock;
use backstop::config::Config;
use backstop::store::{Batch, IncidentStore, SqliteStore, StoreError};
use rustix::process::{Signal, getpid, kill_process};
use tokio::process::{Child, Command};

use super::around::{Around, OnAppend};

const CONFIG: &str = "BACKSTOP_TEST_CONFIG";
const KILL_AT: &str = "BACKSTOP_TEST_KILL_AT";
const MOMENT: &str = "BACKSTOP_TEST_MOMENT";

/// On which side of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Decided, not yet durable.
    Before,
    /// Durable, and not yet answered or acted upon.
    After,
}

/// Starts Backstop, to be killed at its `kill_at`-th commit.
pub(crate) fn spawn(config: &Path, kill_at: u64, moment: Moment) -> Child {
    let own = std::env::current_exe().expect("this binary");
    Command::new(own)
        .args(["--exact", "crash_points::backstop_that_kills_itself", "--ignored", "--nocapture"])
        .env(CONFIG, config)
        .env(KILL_AT, kill_at.to_string())
        .env(MOMENT, if moment == Moment::Before { "before" } else { "after" })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("this binary starts")
}

/// The child's side: serves until it is killed. `None` where nobody asked for it.
pub(crate) async fn serve() -> Option<()> {
    super::prepare();
    let config = Config::load(&PathBuf::from(std::env::var_os(CONFIG)?)).expect("a configuration");
    let kill_at = std::env::var(KILL_AT).ok()?.parse().expect("a number");
    let moment = if std::env::var(MOMENT).ok()? == "before" { Moment::Before } else { Moment::After };
    let inner = SqliteStore::open(&config.store.path).expect("opened");
    let store = Around::new(inner, Killing { left: AtomicU64::new(kill_at), moment });
    let app = App::start_with(&config, store, Arc::new(SystemClock)).await.expect("started");
    app.run_until(std::future::pending()).await.expect("runs");
    Some(())
}

#[derive(Debug)]
struct Killing {
    left: AtomicU64,
    moment: Moment,
}

async fn die() {
    kill_process(getpid(), Signal::KILL).expect("killed");
    std::future::pending::<()>().await;
}

#[async_trait]
impl OnAppend for Killing {
    async fn append(&self, inner: &dyn IncidentStore, batch: Batch) -> Result<u64, StoreError> {
        let last = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.moment == Moment::Before {
            die().await;
        }
        let seq = inner.append(batch).await?;
        if last {
            die().await;
        }
        Ok(seq)
    }
}
