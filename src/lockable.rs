//! The trait that `#[derive(Lockable)]` implements: which table a model lives in and what its key is.
//!
//! Nothing here sends SQL or knows a backend; what a backend needs beyond it is in [`crate::sql`].

use diesel::{
    expression::Expression,
    query_source::Table,
    sql_types::{SqlType, is_nullable::NotNull},
};

use crate::key::LockKey;

/// A model whose row can be locked: it knows its table, its primary key and its name.
///
/// Implement it with `#[derive(Lockable)]`, which reads the same attributes as Diesel's
/// [`Identifiable`](diesel::Identifiable): `#[diesel(table_name = ..)]`, `#[diesel(primary_key(..))]` and
/// `#[diesel(column_name = ..)]`.
///
/// The key columns must not be `Nullable` in `table!`: a key that is NULL equals none, so its row could not be found by it. The
/// compiler refuses such a model, also if an alias hides the `Option` of its field.
///
/// Nothing is locked by this trait. The verbs are [`lock`](crate::LockDsl::lock),
/// [`lock_by_id`](crate::LockDsl::lock_by_id), [`with_lock`](crate::LockDsl::with_lock) for one row and
/// [`LockSet`](crate::LockSet) for any number of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be locked: it does not say which row it is",
    label = "this type has no lock key",
    note = "add `#[derive(Lockable)]` to `{Self}`"
)]
pub trait Lockable: Sized + Send + 'static {
    /// The table of the model, as `diesel::table!` names it.
    type Table: Table + Send + 'static;

    /// The primary key: the type of the key field, or a tuple of them for a composite key.
    type Key: LockKey;

    /// The key columns in the order of `table!`'s primary key, as a type.
    #[doc(hidden)]
    type KeyColumns: PrimaryKeyOf<Self::Table>;

    /// The name of the Rust type, as messages show it.
    const TYPE_NAME: &'static str;

    /// The table, as a value.
    fn table() -> Self::Table;

    /// The primary key of this instance.
    fn lock_key(&self) -> Self::Key;
}

/// One key column, as opposed to a tuple of them.
///
/// A bare column type would do, were it not that Rust cannot rule out that a tuple is a column too one day: impls for
/// both would conflict.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, Default)]
pub struct One<C>(core::marker::PhantomData<C>);

/// The key columns of a model are the primary key of its table, in the same order.
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

/// A column, and whether `table!` says that it can be NULL.
#[doc(hidden)]
pub trait KeyColumn {
    type Nullability;
}

impl<C: Expression<SqlType: SqlType>> KeyColumn for C {
    type Nullability = <C::SqlType as SqlType>::IsNull;
}

type NullabilityOf<C> = <C as KeyColumn>::Nullability;

/// A key that can be NULL is equal to no key, its own included, so a row that has it would not be found by it.
///
/// The columns are asked, not the fields: an alias or a type of the application's can hide an `Option`, but Diesel loads none from a
/// column that `table!` says is never NULL.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the key column `{C}` can be NULL, so rows could not be found by it",
    label = "`table!` says `Nullable<..>`, and NULL equals nothing, not even itself",
    note = "let `table!` name a key whose columns are never NULL; if this one is never NULL, leave `Nullable` out"
)]
pub trait NeverNull<C> {}

impl<C> NeverNull<C> for NotNull {}

/// Type equality with a sentence of its own.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the model's key is not the primary key of its table",
    label = "`table!` says that the primary key is `{Self}`, the model says `{C}`",
    note = "name the key columns with `#[diesel(primary_key(..))]`, all of them, in the order of `table!`"
)]
pub trait IsKey<C> {}

impl<C> IsKey<C> for C {}
