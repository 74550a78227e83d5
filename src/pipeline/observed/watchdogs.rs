//! When each Watchdog was last heard.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::decision::Watchdog;

/// The most Watchdogs that are remembered, by their labels: one for each Prometheus of a large company.
/// A sender with ever new labels must not fill the memory.
const MAX_WATCHDOGS: usize = 100;

type Labels = BTreeMap<String, String>;

/// By the clock that rests while the machine is suspended: who sleeps hears nobody, and that is not
/// the Watchdog's silence.
#[derive(Debug)]
pub(super) struct Watchdogs {
    watchdog: Watchdog,
    started: Instant,
    heard_at: BTreeMap<Labels, Instant>,
}

impl Watchdogs {
    pub(super) fn new(watchdog: Watchdog) -> Self {
        Self { watchdog, started: Instant::now(), heard_at: BTreeMap::new() }
    }

    pub(super) fn heard(&mut self, labels: &Labels) {
        if !self.watchdog.is(labels) {
            return;
        }
        self.heard_at.insert(labels.clone(), Instant::now());
        if self.heard_at.len() > MAX_WATCHDOGS
            && let Some(longest_ago) = self.heard_at.iter().min_by_key(|(_, at)| **at)
        {
            let labels = longest_ago.0.clone();
            self.heard_at.remove(&labels);
        }
    }

    pub(super) fn was_heard(&self, labels: &Labels) -> bool {
        self.heard_at.keys().any(|alive| self.watchdog.speaks_for(alive, labels))
    }

    pub(super) fn silent_seconds(&self, labels: &Labels) -> u64 {
        let speaking = self.heard_at.iter().filter(|(alive, _)| self.watchdog.speaks_for(alive, labels));
        speaking.map(|(_, at)| *at).max().unwrap_or(self.started).elapsed().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn watchdog(cluster: &str) -> Labels {
        let pairs = [("alertname", "Watchdog"), ("cluster", cluster)];
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn cluster(name: &str) -> Labels {
        Labels::from([("cluster".to_owned(), name.to_owned())])
    }

    #[tokio::test(start_paused = true)]
    async fn another_clusters_watchdog_ends_no_silence() {
        let mut watchdogs = Watchdogs::new(Watchdog::named("Watchdog"));
        tokio::time::advance(Duration::from_secs(10)).await;
        watchdogs.heard(&watchdog("us"));
        watchdogs.heard(&cluster("eu"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(
            (watchdogs.silent_seconds(&cluster("eu")), watchdogs.silent_seconds(&cluster("us"))),
            (12, 2)
        );
        assert_eq!(watchdogs.silent_seconds(&Labels::new()), 2, "nothing tells them apart");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_with_ever_new_labels_fills_no_memory() {
        let mut watchdogs = Watchdogs::new(Watchdog::named("Watchdog"));
        for number in 0..2 * MAX_WATCHDOGS {
            tokio::time::advance(Duration::from_millis(1)).await;
            watchdogs.heard(&watchdog(&number.to_string()));
        }
        assert_eq!(watchdogs.heard_at.len(), MAX_WATCHDOGS);
        assert_eq!(watchdogs.heard_at.values().max(), Some(&Instant::now()), "the latest stays");
    }
}
