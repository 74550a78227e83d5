//! When each vital loop has last turned. A loop that hangs is not a task that ends, so nobody else
//! would notice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// A loop that must turn for as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// Decides; turns every second at the least, whatever the disk does.
    Journal,
    /// Begins what the states ask for; turns every second at the least.
    Worker,
    /// Asks the monitoring; a turn ends when all have answered or were given up.
    Watcher,
    /// Asks what ramps are judged by; turns every second at the least.
    Gates,
}

impl Loop {
    /// Every loop, in the order of the variants: each one's number is its place in an array.
    pub const ALL: [Self; 4] = [Self::Journal, Self::Worker, Self::Watcher, Self::Gates];

    /// The value of the label `loop`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Worker => "worker",
            Self::Watcher => "watcher",
            Self::Gates => "gates",
        }
    }
}

/// The last turn of each, in milliseconds since the start.
#[derive(Debug)]
pub(super) struct Loops {
    started: Instant,
    turned: [AtomicU64; Loop::ALL.len()],
}

impl Default for Loops {
    fn default() -> Self {
        Self { started: Instant::now(), turned: Default::default() }
    }
}

impl Loops {
    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn turned(&self, turned: Loop) {
        self.turned[turned as usize].store(self.millis(), Ordering::Relaxed);
    }

    /// Since the start, for one that has not turned yet.
    pub(super) fn age(&self, asked: Loop) -> Duration {
        let turned = self.turned[asked as usize].load(Ordering::Relaxed);
        Duration::from_millis(self.millis().saturating_sub(turned))
    }
}
