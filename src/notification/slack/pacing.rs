//! No more messages than Slack takes: about one a second for each token, after a burst.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The pace that Slack asks for of `chat.postMessage` (reference notes on notifications, section 1.3).
const INTERVAL: Duration = Duration::from_secs(1);

/// So many go out at once after a pause: what one incident has to say in its first second, twice.
const BURST: u32 = 6;

/// The longest that a message waits here. What would wait for longer is tried again later, so that it
/// can be replaced by a newer one meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// One token's pace.
#[derive(Debug)]
pub(super) struct Pacer {
    /// When the last of those that were let through would have gone out, one a second.
    taken_until: Mutex<Instant>,
}

impl Pacer {
    pub(super) fn new() -> Self {
        Self { taken_until: Mutex::new(Instant::now()) }
    }

    /// Waits for the next place; or says how long that would take, if it is too long.
    pub(super) async fn wait(&self) -> Result<(), Duration> {
        let wait = self.take(Instant::now())?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn take(&self, now: Instant) -> Result<Duration, Duration> {
        let mut taken_until = self.taken_until();
        let next = (*taken_until).max(now) + INTERVAL;
        let wait = next.saturating_duration_since(now + BURST * INTERVAL);
        if wait > LONGEST_WAIT {
            return Err(wait);
        }
        *taken_until = next;
        Ok(wait)
    }

    /// Slack asked to be left alone for so long: that holds for all messages, not for the one that met it.
    pub(super) fn rest(&self, rest: Duration) {
        let until = Instant::now() + rest + BURST * INTERVAL;
        let mut taken_until = self.taken_until();
        *taken_until = (*taken_until).max(until);
    }

    fn taken_until(&self) -> std::sync::MutexGuard<'_, Instant> {
        // One value, set in one step.
        self.taken_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_then_one_a_second() {
        let (pacer, began) = (Pacer::new(), Instant::now());
        for expected_seconds in [0, 0, 0, 0, 0, 0, 1, 2, 3] {
            pacer.wait().await.expect("a place");
            assert_eq!(began.elapsed().as_secs(), expected_seconds);
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        for _ in 0..BURST {
            pacer.wait().await.expect("a place");
        }
        assert_eq!(began.elapsed().as_secs(), 63, "a pause fills the burst again, and no more than that");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_would_wait_too_long_is_told_when_to_come_again() {
        let pacer = Pacer::new();
        let now = Instant::now();
        let waits: Vec<_> = (0..BURST + 4).map(|_| pacer.take(now)).collect();
        assert_eq!(waits.last(), Some(&Ok(LONGEST_WAIT)));
        assert_eq!(pacer.take(now), Err(Duration::from_secs(5)));
        assert_eq!(pacer.take(now), Err(Duration::from_secs(5)), "who does not wait takes no place");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_slack_asks_for_holds_for_everybody() {
        let pacer = Pacer::new();
        pacer.rest(Duration::from_secs(30));
        assert_eq!(pacer.take(Instant::now()), Err(Duration::from_secs(31)));
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(pacer.take(Instant::now()), Ok(Duration::from_secs(1)));
    }
}
