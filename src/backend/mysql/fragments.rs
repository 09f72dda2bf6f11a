//! The SQL fragments that several statements share: clauses, and conditions on the key.

use std::ops::Range;

use diesel::{mysql::Mysql, query_builder::AstPass, result::QueryResult};

use crate::{
    error::LockError,
    mode::{Strength, Wait},
    sql::{Keys, LockClause, ModelText, QueryText, TableName, key_helper},
};

/// Keeps a statement out of Diesel's statement cache: its text is not used again, or has to be about the database that is used.
pub(super) fn keep_out_of_cache(pass: &mut AstPass<'_, '_, Mysql>) {
    pass.unsafe_to_cache_prepared();
}

/// Writes the name of a database as a comment, in hexadecimal digits, since any name may be the end of a comment.
///
/// A prepared statement is about the database in which it was prepared. Diesel finds the statements that it keeps by their text: after a `USE`
/// it is another one.
pub(super) fn comment(pass: &mut AstPass<'_, '_, Mysql>, database: &str) {
    pass.push_sql("/* ");
    for byte in database.bytes() {
        pass.push_sql(&format!("{byte:02x}"));
    }
    pass.push_sql(" */ ");
}

/// The head of a statement that reads some rows plainly and locks others. A row that changed between the two is then no error.
///
/// MariaDB from 11.6.2 on treats it as an error, also under READ COMMITTED, where each statement has a snapshot of its own. Under the
/// levels at which the transaction has a snapshot, the server's setting stays as it is.
pub(super) const READ_AND_LOCK: &str = "/*M!110600 SET STATEMENT innodb_snapshot_isolation = (@@transaction_isolation IN ('REPEATABLE-READ', 'SERIALIZABLE')) FOR */ ";

/// The same setting behind others of a head.
pub(super) const SNAPSHOT_ISOLATION: &str =
    "/*M!110600 , innodb_snapshot_isolation = (@@transaction_isolation IN ('REPEATABLE-READ', 'SERIALIZABLE')) */ ";

/// Writes the largest possible limit. Without a limit of its own, a statement would end at the session's `sql_select_limit`
/// ([manual][manual]), and existing rows would be taken for missing ones.
///
/// [manual]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_sql_select_limit
pub(super) fn without_limit(pass: &mut AstPass<'_, '_, Mysql>) {
    pass.push_sql(" LIMIT 18446744073709551615");
}

/// Writes ` FOR UPDATE [NOWAIT | SKIP LOCKED]`, or the clause for a shared lock.
///
/// The two servers have different clauses for shared locks. MySQL runs the text in `/*!80001 .. */`, MariaDB that in `/*M! .. */`, and each
/// of them takes the other one for a comment.
///
/// `of` names the table of a join whose rows are to be locked. MariaDB has no clause for that.
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

/// Writes the locking clauses of a query. MariaDB takes only one of them, which gets the greatest strength and applies to all tables. It
/// skips locked rows if each of the clauses does.
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
    // MariaDB searches for the end of a comment also between backticks.
    if table.bare().contains("*/") || table.bare().contains("/*") {
        return Err(LockError::comment_in_a_name().into());
    }
    pass.push_identifier(table.bare())
}

/// Writes ` FROM` and the table, and forces the primary key as the index.
///
/// With another index, the server would lock the rows in the order of that index, and also rows that it only reads.
pub(super) fn from_table<'b>(pass: &mut AstPass<'_, 'b, Mysql>, table: &'b dyn ModelText<Mysql>) -> QueryResult<()> {
    pass.push_sql(" FROM ");
    table.walk_table(pass.reborrow())?;
    pass.push_sql(" FORCE INDEX (PRIMARY)");
    Ok(())
}

/// Writes a join that adds nothing to a query, and that names the primary key of a table: ``LEFT JOIN (SELECT 1 FROM `t` FORCE INDEX
/// (PRIMARY) LIMIT 0) AS `..` ON FALSE``.
///
/// A view has no such index, and both servers report this before they read a row. Without the join, neither server reports which rows a
/// locking clause on a view locks. A CTE at the beginning that nothing refers to would be enough on MariaDB, but MySQL does not check it.
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

/// Writes the condition that the key is on one of these lists.
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

/// Writes some of these columns: `` `name`.`k0`, `name`.`k1` ``.
pub(super) fn names(pass: &mut AstPass<'_, '_, Mysql>, name: &str, columns: Range<usize>) {
    for i in columns.clone() {
        pass.push_sql(if i == columns.start { "" } else { ", " });
        pass.push_sql(name);
        pass.push_sql(".");
        key_helper(pass, i);
    }
}

/// The way in which a query is evaluated on locked rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// By the locking statement itself, since its conditions are about the row alone.
    AtOnce,
    /// By a locking read of the table alone, joined to the keys of the locked rows. `MATCH .. AGAINST` needs the table itself, with all of
    /// its indexes, in the same `SELECT`.
    Beside,
    /// By a plain read, whose snapshot is younger than the locks under READ COMMITTED. It does not lock the other rows that it reads.
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
