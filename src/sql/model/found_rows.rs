//! The typed rows of one model that a set returns.

use std::{collections::HashMap, sync::OnceLock};

use crate::lockable::Lockable;

/// The rows of one model as the set has read them: fresh, and in the order of the key.
pub(crate) struct FoundRows<T: Lockable> {
    rows: Vec<T>,
    missing: Vec<T::Key>,
    skipped: Vec<T::Key>,
    /// Requested keys that are another value in Rust than the key of their row, each with the key of that row.
    same: HashMap<T::Key, T::Key>,
    /// The keys of the rows that were taken out one by one.
    taken: Vec<T::Key>,
    /// Built by the first look-up: a set that is only iterated needs none.
    index: OnceLock<HashMap<T::Key, usize>>,
}

impl<T: Lockable> FoundRows<T> {
    pub(super) fn new(rows: Vec<T>, missing: Vec<T::Key>, skipped: Vec<T::Key>, same: HashMap<T::Key, T::Key>) -> Self {
        FoundRows { rows, missing, skipped, same, taken: Vec::new(), index: OnceLock::new() }
    }

    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    pub(crate) fn missing(&self) -> &[T::Key] {
        &self.missing
    }

    pub(crate) fn skipped(&self) -> &[T::Key] {
        &self.skipped
    }

    pub(crate) fn was_taken(&self, key: &T::Key) -> bool {
        self.taken.contains(key)
    }

    pub(crate) fn position(&self, key: &T::Key) -> Option<usize> {
        let index = || self.rows.iter().enumerate().map(|(i, row)| (row.lock_key(), i)).collect();
        let index = self.index.get_or_init(index);
        index.get(key).or_else(|| index.get(self.same.get(key)?)).copied()
    }

    pub(crate) fn take(&mut self) -> Vec<T> {
        self.index = OnceLock::new();
        std::mem::take(&mut self.rows)
    }

    pub(crate) fn remove(&mut self, key: &T::Key) -> Option<T> {
        let position = self.position(key)?;
        self.index = OnceLock::new();
        self.taken.push(key.clone());
        Some(self.rows.remove(position))
    }
}
