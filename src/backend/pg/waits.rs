//! The query for the sessions that wait, and for those that they wait for.

use std::time::Duration;

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{Bool, Integer, Nullable, Text},
};

use super::{
    holders::THIS_DATABASE,
    session::{HIDDEN, SESSION_WIDTH, seconds, session, session_columns},
};
use crate::{
    backend::{HasLockWaits, WaitsQuery},
    diesel_internals::{RowRef, Statement},
    session::LockSession,
    waits::{Found, FoundHolder, FoundWait, LockKind},
};

impl HasLockWaits for Pg {
    const WAITS: &'static [WaitsQuery<Pg>] = &[WaitsQuery {
        about: "locks and sessions",
        right: "any role may read `pg_locks` and `pg_stat_activity` unless that was revoked",
        statement: |_: Duration| Statement::new(Waits),
        read: found,
    }];
}

/// Reads each wait with each session that is in its way, as [`pg_blocking_pids`][blocking] reports.
///
/// A session that waits for a row waits for the end of the transaction that marked it, and meanwhile holds the lock on the row's place in
/// the table, which tells the table, the row and the strength. A second one waits for that lock.
///
/// The server estimates each of its functions at 1,000 rows. With a subquery for each row of the answer it took the query for an expensive
/// one, and its just-in-time compiler for three seconds (PostgreSQL 15).
///
/// [blocking]: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
struct Waits;

// Functions and operators are the server's own, whatever the search path is.
impl QueryFragment<Pg> for Waits {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "WITH \"lock\" AS MATERIALIZED (SELECT *, pg_catalog.concat_ws('/', \"locktype\", \"database\", \"relation\", \"page\", \
             \"tuple\", \"virtualxid\", \"transactionid\", \"classid\", \"objid\", \"objsubid\") AS \"tag\" FROM \"pg_catalog\".\"pg_locks\"), \
             \"wait\" AS MATERIALIZED (SELECT \"lock\".*, \"blocker\" FROM \"lock\" LEFT JOIN LATERAL \
             pg_catalog.unnest(pg_catalog.pg_blocking_pids(\"pid\")) AS \"by\" (\"blocker\") ON true WHERE NOT \"granted\"), \
             \"activity\" AS MATERIALIZED (SELECT * FROM \"pg_catalog\".\"pg_stat_activity\" \
             WHERE (SELECT pg_catalog.pg_stat_clear_snapshot()) IS NOT NULL) SELECT ",
        );
        pass.push_sql(session_columns!("waiter"));
        pass.push_sql(", ");
        pass.push_sql(session_columns!("holder"));
        pass.push_sql(
            ", \"wait\".\"pid\", \"blocker\", \"queued\".\"pid\" IS NOT NULL, \"wait\".\"locktype\", \
             CASE WHEN COALESCE(\"wait\".\"database\", \"place\".\"database\") OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid, ",
        );
        pass.push_sql(THIS_DATABASE);
        pass.push_sql(
            "]) THEN COALESCE(\"wait\".\"relation\", \"place\".\"relation\")::pg_catalog.regclass::pg_catalog.text END, \
             CASE WHEN COALESCE(\"wait\".\"tuple\", \"place\".\"tuple\") IS NOT NULL THEN pg_catalog.format('(%s,%s)', \
             COALESCE(\"wait\".\"page\", \"place\".\"page\"), COALESCE(\"wait\".\"tuple\", \"place\".\"tuple\")) \
             WHEN \"wait\".\"locktype\" OPERATOR(pg_catalog.=) 'advisory' THEN CASE WHEN \"wait\".\"objsubid\" OPERATOR(pg_catalog.=) 1 \
             THEN ((\"wait\".\"classid\"::bigint OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) \
             \"wait\".\"objid\"::bigint)::pg_catalog.text ELSE pg_catalog.format('(%s,%s)', \"wait\".\"classid\"::bigint::bit(32)::integer, \
             \"wait\".\"objid\"::bigint::bit(32)::integer) END END, COALESCE(\"place\".\"mode\", \"wait\".\"mode\"), \
             extract(epoch FROM pg_catalog.statement_timestamp() OPERATOR(pg_catalog.-) \"wait\".\"waitstart\")::pg_catalog.float8, \
             COALESCE(\"wait\".\"relation\", \"place\".\"relation\") IS NOT NULL \
             FROM \"wait\" LEFT JOIN \"activity\" AS \"waiter\" ON \"waiter\".\"pid\" OPERATOR(pg_catalog.=) \"wait\".\"pid\" \
             LEFT JOIN \"activity\" AS \"holder\" ON \"holder\".\"pid\" OPERATOR(pg_catalog.=) \"blocker\" \
             LEFT JOIN \"lock\" AS \"place\" ON \"place\".\"pid\" OPERATOR(pg_catalog.=) \"wait\".\"pid\" AND \"place\".\"granted\" \
             AND \"place\".\"locktype\" OPERATOR(pg_catalog.=) 'tuple' AND \"wait\".\"locktype\" OPERATOR(pg_catalog.=) 'transactionid' \
             LEFT JOIN (SELECT DISTINCT \"pid\", \"tag\" FROM \"wait\") AS \"queued\" ON \"queued\".\"pid\" OPERATOR(pg_catalog.=) \
             \"wait\".\"blocker\" AND \"queued\".\"tag\" OPERATOR(pg_catalog.=) \"wait\".\"tag\" \
             ORDER BY \"wait\".\"pid\", \"blocker\"",
        );
        Ok(())
    }
}

