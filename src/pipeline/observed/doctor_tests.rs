//! Test alerts of `doctor` that have come through Alertmanager.

use chrono::{DateTime, Utc};

use super::Observed;
use crate::text::kept_within;

/// The most that are remembered: a sender with ever new ones must not fill the memory.
const MAX_TESTS: usize = 16;

/// A test is named by 48 characters.
const MAX_NAME_CHARS: usize = 64;

impl Observed {
    /// A test alert has come; again is as good as once.
    pub fn doctor_test_heard(&self, test: &str) {
        let test = kept_within(test, MAX_NAME_CHARS);
        let at = self.clock.now();
        let mut inner = self.lock();
        if inner.doctor_tests.iter().any(|(known, _)| *known == test) {
            return;
        }
        if inner.doctor_tests.len() == MAX_TESTS {
            inner.doctor_tests.pop_front();
        }
        inner.doctor_tests.push_back((test, at));
    }

    /// When this test alert came, if it did.
    #[must_use]
    pub fn doctor_test(&self, test: &str) -> Option<DateTime<Utc>> {
        self.lock().doctor_tests.iter().find(|(known, _)| known == test).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::decision::Watchdog;

    #[test]
    fn the_last_tests_are_remembered_and_memory_is_bounded() {
        let watchdog = Watchdog { alertname: "Watchdog".to_owned(), matching: Default::default() };
        let observed = Observed::new(Arc::new(SystemClock), watchdog);
        assert_eq!(observed.doctor_test("0"), None);
        for test in 0..=MAX_TESTS {
            observed.doctor_test_heard(&test.to_string());
            observed.doctor_test_heard(&test.to_string());
        }
        assert_eq!(observed.doctor_test("0"), None, "the oldest is forgotten");
        assert!(observed.doctor_test("1").is_some() && observed.doctor_test("16").is_some());
    }
}
