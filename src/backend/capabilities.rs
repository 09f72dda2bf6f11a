//! The traits for what not every backend has.

use diesel::{deserialize, query_builder::QueryFragment};

use super::{HidesRows, LockingBackend, Picking};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::Result,
    mode::Strength,
    sql::{AnySelect, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, LockStrength, TableName},
};

/// A backend whose queries take locking clauses: `for_update_of` and its variants.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no locking clauses",
    note = "`for_update_of` and its variants exist on PostgreSQL, MySQL and MariaDB",
    note = "SQLite has one writer and locks no rows: use `LockSet::new().query::<T>(query).lock(conn)`, which makes the transaction the \
            writer, or `query.pick(n, conn)` without a clause"
)]
pub trait HasLockingClauses: LockingBackend {
    /// Builds the statement that locks the free rows of a single query and returns the keys of the other rows.
    #[doc(hidden)]
    fn busy_rows<'q>(
        query: &'q dyn AnySelect<Self>,
        key: &'q dyn QueryFragment<Self>,
        table: &'q TableName,
        strength: Strength,
    ) -> Statement<'q, Self>;

    /// Reads the key, as text, from a row of that answer.
    #[doc(hidden)]
    fn busy_key(row: &RowRef<'_, Self>) -> deserialize::Result<String>;

    /// The statements that find rows which a query shows and no lock can reach; `None` where there are no such rows.
    #[doc(hidden)]
    const HIDES_ROWS: Option<HidesRows<Self>> = None;

    /// Refuses a query with this text if its locking clause would refer to another table than `table`.
    #[doc(hidden)]
    fn check_table(_sql: &str, _table: &TableName) -> Result<()> {
        Ok(())
    }

    /// Builds the statement that locks the first free rows of a query and returns the query's own select list.
    #[doc(hidden)]
    fn pick_selected<'q>(query: &'q dyn AnySelect<Self>, pick: Picking<'q>) -> Statement<'q, Self>;
}

/// A backend that can leave out the rows that other sessions hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot skip locked rows",
    note = "`skip_locked` exists on PostgreSQL, MySQL and MariaDB",
    note = "SQLite has one writer: while another transaction is the writer no row is free, and afterwards every row is; use `no_wait()` to \
            fail at once, or `timeout(..)` to wait for a limited time"
)]
pub trait HasSkipLocked: LockingBackend {}

/// A backend with shared row locks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no shared row locks",
    note = "`for_share` and `for_share_of` exist on PostgreSQL, MySQL and MariaDB",
    note = "on SQLite a transaction that locks is the only writer: leave the strength out, the default protects the rows as well"
)]
pub trait HasShareLocks: LockingBackend {}

/// A backend that distinguishes locks on a row from locks on its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell a lock on a row from a lock on its key",
    note = "`for_no_key_update` and `for_key_share` exist on PostgreSQL only; use `for_update`, or `for_share` where the backend has it",
    note = "on SQLite a transaction that locks is the only writer: leave the strength out, the default protects the rows as well"
)]
pub trait HasKeyLocks: LockingBackend {}

macro_rules! strengths {
    ($($word:ident => $strength:ident on $has:ident;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<DB: $has> LockStrength<DB> for $word {
            const STRENGTH: Strength = Strength::$strength;
        }
    )*};
}

strengths! {
    ForUpdate => Update on LockingBackend;
    ForNoKeyUpdate => NoKeyUpdate on HasKeyLocks;
    ForShare => Share on HasShareLocks;
    ForKeyShare => KeyShare on HasKeyLocks;
}
