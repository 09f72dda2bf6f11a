//! PostgreSQL's [advisory locks][manual].
//!
//! [manual]: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::{Error as DieselError, QueryResult},
    row::Row,
    sql_types::{BigInt, Bool},
};

use super::holders::holder;
use crate::{
    backend::{AdvisoryCall, HasAdvisoryLocks, HasSharedAdvisoryLocks, HasTransactionAdvisoryLocks},
    diesel_internals::{RowRef, Statement},
    error::Holder,
    key::LockName,
};

impl HasAdvisoryLocks for Pg {
    const END_WITH_TRANSACTIONS: bool = true;
    const NAMES_CHANGE: bool = false;

    fn advisory<'q>(call: AdvisoryCall, name: LockName<'q>, shared: bool) -> Statement<'q, Pg> {
        Statement::new(Advisory { call, key: name.key, shared })
    }

    fn advisory_answer(call: AdvisoryCall, row: &RowRef<'_, Pg>) -> QueryResult<bool> {
        // Those that wait until they have it return nothing.
        let waited = matches!(call, AdvisoryCall::Lock | AdvisoryCall::LockForTransaction);
        if waited { Ok(true) } else { row.get_value::<Bool, bool, _>(0).map_err(DieselError::DeserializationError) }
    }

    fn advisory_holders<'q>(name: LockName<'q>) -> Statement<'q, Pg> {
        Statement::new(Holders { key: name.key })
    }

    fn advisory_holder(row: &RowRef<'_, Pg>) -> deserialize::Result<Holder> {
        holder(row)
    }
}

impl HasSharedAdvisoryLocks for Pg {}
impl HasTransactionAdvisoryLocks for Pg {}

/// `SELECT pg_advisory_lock($1)` and its sisters.
struct Advisory {
    call: AdvisoryCall,
    key: i64,
    shared: bool,
}

impl QueryFragment<Pg> for Advisory {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let function = match (self.call, self.shared) {
            (AdvisoryCall::Lock, false) => "pg_advisory_lock",
            (AdvisoryCall::Lock, true) => "pg_advisory_lock_shared",
            (AdvisoryCall::TryLock, false) => "pg_try_advisory_lock",
            (AdvisoryCall::TryLock, true) => "pg_try_advisory_lock_shared",
            (AdvisoryCall::Unlock, false) => "pg_advisory_unlock",
            (AdvisoryCall::Unlock, true) => "pg_advisory_unlock_shared",
            (AdvisoryCall::LockForTransaction, false) => "pg_advisory_xact_lock",
            (AdvisoryCall::LockForTransaction, true) => "pg_advisory_xact_lock_shared",
            (AdvisoryCall::TryLockForTransaction, false) => "pg_try_advisory_xact_lock",
            (AdvisoryCall::TryLockForTransaction, true) => "pg_try_advisory_xact_lock_shared",
            (AdvisoryCall::IsMine, shared) => {
                pass.push_sql("SELECT EXISTS (SELECT");
                walk_held(&self.key, &mut pass)?;
                pass.push_sql(" AND \"held\".\"pid\" = pg_backend_pid() AND \"mode\" = ");
                pass.push_sql(if shared { "'ShareLock')" } else { "'ExclusiveLock')" });
                return Ok(());
            }
            (AdvisoryCall::IsHeld, _) => {
                pass.push_sql("SELECT EXISTS (SELECT");
                walk_held(&self.key, &mut pass)?;
                pass.push_sql(")");
                return Ok(());
            }
        };
        pass.push_sql("SELECT ");
        pass.push_sql(function);
        pass.push_sql("(");
        pass.push_bind_param::<BigInt, i64>(&self.key)?;
        pass.push_sql(")");
        Ok(())
    }
}

/// The same columns as those of a row's holders.
struct Holders {
    key: i64,
}

impl QueryFragment<Pg> for Holders {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT DISTINCT \"activity\".\"pid\", \"application_name\", \"state\", \
             extract(epoch FROM statement_timestamp() - \"xact_start\")::float8 AS \"age\", \"query\" \
             FROM \"pg_catalog\".\"pg_stat_activity\" AS \"activity\" WHERE \"activity\".\"pid\" IN (SELECT \"held\".\"pid\"",
        );
        walk_held(&self.key, &mut pass)?;
        // What sessions do is read once a transaction unless that is forgotten first.
        pass.push_sql(") AND (SELECT pg_stat_clear_snapshot()) IS NOT NULL ORDER BY \"activity\".\"pid\"");
        Ok(())
    }
}

/// The sessions that hold a lock of one `bigint`, in this database.
fn walk_held<'b>(key: &'b i64, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    pass.push_sql(
        " FROM \"pg_catalog\".\"pg_locks\" AS \"held\" WHERE \"locktype\" = 'advisory' AND \"objsubid\" = 1 AND \"granted\" \
         AND \"database\" = (SELECT \"oid\" FROM \"pg_catalog\".\"pg_database\" WHERE \"datname\" = current_database()) \
         AND ((\"classid\"::bigint << 32) | \"objid\"::bigint) = ",
    );
    pass.push_bind_param::<BigInt, i64>(key)
}
