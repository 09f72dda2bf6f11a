//! The pieces that the family's statements share: clauses and conditions on the key.

use std::ops::Range;

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::{
    error::LockError,
    mode::{Strength, Wait},
    sql::{Keys, LockClause, ModelText, QueryText, TableName, key_helper},
};

/// Keeps a statement that returns rows out of Diesel's cache.
///
/// The server begins its answer before it locks the rows. If an error follows, such as a deadlock, the client library takes the
/// statement for one whose rows were not all read, and waits for them, for ever, when it is executed again. Seen with libmariadb
/// 3.3 and all servers; also for a statement about one key, if somebody cancels it at the right moment.
pub(super) fn keep_out_of_cache(pass: &mut AstPass<'_, '_, Mysql>) {
    pass.unsafe_to_cache_prepared();
}

/// Begins a statement that reads some rows plainly and locks others: a row that changed between the two is no error.
///
/// MariaDB from 11.6.2 on takes it for one, also under READ COMMITTED, where each statement has a snapshot of its own. Under the
/// other levels, where the transaction has one, the server's setting stays as it is.
pub(super) fn read_and_lock(pass: &mut AstPass<'_, '_, Mysql>) {
    pass.push_sql(
        "/*M!110600 SET STATEMENT innodb_snapshot_isolation = (@@transaction_isolation IN ('REPEATABLE-READ', 'SERIALIZABLE')) FOR */ ",
    );
}

/// Writes the limit that is none: without a limit of its own a statement would end at the session's `sql_select_limit`
/// ([manual][manual]), and rows that exist would be taken for missing ones.
///
/// [manual]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_sql_select_limit
pub(super) fn without_limit(pass: &mut AstPass<'_, '_, Mysql>) {
    pass.push_sql(" LIMIT 18446744073709551615");
}

/// Writes ` FOR UPDATE [NOWAIT | SKIP LOCKED]` or its shared sister, which the two servers spell differently: MySQL runs what stands
/// in `/*!80001 .. */`, MariaDB what stands in `/*M! .. */`, and each takes the other for a comment.
///
/// `of` names the table of a join whose rows are meant. MariaDB has no word for that.
pub(super) fn locking_clause(
    pass: &mut AstPass<'_, '_, Mysql>,
    strength: Strength,
    of: Option<&TableName>,
    wait: Wait,
) -> QueryResult<()> {
    let shared = strength < Strength::NoKeyUpdate;
    pass.push_sql(if shared { " /*!80001 FOR SHARE" } else { " FOR UPDATE" });
    if let Some(table) = of {
        pass.push_sql(if shared { " OF " } else { " /*!80001 OF " });
        table_in_comment(pass, table)?;
        pass.push_sql(if shared { "" } else { " */" });
    }
    if shared {
        pass.push_sql(" */ /*M! LOCK IN SHARE MODE */");
    }
    pass.push_sql(match wait {
        Wait::Block => "",
        Wait::Fail => " NOWAIT",
        Wait::SkipLocked => " SKIP LOCKED",
    });
    Ok(())
}

/// Writes the clauses of a query, of which MariaDB takes one: the strongest, on all tables. It skips if each of them does.
///
/// `/*!80001 FOR UPDATE OF a FOR SHARE OF b */ /*M! FOR UPDATE */`
pub(super) fn locking_clauses(pass: &mut AstPass<'_, '_, Mysql>, mut clauses: Vec<LockClause>) -> QueryResult<()> {
    if let [only] = &clauses[..] {
        return locking_clause(pass, only.strength, Some(&only.table), only.wait);
    }
    clauses.sort_by_key(|clause| std::cmp::Reverse(clause.strength));
    let is_shared = |strength: Strength| strength < Strength::NoKeyUpdate;
    let words = |wait| if wait == Wait::SkipLocked { " SKIP LOCKED" } else { "" };
    pass.push_sql(" /*!80001");
    for LockClause { table, strength, wait } in &clauses {
        pass.push_sql(if is_shared(*strength) { " FOR SHARE OF " } else { " FOR UPDATE OF " });
        table_in_comment(pass, table)?;
        pass.push_sql(words(*wait));
    }
    let shared = clauses.iter().all(|clause| is_shared(clause.strength));
    pass.push_sql(if shared { " */ /*M! LOCK IN SHARE MODE" } else { " */ /*M! FOR UPDATE" });
    let skips = clauses.iter().all(|clause| clause.wait == Wait::SkipLocked);
    pass.push_sql(if skips { " SKIP LOCKED */" } else { " */" });
    Ok(())
}

