//! What is logged while a test runs, for the unit tests of every room.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};

/// While a process has one subscriber, `tracing` asks that of the thread by which a place is first passed
/// whether the place is of interest to anybody: a test that reads no log would switch it off for all.
static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// What was logged so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("locked").clone()).expect("text")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("locked").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// From now on the lines of this thread are written on a page, until the guard is dropped.
pub(crate) fn page() -> (Page, DefaultGuard) {
    LazyLock::force(&ANOTHER);
    let page = Page::default();
    let out = page.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || out.clone()).finish();
    (page, tracing::subscriber::set_default(lines))
}
