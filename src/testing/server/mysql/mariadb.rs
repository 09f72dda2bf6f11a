//! The sessions of MariaDB that wait.
//!
//! Only tables of `information_schema` tell who waits for a row, and MariaDB brings these up to date when nobody has read them for a tenth
//! of a second ([manual][tables]). The number of sessions that wait is always up to date. So it is asked first: often it is enough.
//!
//! [tables]: https://mariadb.com/kb/en/information-schema-innodb_lock_waits-table/

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    QueryResult, RunQueryDsl,
    dsl::sql,
    mysql::Mysql,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::Wait;
use crate::blocking::LockConnection;

/// The sessions that run a statement, in front of those that it cannot be told of, whether they wait for a name or a table, and the number
/// of sessions that wait for a row.
///
/// <https://mariadb.com/kb/en/innodb-status-variables/#innodb_row_lock_current_waits>
const AT_WORK: &str = "SELECT CAST(id AS SIGNED), state = 'User lock' OR state LIKE 'Waiting for % lock', \
                       (SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status \
                       WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS') \
                       FROM information_schema.processlist WHERE command IN ('Query', 'Execute') AND id <> CONNECTION_ID()";

/// A statement that skips what is locked does not wait, but is listed for a moment each time it skips.
const WAITS: &str = "SELECT CAST(w.trx_mysql_thread_id AS SIGNED), CAST(b.trx_mysql_thread_id AS SIGNED) \
                     FROM information_schema.innodb_lock_waits \
                     JOIN information_schema.innodb_trx AS w ON w.trx_id = requesting_trx_id \
                     JOIN information_schema.innodb_trx AS b ON b.trx_id = blocking_trx_id \
                     WHERE coalesce(w.trx_query, '') NOT LIKE '%SKIP LOCKED%'";

/// Whoever asks again sooner gets the same answer for ever.
const PAUSE: Duration = Duration::from_millis(110);

/// The name of the lock that whoever looks has.
const TURN: &str = "diesel_lockset looks who waits";

/// The last answer of a server, to any thread.
struct Look {
    begun: Instant,
    waits: Vec<(i64, i64)>,
}

/// Returns the sessions of the whole server that wait. If all that is at work is one of `sessions`, their number can tell it.
pub(super) fn waits<C>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<Wait>>
where
    C: LockConnection<Backend = Mysql>,
{
    let at_work: Vec<(i64, bool, i64)> = sql::<(BigInt, Bool, BigInt)>(AT_WORK).load(conn)?;
    let wait = |session: &i64| Wait { session: *session, blockers: Vec::new() };
    let mut waits: Vec<Wait> =
        at_work.iter().filter(|(_, named, _)| *named).map(|(session, ..)| wait(session)).collect();
    let others: Vec<i64> = at_work.iter().filter(|(_, named, _)| !named).map(|(session, ..)| *session).collect();
    let rows = at_work.first().map_or(0, |(.., rows)| *rows);
    let ours = others.iter().all(|session| sessions.contains(session));
    if ours && usize::try_from(rows) == Ok(others.len()) {
        waits.extend(others.iter().map(wait));
    } else if rows > 0 {
        let mut blockers = BTreeMap::<i64, Vec<i64>>::new();
        for (session, blocker) in look(conn)? {
            blockers.entry(session).or_default().push(blocker);
        }
        waits.extend(blockers.into_iter().map(|(session, blockers)| Wait { session, blockers }));
    }
    Ok(waits)
}

/// One look, begun after this was called, serves all the threads that wait for it.
fn look<C: LockConnection<Backend = Mysql>>(conn: &mut C) -> QueryResult<Vec<(i64, i64)>> {
    static LAST: Mutex<BTreeMap<String, Look>> = Mutex::new(BTreeMap::new());
    let asked = Instant::now();
    let server: String = sql::<Text>("SELECT CONCAT_WS(' ', @@hostname, @@port, @@datadir)").get_result(conn)?;
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(look) = last.get(&server).filter(|look| look.begun > asked) {
        return Ok(look.waits.clone());
    }
    in_turn(conn, |conn| {
        thread::sleep(PAUSE);
        let begun = Instant::now();
        let waits: Vec<(i64, i64)> = sql::<(BigInt, BigInt)>(WAITS).load(conn)?;
        last.insert(server, Look { begun, waits: waits.clone() });
        Ok(waits)
    })
}

/// Looks while no other test of any process does: two that look in turns would keep the server from bringing its tables up to date.
///
/// Whoever does not get the turn looks without it: nothing depends on it but the time that it takes.
pub(super) fn in_turn<C, T>(conn: &mut C, look: impl FnOnce(&mut C) -> T) -> T
where
    C: LockConnection<Backend = Mysql>,
{
    let turn = |conn: &mut C, call, rest| {
        sql::<Nullable<BigInt>>(call).bind::<Text, _>(TURN).sql(rest).get_result::<Option<i64>>(conn)
    };
    let has_turn = turn(conn, "SELECT GET_LOCK(", ", 10)") == Ok(Some(1));
    let seen = look(conn);
    if has_turn {
        // It ends with the session at the latest.
        let _ = turn(conn, "SELECT RELEASE_LOCK(", ")");
    }
    seen
}
