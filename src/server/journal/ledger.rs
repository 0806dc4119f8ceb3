//! What every session needs on disk, so that nobody has to look at all of them after each build.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

/// The size and age of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) bytes: u64,
    pub(super) changed: SystemTime,
}

/// The weights of all sessions, and their sum.
#[derive(Debug)]
pub(super) struct Ledger {
    weights: HashMap<String, Weight>,
    total: u64,
    /// Sessions that were entered or struck out before [`Ledger::complete`]: what it is told of these is
    /// older. `None` afterwards.
    touched: Option<HashSet<String>>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            weights: HashMap::new(),
            total: 0,
            touched: Some(HashSet::new()),
        }
    }
}

impl Ledger {
    /// Whether it has all sessions.
    pub(super) fn is_complete(&self) -> bool {
        self.touched.is_none()
    }

    /// Adds what lay on the disk at the start; of sessions that were entered or struck out meanwhile
    /// it says nothing new.
    pub(super) fn complete(&mut self, found: Vec<(String, Weight)>) {
        let touched = self.touched.take().unwrap_or_default();
        for (id, weight) in found {
            if !touched.contains(&id) {
                self.put(&id, Some(weight));
            }
        }
    }

    /// Enters what a session weighs now; `None` when it is gone.
    pub(super) fn enter(&mut self, id: &str, weight: Option<Weight>) {
        if let Some(touched) = self.touched.as_mut() {
            touched.insert(id.to_owned());
        }
        self.put(id, weight);
    }

    fn put(&mut self, id: &str, weight: Option<Weight>) {
        let before = match weight {
            Some(weight) => {
                self.total += weight.bytes;
                self.weights.insert(id.to_owned(), weight)
            }
            None => self.weights.remove(id),
        };
        self.total -= before.map_or(0, |weight| weight.bytes);
    }

    /// Bytes of all sessions.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// All sessions but those in `protected`, the one that changed least recently first.
    pub(super) fn oldest(&self, protected: &HashSet<String>) -> Vec<String> {
        let mut oldest: Vec<_> = self
            .weights
            .iter()
            .filter(|(id, _)| !protected.contains(*id))
            .map(|(id, weight)| (weight.changed, id))
            .collect();
        oldest.sort();
        oldest.into_iter().map(|(_, id)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn weight(bytes: u64, changed: u64) -> Weight {
        Weight {
            bytes,
            changed: SystemTime::UNIX_EPOCH + Duration::from_secs(changed),
        }
    }

    #[test]
    fn the_oldest_come_first_and_the_protected_not_at_all() {
        let mut ledger = Ledger::default();
        for (id, changed) in [("a", 3), ("b", 1), ("c", 2), ("d", 2)] {
            ledger.enter(id, Some(weight(1, changed)));
        }
        let protected = HashSet::from(["c".to_owned()]);
        assert_eq!(ledger.oldest(&protected), ["b", "d", "a"]);
    }

    #[test]
    fn what_was_found_at_the_start_is_older_than_what_was_entered_meanwhile() {
        let mut ledger = Ledger::default();
        ledger.enter("grown", Some(weight(30, 9)));
        ledger.enter("gone", None);
        assert!(!ledger.is_complete());
        let found = ["grown", "gone", "left"].map(|id| (id.to_owned(), weight(10, 1)));
        ledger.complete(found.to_vec());
        assert!(ledger.is_complete());
        assert_eq!(ledger.total(), 40);
        assert_eq!(ledger.oldest(&HashSet::new()), ["left", "grown"]);
    }

    proptest! {
        #[test]
        fn the_total_is_the_sum(
            steps in prop::collection::vec((0..8_u8, prop::option::of(0..u64::MAX / 64)), 0..200),
        ) {
            let mut ledger = Ledger::default();
            let mut model = HashMap::new();
            for (id, bytes) in steps {
                ledger.enter(&id.to_string(), bytes.map(|bytes| weight(bytes, 0)));
                match bytes {
                    Some(bytes) => model.insert(id, bytes),
                    None => model.remove(&id),
                };
                prop_assert_eq!(ledger.total(), model.values().sum::<u64>());
            }
        }
    }
}
