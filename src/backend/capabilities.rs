//! The traits for what not every backend has.

use diesel::{deserialize, query_builder::QueryFragment};

use super::{HidesRows, LockingBackend, Picking};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::Result,
    markers::{ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate},
    mode::Strength,
    sql::{AnySelect, LockStrength, TableName},
};

/// A backend whose statements take locking clauses: `for_update_of` and its variants, and `skip_locked`.
///
/// PostgreSQL, MySQL and MariaDB.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no locking clauses",
    note = "`for_update_of`, its variants and `skip_locked` exist on PostgreSQL, MySQL and MariaDB",
    note = "SQLite has one writer and locks no rows: use `LockSet::new().query::<T>(query).lock(conn)`, which makes the transaction the \
            writer, or `query.pick(n, conn)` without a clause",
    note = "no row is free there while another transaction is the writer, and every row is afterwards: instead of `skip_locked()` use \
            `no_wait()` to fail at once, or `timeout(..)` to wait for a limited time"
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

/// A backend with row locks of the strength `L`, one of the types in [`markers`](crate::markers).
///
/// | | PostgreSQL | MySQL, MariaDB | SQLite |
/// | --- | --- | --- | --- |
/// | [`ForUpdate`] | yes | yes | the transaction becomes the only writer |
/// | [`ForShare`] | yes | yes | |
/// | [`ForNoKeyUpdate`], [`ForKeyShare`] | yes | | |
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no row locks `{L}`",
    note = "`for_share` and `for_share_of` exist on PostgreSQL, MySQL and MariaDB, `for_no_key_update` and `for_key_share` on PostgreSQL only: \
            use `for_update`, or `for_share` where the backend has it",
    note = "on SQLite a transaction that locks is the only writer: leave the strength out, the default protects the rows as well"
)]
pub trait SupportsStrength<L>: LockingBackend {}

impl<DB: LockingBackend> SupportsStrength<ForUpdate> for DB {}

macro_rules! strengths {
    ($($marker:ident => $strength:ident;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<DB: SupportsStrength<$marker>> LockStrength<DB> for $marker {
            const STRENGTH: Strength = Strength::$strength;
        }
    )*};
}

strengths! {
    ForUpdate => Update;
    ForNoKeyUpdate => NoKeyUpdate;
    ForShare => Share;
    ForKeyShare => KeyShare;
}
