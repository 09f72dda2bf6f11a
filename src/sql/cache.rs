//! What types alone determine, worked out once for the whole process.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

/// Values by the types they follow from.
///
/// It never shrinks: there are as many entries as queries, models and calls in the program.
pub(crate) struct Cache<K, V>(RwLock<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> Cache<K, V> {
    pub(crate) const fn new() -> Self {
        Cache(RwLock::new(BTreeMap::new()))
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The value of the types, made if it is not known; made each time if the types do not determine it.
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
