//! Whether a row is locked, found out without waiting: asked with `SKIP LOCKED` from another session, and compared with
//! a plain read.
//!
//! Under READ COMMITTED, where no gaps between rows are locked and nothing old is read. For the moment of the question
//! the rows that are free are locked.

use diesel::{
    MysqlConnection, QueryResult, RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{Integer, Text},
};

use super::{MysqlFamily, answer};
use crate::support::probe::Held;

/// How both servers, in this order, are asked for a row that nobody else has.
pub(super) const FOR_UPDATE: [&str; 2] = ["FOR UPDATE SKIP LOCKED", "FOR UPDATE SKIP LOCKED"];

/// How MySQL and MariaDB, in this order, are asked for a row that others may share.
pub(super) const FOR_SHARE: [&str; 2] = ["FOR SHARE SKIP LOCKED", "LOCK IN SHARE MODE SKIP LOCKED"];

/// What a session finds that wants the one row of `table` that `condition` picks out.
pub(super) fn probe(conn: &mut MysqlConnection, strength: [&str; 2], table: &str, condition: &str) -> Held {
    let clause = strength[usize::from(MysqlFamily::is_mariadb(conn))];
    let rows = format!("SELECT 1 FROM {table} WHERE {condition}");
    let [seen, got] = look(conn, |conn| {
        let seen: Vec<i32> = sql::<Integer>(&rows).load(conn)?;
        let got: Vec<i32> = sql::<Integer>(&format!("{rows} {clause}")).load(conn)?;
        Ok([seen.len(), got.len()])
    });
    Held::of(seen, got, table, condition)
}

/// The keys, in order and as text, of the rows of `table` that a session could not lock for update.
pub(super) fn held_keys(conn: &mut MysqlConnection, table: &str, key: &str) -> Vec<String> {
    let columns = key.trim_start_matches('(').trim_end_matches(')');
    // As PostgreSQL writes a row.
    let text = match columns.split_once(',') {
        Some(_) => format!("CONCAT('(', CONCAT_WS(',', {columns}), ')')"),
        None => columns.to_owned(),
    };
    let rows = format!("SELECT CAST({text} AS CHAR) FROM {table} ORDER BY {columns}");
    let (seen, free) = look(conn, |conn| {
        let seen: Vec<String> = sql::<Text>(&rows).load(conn)?;
        let free: Vec<String> = sql::<Text>(&format!("{rows} {}", FOR_UPDATE[0])).load(conn)?;
        Ok((seen, free))
    });
    seen.into_iter().filter(|key| !free.contains(key)).collect()
}

/// Asks, and gives back at once whatever the question locked.
fn look<T>(conn: &mut MysqlConnection, question: impl FnOnce(&mut MysqlConnection) -> QueryResult<T>) -> T {
    let begun = conn.batch_execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN");
    answer("the probe does not begin", begun);
    let found = question(conn);
    answer("the probe does not end", conn.batch_execute("ROLLBACK"));
    answer("the probe failed", found)
}
