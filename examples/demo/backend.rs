//! What the demo asks of a kind of server; everything else is the same for all.

use diesel::prelude::*;
use diesel_lockset::LockError;

use crate::{
    bank::{Bank, Transfer},
    shared::{DatabaseOn, Result, Server},
};

/// One way to make a transfer, in a transaction of its own.
pub(crate) type MakeTransfer<C> = fn(&mut C, &Transfer) -> Result<(), LockError>;

pub(crate) trait Backend: Server {
    const IN_ORDER_OF_NEED: MakeTransfer<Self>;
    const IN_ONE_SET: MakeTransfer<Self>;

    /// Makes pgbench's tables, with 100,000 accounts, 10 tellers and 1 branch.
    fn make_tables(database: &DatabaseOn<Self>) -> Result<()>;

    fn open_bank(&mut self) -> QueryResult<Bank>;

    fn money(&mut self) -> QueryResult<i64>;

    /// The deadlocks that the server has counted so far, once all other sessions of this database are gone.
    fn deadlocks(&mut self) -> QueryResult<i64>;

    /// Whether those are of this database alone. If not, other programs may have had a part in them.
    const COUNTS_DEADLOCKS_BY_DATABASE: bool;
}
