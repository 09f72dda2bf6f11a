//! The statements of PostgreSQL's [advisory locks][manual].
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

use super::{
    holders::{SELECT_HOLDER, THIS_DATABASE, holder},
    lock_limit::LOCK_LIMIT,
};
use crate::{
    backend::{AdvisoryBackend, AdvisoryCall, LockLimit, SupportsAdvisory},
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError},
    key::LockName,
    markers::{Exclusive, Shared, Transactional},
};

impl AdvisoryBackend for Pg {
    const END_WITH_TRANSACTIONS: bool = true;
    const NAMES_CHANGE: bool = false;
    const LOCK_LIMIT: LockLimit<Pg> = LOCK_LIMIT;

    fn advisory<'q>(call: AdvisoryCall, name: LockName<'q>, shared: bool) -> Statement<'q, Pg> {
        Statement::new(Advisory { call, key: name.key, shared })
    }

    fn no_advisory_answer() -> DieselError {
        LockError::on_a_standby().into()
    }

    /// The lock is released after the commit: the changes are visible when the next session gets it. The key is a number, so it can be a part
    /// of the text, which has no bind parameters. As a bare literal the smallest number would be a `numeric`.
    fn commit_and_unlock(name: LockName<'_>, shared: bool) -> Option<String> {
        let function = if shared { "pg_advisory_unlock_shared" } else { "pg_advisory_unlock" };
        Some(format!("COMMIT; SELECT pg_catalog.{function}('{}'::pg_catalog.int8)", name.key))
    }

    fn advisory_answer(call: AdvisoryCall, row: &RowRef<'_, Pg>) -> QueryResult<bool> {
        // The functions that wait for the lock return no value.
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

impl SupportsAdvisory<Exclusive> for Pg {}
impl SupportsAdvisory<Shared> for Pg {}
impl SupportsAdvisory<Transactional> for Pg {}

/// Calls an advisory lock function: `SELECT pg_advisory_lock($1)` and similar.
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
                pass.push_sql(" AND \"held\".\"pid\" OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND \"mode\" OPERATOR(pg_catalog.=) ");
                pass.push_sql(if shared { "'ShareLock')" } else { "'ExclusiveLock')" });
                return Ok(());
            }
            (AdvisoryCall::IsHeld, _) => {
                pass.push_sql("SELECT EXISTS (SELECT");
                walk_held(&self.key, &mut pass)?;
                pass.push_sql(")");
                pass.push_sql(NOT_ON_A_STANDBY);
                return Ok(());
            }
        };
        pass.push_sql("SELECT pg_catalog.");
        pass.push_sql(function);
        pass.push_sql("(");
        pass.push_bind_param::<BigInt, i64>(&self.key)?;
        pass.push_sql(")");
        if self.call != AdvisoryCall::Unlock {
            pass.push_sql(NOT_ON_A_STANDBY);
        }
        Ok(())
    }
}

/// The condition that keeps a lock from being taken on a standby. It is evaluated before the function: on a standby nothing is taken and no
/// row comes back.
const NOT_ON_A_STANDBY: &str = " WHERE NOT pg_catalog.pg_is_in_recovery()";

/// Reads the sessions that hold an advisory lock, with the same columns as those of a row's holders.
struct Holders {
    key: i64,
}

impl QueryFragment<Pg> for Holders {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(SELECT_HOLDER);
        pass.push_sql(
            " FROM \"pg_catalog\".\"pg_stat_activity\" AS \"activity\" \
             WHERE \"activity\".\"pid\" OPERATOR(pg_catalog.=) ANY (SELECT \"held\".\"pid\"",
        );
        walk_held(&self.key, &mut pass)?;
        // The activity of sessions is read once per transaction unless its snapshot is cleared first.
        pass.push_sql(") AND (SELECT pg_catalog.pg_stat_clear_snapshot()) IS NOT NULL ORDER BY \"activity\".\"pid\"");
        Ok(())
    }
}

/// Writes the source and condition that find the sessions of this database that hold a lock of one `bigint`.
fn walk_held<'b>(key: &'b i64, pass: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    pass.push_sql(
        " FROM \"pg_catalog\".\"pg_locks\" AS \"held\" WHERE \"locktype\" OPERATOR(pg_catalog.=) 'advisory' \
         AND \"objsubid\" OPERATOR(pg_catalog.=) 1 AND \"granted\" AND \"database\" OPERATOR(pg_catalog.=) ",
    );
    pass.push_sql(THIS_DATABASE);
    pass.push_sql(
        " AND ((\"classid\"::bigint OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) \"objid\"::bigint) OPERATOR(pg_catalog.=) ",
    );
    pass.push_bind_param::<BigInt, i64>(key)
}
