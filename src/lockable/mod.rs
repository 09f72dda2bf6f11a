//! The trait that `#[derive(Lockable)]` implements: the table and the primary key of a model.
//!
//! Nothing here sends SQL or depends on a backend; what a backend needs beyond it is in [`crate::sql`].

mod row_request;

use std::time::Duration;

use diesel::{
    expression::Expression,
    query_source::Table,
    sql_types::{SqlType, is_nullable::NotNull},
};

pub use self::row_request::RowRequest;
use crate::{
    key::{IntoKey, LockKey},
    markers::{Blocking, NoWait, SkipLocked, Timeout},
    mode::WaitPolicy,
};

/// A model whose row can be locked: it has a table, a primary key and a name.
///
/// Implement it with `#[derive(Lockable)]`, which reads the same attributes as Diesel's
/// [`Identifiable`](diesel::Identifiable): `#[diesel(table_name = ..)]`, `#[diesel(primary_key(..))]` and
/// `#[diesel(column_name = ..)]`.
///
/// The key columns must not be `Nullable` in `table!`: a key that is NULL equals no key, so its row could not be found by it. The
/// compiler refuses such a model, also if an alias hides the `Option` of its field.
///
/// The trait itself locks nothing: its methods begin a request for one row. The methods that lock are [`lock`](crate::LockDsl::lock),
/// [`lock_by_id`](crate::LockDsl::lock_by_id) and [`with_lock`](crate::LockDsl::with_lock) for one row, and those of
/// [`LockSet`](crate::LockSet) for any number of rows.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be locked: it does not say which row it is",
    label = "this type has no lock key",
    note = "add `#[derive(Lockable)]` to `{Self}`"
)]
pub trait Lockable: Sized + Send + 'static {
    /// The table of the model, as declared by `diesel::table!`.
    type Table: Table + Send + 'static;

    /// The primary key: the type of the key field, or a tuple of them for a composite key.
    type Key: LockKey;

    /// The key columns in the order of `table!`'s primary key, as a type.
    #[doc(hidden)]
    type KeyColumns: PrimaryKeyOf<Self::Table>;

    /// The name of the model, for messages and for the names of advisory locks: that of the Rust type, or the one that
    /// `#[lockable(name = "..")]` gives.
    const TYPE_NAME: &'static str;

    /// Returns the table.
    fn table() -> Self::Table;

    /// Returns the primary key of this instance.
    fn lock_key(&self) -> Self::Key;

    /// Begins a request for the row with this key, without an instance: `Account::by_id(1).timeout(Duration::from_secs(2)).lock(conn)?`.
    ///
    /// Without a wait policy it waits as long as the server allows, as [`lock_by_id`](crate::LockDsl::lock_by_id) does.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// use std::time::Duration;
    ///
    /// let two_seconds = Duration::from_secs(2);
    /// let account =
    ///     Account::by_id(1).timeout(two_seconds).name_holders().lock(conn)?;
    /// assert_eq!(account.owner, "Ada");
    /// # Ok(()) }) }
    /// ```
    fn by_id(id: impl IntoKey<Self::Key>) -> RowRequest<Self, Blocking> {
        RowRequest::new(id.into_key(), WaitPolicy::Block)
    }

    /// Locks the row at once or not at all: `account.no_wait().lock(conn)?`.
    ///
    /// If another session holds it, the error is [`Contended`](crate::LockError::Contended), and the transaction goes on. See [`LockSet::no_wait`](crate::LockSet::no_wait).
    fn no_wait(&self) -> RowRequest<Self, NoWait> {
        RowRequest::new(self.lock_key(), WaitPolicy::NoWait)
    }

    /// Locks the row unless another session holds it: `account.skip_locked().lock(conn)?` is `None` then.
    ///
    /// A row that does not exist is still [`Missing`](crate::LockError::Missing).
    fn skip_locked(&self) -> RowRequest<Self, SkipLocked> {
        RowRequest::new(self.lock_key(), WaitPolicy::SkipLocked)
    }

    /// Waits at most this long: `account.timeout(Duration::from_millis(500)).lock(conn)?`.
    ///
    /// After that, the error is [`TimedOut`](crate::LockError::TimedOut). Zero means [`no_wait`](Self::no_wait), `None` no limit. See [`LockSet::timeout`](crate::LockSet::timeout).
    fn timeout(&self, timeout: impl Into<Option<Duration>>) -> RowRequest<Self, Timeout> {
        RowRequest::new(self.lock_key(), WaitPolicy::timeout(timeout))
    }

    /// Waits as the policy says, which is known at run time only: `account.wait(policy).lock(conn)` is `None` if the row was skipped.
    fn wait(&self, policy: WaitPolicy) -> RowRequest<Self, WaitPolicy> {
        RowRequest::new(self.lock_key(), policy.normalized())
    }
}

/// A key of one column, as opposed to a tuple of columns.
///
/// The bare column type does not work: Rust cannot rule out that a tuple implements the column traits one day, so impls for
/// both would conflict.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default)]
pub struct One<C>(core::marker::PhantomData<C>);

/// A bound: the key columns of a model are the primary key of its table, in the same order.
///
/// The order matters: a set locks in the order of the key, so two models of one table must agree on it.
#[doc(hidden)]
pub trait PrimaryKeyOf<T>: Send + 'static {}

impl<T, C> PrimaryKeyOf<T> for One<C>
where
    T: Table,
    T::PrimaryKey: IsKey<C>,
    C: KeyColumn + Send + 'static,
    NullabilityOf<C>: NeverNull<C>,
{
}

macro_rules! composite_keys {
    ($(($($C:ident),+))*) => {$(
        impl<T, $($C),+> PrimaryKeyOf<T> for ($($C,)+)
        where
            T: Table,
            T::PrimaryKey: IsKey<($($C,)+)>,
            $($C: KeyColumn + Send + 'static, NullabilityOf<$C>: NeverNull<$C>),+
        {
        }
    )*};
}

composite_keys! {
    (A, B)
    (A, B, C)
    (A, B, C, D)
    (A, B, C, D, E)
    (A, B, C, D, E, F)
    (A, B, C, D, E, F, G)
    (A, B, C, D, E, F, G, H)
}

/// A key column, with its nullability as declared by `table!`.
#[doc(hidden)]
pub trait KeyColumn {
    type Nullability;
}

impl<C: Expression<SqlType: SqlType>> KeyColumn for C {
    type Nullability = <C::SqlType as SqlType>::IsNull;
}

type NullabilityOf<C> = <C as KeyColumn>::Nullability;

/// A bound: the key column `C` is never NULL. A NULL key is equal to no key, not even to itself, so its row would not be found by it.
///
/// It checks the column, not the field: an alias or a type of the application's can hide an `Option`, but Diesel loads no `Option` from a
/// column that `table!` declares as never NULL.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the key column `{C}` can be NULL, so rows could not be found by it",
    label = "`table!` says `Nullable<..>`, and NULL equals nothing, not even itself",
    note = "let `table!` name a key whose columns are never NULL; if this one is never NULL, leave `Nullable` out"
)]
pub trait NeverNull<C> {}

impl<C> NeverNull<C> for NotNull {}

/// A bound for type equality with its own compiler message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the model's key is not the primary key of its table",
    label = "`table!` says that the primary key is `{Self}`, the model says `{C}`",
    note = "name the key columns with `#[diesel(primary_key(..))]`, all of them, in the order of `table!`"
)]
pub trait IsKey<C> {}

impl<C> IsKey<C> for C {}
