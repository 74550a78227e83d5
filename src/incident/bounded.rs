//! A list that keeps its beginning and its end.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The most entries of one list of an incident: the first half shows how it began, the second how it
/// stands. A week of retries or of a silence must not grow what every decision copies and every
/// evidence repeats; the events themselves are all in the store.
const MOST: usize = 200;

/// Entries in the order they came, read as a slice. Once there are too many, those in the middle are
/// left out and counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored<T>", into = "Stored<T>", bound(serialize = "T: Clone + Serialize"))]
pub struct Bounded<T> {
    entries: Vec<T>,
    left_out: u64,
}

/// A plain list while it is whole, as older versions stored it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored<T> {
    Whole(Vec<T>),
    Cut { entries: Vec<T>, left_out: u64 },
}

impl<T> Bounded<T> {
    /// Where entries are missing, and how many; `None` while all are there.
    #[must_use]
    pub fn left_out(&self) -> Option<(usize, u64)> {
        (self.left_out > 0).then_some((MOST / 2, self.left_out))
    }

    pub(super) fn push(&mut self, entry: T) {
        if self.entries.len() >= MOST {
            self.entries.remove(MOST / 2);
            self.left_out += 1;
        }
        self.entries.push(entry);
    }
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), left_out: 0 }
    }
}

impl<T> Deref for Bounded<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.entries
    }
}

impl<T> From<Stored<T>> for Bounded<T> {
    fn from(stored: Stored<T>) -> Self {
        let (entries, left_out) = match stored {
            Stored::Whole(entries) => (entries, 0),
            Stored::Cut { entries, left_out } => (entries, left_out),
        };
        let mut bounded = Self { entries: Vec::new(), left_out };
        entries.into_iter().for_each(|entry| bounded.push(entry));
        bounded
    }
}

impl<T> From<Bounded<T>> for Stored<T> {
    fn from(bounded: Bounded<T>) -> Self {
        let Bounded { entries, left_out } = bounded;
        if left_out == 0 { Self::Whole(entries) } else { Self::Cut { entries, left_out } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_stay_and_what_is_left_out_is_counted() {
        let mut list = Bounded::default();
        for number in 0..1_000_u32 {
            list.push(number);
        }
        assert_eq!((list.len(), list[0], list[99], list[100], list[199]), (MOST, 0, 99, 900, 999));
        assert_eq!(list.left_out(), Some((100, 800)));
        let text = serde_json::to_string(&list).expect("serialised");
        assert_eq!(serde_json::from_str::<Bounded<u32>>(&text).expect("read"), list);
    }

    #[test]
    fn a_whole_list_is_stored_as_a_plain_list_and_a_long_old_one_is_cut() {
        let mut list = Bounded::default();
        list.push(7);
        assert_eq!(serde_json::to_string(&list).expect("serialised"), "[7]");
        assert_eq!(list.left_out(), None);
        let old = serde_json::to_string(&(0..500).collect::<Vec<u32>>()).expect("serialised");
        assert_eq!(serde_json::from_str::<Bounded<u32>>(&old).expect("read").left_out(), Some((100, 300)));
    }
}
