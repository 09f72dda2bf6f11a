//! The limit on the waits of a migration for locks: `SET LOCAL lock_timeout`, which ends with the transaction.
//!
//! A migration can commit what it has done, by a `COMMIT` in its text, and wait after that under a limit of the server's or of its own. A
//! setting of the session shows it: it is made in the migration's transaction, and a rollback of that transaction undoes it.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::Bool,
};

use super::clock::milliseconds;
use crate::{
    backend::{LockLimit, lock_limit::Changes},
    diesel_internals::Statement,
};

pub(super) const LOCK_LIMIT: LockLimit<Pg> = LockLimit {
    set: |time| format!("SET LOCAL lock_timeout = {}; SET diesel_lockset.migration = 'begun'", milliseconds(time)),
    restore: None,
    forget: Some("RESET diesel_lockset.migration"),
    changes: Some(Changes {
        statement: || Statement::new(Committed),
        // As many as are not those of one statement that failed.
        count: |row| Ok(if row.get_value::<Bool, bool, _>(0)? { 2 } else { 0 }),
    }),
};

/// Asks whether the transaction of a migration was committed, and takes the setting back.
struct Committed;

impl QueryFragment<Pg> for Committed {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT coalesce(pg_catalog.current_setting('diesel_lockset.migration', true), '') OPERATOR(pg_catalog.=) 'begun', \
             pg_catalog.set_config('diesel_lockset.migration', '', false)",
        );
        Ok(())
    }
}
