//! A process-wide cache of values that types alone determine.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

/// A cache of values, keyed by the types that determine them.
///
/// Entries are never removed: there are as many as queries, models and calls in the program.
pub(crate) struct Cache<K, V>(RwLock<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> Cache<K, V> {
    pub(crate) const fn new() -> Self {
        Cache(RwLock::new(BTreeMap::new()))
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Returns the cached value of the key, or makes and caches it. Without a key, since the types do not determine the value, makes it
    /// each time.
    pub(crate) fn get_or_make<E>(&self, key: Option<K>, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let Some(key) = key else { return make() };
        if let Some(value) = self.get(&key) {
            return Ok(value);
        }
        let value = make()?;
        self.insert(key, value.clone());
        Ok(value)
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
    }
}
