//! Primary keys: the bounds of a key type, the conversions into it, and a type-erased key for errors.

use std::{
    any::Any,
    cmp::Ordering,
    fmt::{self, Debug},
    hash::Hash,
    sync::Arc,
};

/// The type of a primary key: it can be compared, hashed, cloned and shown in an error. [`RowKey`] has an example.
///
/// Every type that has these traits implements it. A tuple of such types is the key of a table with a composite key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a lock key",
    label = "not usable as (part of) a primary key",
    note = "a key is `Clone + Eq + Hash + Debug + Send + Sync + 'static`: derive them for your own key types; \
            floating point numbers have no total equality and cannot be keys"
)]
pub trait LockKey: Clone + Eq + Hash + Debug + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<K> LockKey for K where K: Clone + Eq + Hash + Debug + Send + Sync + 'static {}

/// A value that converts into a key: the key itself, a reference to it, and `&str` for a `String` key.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// let keys = vec![1, 2];
/// let by_reference = LockSet::new().ids::<Account>(&keys).lock(conn)?;
/// let by_value = LockSet::new().ids::<Account>(keys).lock(conn)?;
/// # assert_eq!(by_reference.rows::<Account>(), by_value.rows::<Account>());
/// # Ok(()) }) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of this table: its key is `{K}`",
    label = "expected `{K}` or `&{K}`"
)]
pub trait IntoKey<K> {
    /// Returns the owned key.
    fn into_key(self) -> K;
}

impl<K> IntoKey<K> for K {
    fn into_key(self) -> K {
        self
    }
}

impl<K: Clone> IntoKey<K> for &K {
    fn into_key(self) -> K {
        self.clone()
    }
}

impl IntoKey<String> for &str {
    fn into_key(self) -> String {
        self.to_owned()
    }
}

/// From an iterator over `&["a", "b"]`.
#[diagnostic::do_not_recommend]
impl IntoKey<String> for &&str {
    fn into_key(self) -> String {
        (*self).to_owned()
    }
}

/// A type-erased key, so that keys of many tables fit into one error.
///
/// Its `Display` is the `Debug` form of the key. [`get`](Self::get) returns the typed key.
///
/// ```
/// use diesel_lockset::error::RowKey;
///
/// let key = RowKey::new(42_i64);
/// assert_eq!(key.to_string(), "42");
/// assert_eq!(key.get::<i64>(), Some(&42));
/// assert_eq!(key.get::<String>(), None);
/// ```
#[derive(Clone)]
pub struct RowKey(Arc<dyn AnyKey>);

impl RowKey {
    /// Erases the type of a key.
    pub fn new<K: LockKey>(key: K) -> Self {
        RowKey(Arc::new(key))
    }

    /// Compares two keys where Rust and every server agree about the order: integers, and pairs of `i32` or `i64`.
    ///
    /// `None` for all others: the order of strings is known to the server only.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        macro_rules! try_each {
            ($($K:ty),*) => {$(
                if let (Some(this), Some(other)) = (self.get::<$K>(), other.get::<$K>()) {
                    return Some(this.cmp(other));
                }
            )*};
        }
        try_each!(i16, i32, i64, u16, u32, u64, (i32, i32), (i64, i64), (i32, i64), (i64, i32));
        None
    }

    /// Returns the key if it is a `K`: the type of the key field, or a tuple of such types for a composite key.
    #[must_use]
    pub fn get<K: 'static>(&self) -> Option<&K> {
        self.0.as_any().downcast_ref()
    }
}

impl PartialEq for RowKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.same(&*other.0)
    }
}

impl Eq for RowKey {}

impl Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&self.0, f)
    }
}

trait AnyKey: Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn same(&self, other: &dyn AnyKey) -> bool;
}

impl<K: LockKey> AnyKey for K {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn same(&self, other: &dyn AnyKey) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }
}

/// The name of an advisory lock, in the two forms that backends use.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct LockName<'a> {
    /// The canonical text, which MySQL and MariaDB hash together with the database.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) text: &'a str,
    /// The `bigint` key of the lock on PostgreSQL.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) key: i64,
}
