//! The limit on the waits of a migration for locks: of tables by [`lock_wait_timeout`][metadata], of rows by `innodb_lock_wait_timeout`.
//!
//! Both count whole seconds, and outlive the transaction. The values before them are in variables of the session meanwhile.
//!
//! A statement that changes a table [commits][commit] what is before it, so a migration that fails may be half done. The session's counters of
//! statements show it: each statement counts one of them up when it begins, also inside of a procedure and if it fails.
//!
//! [metadata]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_lock_wait_timeout
//! [commit]: https://dev.mysql.com/doc/refman/9.7/en/implicit-commit.html

use std::time::Duration;

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::Text,
};

use crate::{
    backend::{LockLimit, lock_limit::Changes},
    diesel_internals::Statement,
};

pub(super) const LOCK_LIMIT: LockLimit<Mysql> = LockLimit {
    set,
    restore: Some(
        "SET SESSION lock_wait_timeout = @diesel_lockset_migration_wait, SESSION innodb_lock_wait_timeout = @diesel_lockset_migration_row_wait, \
         @diesel_lockset_migration_wait = NULL, @diesel_lockset_migration_row_wait = NULL",
    ),
    forget: None,
    changes: Some(Changes {
        statement: || Statement::new(Counters),
        count: |row| Ok(row.get_value::<Text, String, _>(1)?.parse()?),
    }),
};

fn set(time: Duration) -> String {
    // Zero is no limit on some servers, and no wait on others.
    let seconds = time.as_millis().div_ceil(1_000).clamp(1, 31_536_000);
    format!(
        "SET @diesel_lockset_migration_wait = @@SESSION.lock_wait_timeout, @diesel_lockset_migration_row_wait = @@SESSION.innodb_lock_wait_timeout, \
         SESSION lock_wait_timeout = {seconds}, SESSION innodb_lock_wait_timeout = {seconds}"
    )
}

/// Reads the session's counters of statements, except for those that change nothing and those of a transaction's begin and rollback.
struct Counters;

impl QueryFragment<Mysql> for Counters {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(
            "SHOW SESSION STATUS WHERE LEFT(Variable_name, 4) = 'Com_' AND LEFT(Variable_name, 8) <> 'Com_stmt' AND Variable_name NOT IN \
             ('Com_admin_commands', 'Com_begin', 'Com_rollback', 'Com_select', 'Com_set_option', 'Com_show_status')",
        );
        Ok(())
    }
}
