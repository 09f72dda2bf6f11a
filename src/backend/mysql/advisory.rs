//! Advisory locks: [user locks of MySQL][mysql] and [of MariaDB][mariadb].
//!
//! Their names are shared by all databases of the server, so the database is part of each name. The server adds it, at no extra round trip.
//!
//! [mysql]: https://dev.mysql.com/doc/refman/9.7/en/locking-functions.html
//! [mariadb]: https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/miscellaneous-functions/get_lock

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::{DatabaseErrorKind, Error as DieselError, QueryResult},
    row::Row,
    sql_types::{BigInt, Binary, Nullable},
};

use super::{
    fragments::keep_out_of_cache,
    holders::{HOLDER, TRANSACTION_ON_MYSQL, holder},
    lock_limit::LOCK_LIMIT,
};
use crate::{
    backend::{AdvisoryBackend, AdvisoryCall, LockLimit, SupportsAdvisory},
    diesel_internals::{RowRef, Statement},
    error::{Holder, LockError},
    key::LockName,
    markers::Exclusive,
};

impl SupportsAdvisory<Exclusive> for Mysql {}

impl AdvisoryBackend for Mysql {
    const END_WITH_TRANSACTIONS: bool = false;
    const NAMES_CHANGE: bool = true;
    const LOCK_LIMIT: LockLimit<Mysql> = LOCK_LIMIT;

    fn advisory<'q>(call: AdvisoryCall, name: LockName<'q>, _shared: bool) -> Statement<'q, Mysql> {
        Statement::new(Advisory { call, name: name.text.as_bytes() })
    }

    fn advisory_answer(call: AdvisoryCall, row: &RowRef<'_, Mysql>) -> QueryResult<bool> {
        let answer = row.get_value::<Nullable<BigInt>, Option<i64>, _>(0).map_err(DieselError::DeserializationError)?;
        match answer {
            Some(NO_DATABASE) => Err(LockError::no_database().into()),
            Some(answer) => Ok(answer == 1),
            None if call == AdvisoryCall::Unlock => Ok(false),
            None => Err(ended()),
        }
    }

    fn advisory_holders<'q>(name: LockName<'q>) -> Statement<'q, Mysql> {
        Statement::new(Holders { name: name.text.as_bytes() })
    }

    fn advisory_holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
        holder(row)
    }
}

/// Builds the statement that releases a lock.
pub(super) fn release(name: LockName<'_>) -> Statement<'_, Mysql> {
    Mysql::advisory(AdvisoryCall::Unlock, name, false)
}

/// The answer to a session that has chosen no database.
const NO_DATABASE: i64 = -1;

/// Builds the error for the answer NULL, which is MariaDB's only answer if the statement is killed or its time is up. It has the text of
/// the error that MySQL raises then.
fn ended() -> DieselError {
    DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new("Query execution was interrupted".to_owned()))
}

/// The longest timeout that both servers take: a year. MariaDB does not accept -1 as an unlimited wait; it would answer NULL, without a
/// lock.
const FOR_EVER: &str = ", 31536000)";

/// Calls a lock function: `SELECT GET_LOCK(.., 0)`, `RELEASE_LOCK` or `IS_USED_LOCK`.
struct Advisory<'q> {
    call: AdvisoryCall,
    name: &'q [u8],
}

impl QueryFragment<Mysql> for Advisory<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        // These servers have no calls for a transaction, and no caller can ask for them.
        let (function, rest) = match self.call {
            AdvisoryCall::Lock | AdvisoryCall::LockForTransaction => ("GET_LOCK(", FOR_EVER),
            AdvisoryCall::TryLock | AdvisoryCall::TryLockForTransaction => ("GET_LOCK(", ", 0)"),
            AdvisoryCall::Unlock => ("RELEASE_LOCK(", ")"),
            AdvisoryCall::IsMine => ("IS_USED_LOCK(", ") <=> CONNECTION_ID()"),
            AdvisoryCall::IsHeld => ("IS_USED_LOCK(", ") IS NOT NULL"),
        };
        pass.push_sql("SELECT IF(DATABASE() IS NULL, ");
        pass.push_bind_param::<BigInt, i64>(&NO_DATABASE)?;
        pass.push_sql(", ");
        pass.push_sql(function);
        walk_name(self.name, &mut pass)?;
        pass.push_sql(rest);
        pass.push_sql(")");
        Ok(())
    }
}

/// Reads the sessions that hold a lock, with the same columns as for the holders of a row.
struct Holders<'q> {
    name: &'q [u8],
}

impl QueryFragment<Mysql> for Holders<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql("SELECT ");
        pass.push_sql(HOLDER);
        pass.push_sql(" FROM (SELECT IF(DATABASE() IS NULL, NULL, IS_USED_LOCK(");
        walk_name(self.name, &mut pass)?;
        pass.push_sql(
            ")) AS `id`) AS `held` INNER JOIN \
             /*!80001 `performance_schema`.`threads` AS `session` ON `session`.`processlist_id` = `held`.`id` */ \
             /*M! `information_schema`.`processlist` AS `session` ON `session`.`id` = `held`.`id` \
             LEFT JOIN `information_schema`.`innodb_trx` AS `trx` ON `trx`.`trx_mysql_thread_id` = `session`.`id` */",
        );
        pass.push_sql(TRANSACTION_ON_MYSQL);
        Ok(())
    }
}

/// Writes the name of the lock on the server. The parts are joined as bytes, whatever the character set of the session: `0x7C` is `|`.
///
/// In a prepared statement `DATABASE()` is the database in which it was prepared. The same holds for the tables of all of Diesel's
/// statements.
fn walk_name<'b>(name: &'b [u8], pass: &mut AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
    pass.push_sql("CONVERT(LEFT(SHA2(CONCAT(CAST(DATABASE() AS BINARY), 0x7C, CAST(");
    pass.push_bind_param::<Binary, [u8]>(name)?;
    pass.push_sql(" AS BINARY)), 256), 16) USING ascii)");
    Ok(())
}
