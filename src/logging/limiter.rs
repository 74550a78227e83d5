//! Lines that repeat: each place in the program may log so many a second, and what is left out is
//! reported as a number. A stranger with a wrong token would else fill the disk that the store needs.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::text::kept;

/// Lines of one place at once: an incident with all its alerts, or the start of a thousand rollouts'.
const BURST: f64 = 200.0;

/// Lines of one place a second after that.
const PER_SECOND: f64 = 10.0;

/// How often what was left out is reported.
const TELL_EVERY: Duration = Duration::from_secs(10);

pub(super) static LIMITER: LazyLock<Limiter> = LazyLock::new(Limiter::default);

/// What each place in the program has logged. Places are callsites, so their number is the program's.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    places: Mutex<HashMap<Identifier, Place>>,
    left_out: AtomicU64,
}

#[derive(Debug)]
struct Place {
    room: f64,
    at: Instant,
    left_out: u64,
    /// The first line that was left out, to say what kind of line it was.
    example: String,
    told_at: Instant,
}

impl Place {
    fn new(now: Instant) -> Self {
        Self { room: BURST, at: now, left_out: 0, example: String::new(), told_at: now }
    }

    /// Whether one more line has room now.
    fn admits(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.room = passed.mul_add(PER_SECOND, self.room).min(BURST);
        let admitted = self.room >= 1.0;
        if admitted {
            self.room -= 1.0;
        } else {
            self.left_out += 1;
        }
        admitted
    }
}

impl Limiter {
    /// Leaves out of a subscriber what repeats too often.
    pub(super) fn layer(&'static self) -> Limited {
        Limited(self)
    }

    /// Lines that were left out since the start.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out.load(Ordering::Relaxed)
    }

    /// Reports what was left out, now: for the end of the process.
    pub(super) fn tell(&self) {
        self.tell_older_than(Duration::ZERO);
    }

    /// Reports what was left out, unless that was just reported.
    pub(super) fn tell_if_due(&self) {
        self.tell_older_than(TELL_EVERY);
    }

    fn tell_older_than(&self, age: Duration) {
        let mut due = Vec::new();
        for place in self.places.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            if place.left_out > 0 && place.told_at.elapsed() >= age {
                due.push((std::mem::take(&mut place.left_out), std::mem::take(&mut place.example)));
                place.told_at = Instant::now();
            }
        }
        // Outside the lock: these lines pass through the limiter themselves.
        for (lines, example) in due {
            tracing::warn!(lines, example, "{lines} more lines of this kind were left out: {example}");
        }
    }

    fn admits(&self, event: &Event<'_>) -> bool {
        let now = Instant::now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(event.metadata().callsite()).or_insert_with(|| Place::new(now));
        let admitted = place.admits(now);
        if !admitted {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            if place.example.is_empty() {
                event.record(&mut Message(&mut place.example));
            }
        }
        admitted
    }
}

#[derive(Debug)]
pub(super) struct Limited(&'static Limiter);

impl<S: Subscriber> Layer<S> for Limited {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        self.0.admits(event)
    }
}

struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = kept(&format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn a_place_may_log_a_burst_and_then_so_many_lines_a_second() {
        let start = Instant::now();
        let mut place = Place::new(start);
        let admitted = |place: &mut Place, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            (0..1_000).filter(|_| place.admits(now)).count()
        };
        assert_eq!((admitted(&mut place, 0), place.left_out), (200, 800));
        assert_eq!(admitted(&mut place, 1), 10);
        assert_eq!(admitted(&mut place, 3), 20);
        assert_eq!(admitted(&mut place, 3_600), 200, "no more than a burst is ever saved up");
    }

    #[test]
    fn a_line_that_repeats_is_cut_while_others_pass_and_the_rest_is_counted() {
        let limiter: &'static Limiter = Box::leak(Box::default());
        let passed: &'static AtomicU64 = Box::leak(Box::default());
        struct Counts(&'static AtomicU64);
        impl<S: Subscriber> Layer<S> for Counts {
            fn on_event(&self, _event: &Event<'_>, _context: Context<'_, S>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let subscriber = tracing_subscriber::registry().with(Counts(passed)).with(limiter.layer());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..10_000 {
                tracing::warn!(number, "webhook not accepted");
            }
            let repeated = passed.swap(0, Ordering::Relaxed);
            assert!((200..300).contains(&repeated), "{repeated} of 10,000");
            assert_eq!(limiter.left_out(), 10_000 - repeated);
            tracing::error!("rollback not achieved");
            assert_eq!(passed.swap(0, Ordering::Relaxed), 1, "another line is not held back");
            limiter.tell();
            assert_eq!(passed.swap(0, Ordering::Relaxed), 1, "told once");
            limiter.tell();
            assert_eq!(passed.load(Ordering::Relaxed), 0, "and not again");
        });
    }
}