/// Writes the name of a table inside of a comment that only MySQL runs.
pub(super) fn table_in_comment(pass: &mut AstPass<'_, '_, Mysql>, table: &TableName) -> QueryResult<()> {
    // MariaDB looks for the end of a comment also between backticks.
    if table.bare().contains("*/") || table.bare().contains("/*") {
        return Err(LockError::comment_in_a_name().into());
    }
    pass.push_identifier(table.bare())
}

/// Writes ` FROM` the table by its primary key.
///
/// Whatever other index the server might prefer, it would lock the rows in the order of that index, and rows that it merely
/// reads.
pub(super) fn from_table<'b>(pass: &mut AstPass<'_, 'b, Mysql>, table: &'b dyn ModelText<Mysql>) -> QueryResult<()> {
    pass.push_sql(" FROM ");
    table.walk_table(pass.reborrow())?;
    pass.push_sql(" FORCE INDEX (PRIMARY)");
    Ok(())
}

/// Writes a join that adds nothing to a query, in which the table is named by its primary key: ``LEFT JOIN (SELECT 1 FROM `t` FORCE
/// INDEX (PRIMARY) LIMIT 0) AS `..` ON FALSE``.
///
/// A view has no such index, and both servers say so before they read a row; whatever a locking clause on a view locks, neither
/// says. A helper in front that nothing refers to would do on MariaDB; MySQL does not look at it.
pub(super) fn join_by_key(pass: &mut AstPass<'_, '_, Mysql>, table: &TableName) -> QueryResult<()> {
    pass.push_sql(" LEFT JOIN (SELECT 1 FROM ");
    pass.push_sql(table.quoted());
    pass.push_sql(" FORCE INDEX (PRIMARY) LIMIT 0) AS ");
    pass.push_identifier(&format!("lockset: {}", table.bare().chars().take(55).collect::<String>()))?;
    pass.push_sql(" ON FALSE");
    Ok(())
}

/// Writes the key as one value: `` `t`.`id` `` or ``(`t`.`a`, `t`.`b`)``.
pub(super) fn key_value<'b>(pass: &mut AstPass<'_, 'b, Mysql>, text: &'b dyn ModelText<Mysql>) -> QueryResult<()> {
    let composite = text.key_width() > 1;
    pass.push_sql(if composite { "(" } else { "" });
    text.walk_key(pass.reborrow())?;
    pass.push_sql(if composite { ")" } else { "" });
    Ok(())
}

/// Writes that the key is on one of these lists.
pub(super) fn key_among<'b>(
    pass: &mut AstPass<'_, 'b, Mysql>,
    text: &'b dyn ModelText<Mysql>,
    lists: impl IntoIterator<Item = &'b dyn Keys<Mysql>>,
) -> QueryResult<()> {
    key_value(pass, text)?;
    let mut separator = " IN (";
    for keys in lists {
        pass.push_sql(separator);
        keys.walk(pass.reborrow())?;
        separator = ", ";
    }
    pass.push_sql(")");
    Ok(())
}

/// Writes ``WITH `name` (`k0`, `k1`) AS (SELECT ``.
pub(super) fn with_names(pass: &mut AstPass<'_, '_, Mysql>, name: &str, width: usize) {
    pass.push_sql("WITH ");
    pass.push_sql(name);
    for i in 0..width {
        pass.push_sql(if i == 0 { " (" } else { ", " });
        key_helper(pass, i);
    }
    pass.push_sql(") AS (SELECT ");
}

/// Writes some of those columns: `` `name`.`k0`, `name`.`k1` ``.
pub(super) fn names(pass: &mut AstPass<'_, '_, Mysql>, name: &str, columns: Range<usize>) {
    for i in columns.clone() {
        pass.push_sql(if i == columns.start { "" } else { ", " });
        pass.push_sql(name);
        pass.push_sql(".");
        key_helper(pass, i);
    }
}

/// How a query can be asked about rows that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// By the locking statement itself: its conditions are about the row alone.
    AtOnce,
    /// By a locking read of the table alone, beside the keys of the held rows: `MATCH .. AGAINST` wants the table itself, with all of
    /// its indexes, and in the same `SELECT`.
    Beside,
    /// By a plain read, whose snapshot is younger than the locks under READ COMMITTED: what it reads beside the row is not locked.
    Anew,
}

impl Asked {
    pub(super) fn of(text: &QueryText) -> Self {
        match text {
            QueryText { own: false, .. } => Asked::Anew,
            QueryText { full_text: true, .. } => Asked::Beside,
            QueryText { .. } => Asked::AtOnce,
        }
    }
}

/// `DO 0`, for an end that must be told behind a statement.
pub(super) struct Nothing;

impl QueryFragment<Mysql> for Nothing {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("DO 0");
        Ok(())
    }
}