fn found(row: &RowRef<'_, Pg>) -> deserialize::Result<Found> {
    let at = |i| SESSION_WIDTH * 2 + i;
    let text = |i| row.get_value::<Nullable<Text>, Option<String>, _>(at(i));
    let waiter = session(&row.window(0..SESSION_WIDTH))?;
    let holder = session(&row.window(SESSION_WIDTH..SESSION_WIDTH * 2))?;
    let blocker = row.get_value::<Nullable<Integer>, Option<i32>, _>(at(1))?;
    let (kind, table, key) = (text(3)?.unwrap_or_default(), text(4)?, text(5)?);
    let hidden = [&waiter, &holder].iter().any(|session| session.statement.as_deref() == Some(HIDDEN));
    let elsewhere = table.is_none() && row.get_value::<Bool, bool, _>(at(8))?;
    let limit = match (hidden, elsewhere) {
        (true, _) => Some("what the sessions of other roles do (needs membership in `pg_read_all_stats`)"),
        (false, true) => Some("the names of tables of other databases (take the snapshot there)"),
        (false, false) => None,
    };
    let kind = match &*kind {
        "tuple" => LockKind::Row,
        "transactionid" if key.is_some() => LockKind::Row,
        "transactionid" => LockKind::Transaction,
        "relation" => LockKind::Table,
        "advisory" => LockKind::Advisory,
        _ => LockKind::Other(kind),
    };
    let mode = text(6)?.map(|mode| if kind == LockKind::Row { strength(mode) } else { mode });
    let holder = match blocker {
        Some(id) => {
            let queued = row.get_value::<Bool, bool, _>(at(2))?;
            Some(FoundHolder { session: visible(LockSession { id: id.into(), ..holder }), queued })
        }
        None => None,
    };
    let waiter = visible(LockSession { id: row.get_value::<Integer, i32, _>(at(0))?.into(), ..waiter });
    let wait = FoundWait { waiter, holder, kind, table, index: None, key, mode, waited: seconds(row, at(7))? };
    Ok(Found { wait: Some(wait), limit })
}

/// Removes the text that stands in place of a hidden statement.
fn visible(mut session: LockSession) -> LockSession {
    session.statement = session.statement.filter(|statement| statement != HIDDEN);
    session
}

/// Returns the locking clause that takes a [lock on a row][source] of this mode.
///
/// [source]: https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/access/heap/README.tuplock
fn strength(mode: String) -> String {
    match &*mode {
        "AccessExclusiveLock" => "FOR UPDATE".to_owned(),
        "ExclusiveLock" => "FOR NO KEY UPDATE".to_owned(),
        "RowShareLock" => "FOR SHARE".to_owned(),
        "AccessShareLock" => "FOR KEY SHARE".to_owned(),
        _ => mode,
    }
}
