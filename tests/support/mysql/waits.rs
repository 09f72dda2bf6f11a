//! Who waits for whom, asked of the server. Never of a clock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    MysqlConnection, QueryResult, RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{BigInt, Text},
};

use super::{MysqlFamily, SESSIONS, answer};
use crate::support::{patience::until, server::Server};

/// A session that waits, and one that it waits for.
type Wait = (i64, i64);

const ON_MYSQL: &str = "SELECT CAST(w.processlist_id AS SIGNED), CAST(b.processlist_id AS SIGNED) \
                        FROM performance_schema.data_lock_waits \
                        JOIN performance_schema.threads AS w ON w.thread_id = requesting_thread_id \
                        JOIN performance_schema.threads AS b ON b.thread_id = blocking_thread_id \
                        UNION ALL SELECT CAST(w.processlist_id AS SIGNED), CAST(b.processlist_id AS SIGNED) \
                        FROM performance_schema.metadata_locks AS wanted \
                        JOIN performance_schema.metadata_locks AS held USING (object_type, object_name) \
                        JOIN performance_schema.threads AS w ON w.thread_id = wanted.owner_thread_id \
                        JOIN performance_schema.threads AS b ON b.thread_id = held.owner_thread_id \
                        WHERE object_type = 'USER LEVEL LOCK' AND wanted.lock_status = 'PENDING' \
                        AND held.lock_status = 'GRANTED'";

/// A statement that skips what is locked does not wait, but stands in MariaDB's list for a moment each time it skips.
///
/// Who holds a name is told to those only who know the name. Whoever waits for one counts as waiting for every other session
/// of its database that does not.
const ON_MARIADB: &str = "SELECT CAST(w.trx_mysql_thread_id AS SIGNED), CAST(b.trx_mysql_thread_id AS SIGNED) \
                          FROM information_schema.innodb_lock_waits \
                          JOIN information_schema.innodb_trx AS w ON w.trx_id = requesting_trx_id \
                          JOIN information_schema.innodb_trx AS b ON b.trx_id = blocking_trx_id \
                          WHERE coalesce(w.trx_query, '') NOT LIKE '%SKIP LOCKED%' \
                          UNION ALL SELECT CAST(w.id AS SIGNED), CAST(b.id AS SIGNED) \
                          FROM information_schema.processlist AS w \
                          JOIN information_schema.processlist AS b ON b.db = w.db AND b.id <> w.id \
                          AND COALESCE(b.state, '') <> 'User lock' AND b.id <> CONNECTION_ID() \
                          WHERE w.state = 'User lock'";

/// MariaDB looks at its locks again only when nobody has asked for them for 0.1 s: whoever asks more often gets the same
/// answer for ever.
const PAUSE: Duration = Duration::from_millis(110);

/// What a MariaDB said last, to whichever test.
struct Look {
    begun: Instant,
    ended: Instant,
    waits: Vec<Wait>,
}

/// The sessions that `session` waits for, in ascending order; none when it does not wait for a lock.
pub(super) fn blocked_by(conn: &mut MysqlConnection, session: i32) -> Vec<i32> {
    let waits = if MysqlFamily::is_mariadb(conn) { on_mariadb(conn) } else { ask(conn, ON_MYSQL) };
    let blockers = waits.into_iter().filter(|(waiter, _)| *waiter == i64::from(session));
    let mut blockers: Vec<i32> = blockers.filter_map(|(_, blocker)| blocker.try_into().ok()).collect();
    blockers.sort_unstable();
    // A session is named once per lock.
    blockers.dedup();
    blockers
}

/// One look, begun after this was called, serves all the tests that wait for it.
fn on_mariadb(conn: &mut MysqlConnection) -> Vec<Wait> {
    static LAST: Mutex<BTreeMap<i64, Look>> = Mutex::new(BTreeMap::new());
    let asked = Instant::now();
    let server = answer("the server", MysqlFamily::number(conn, "SELECT @@port"));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(look) = last.get(&server) {
        if look.begun > asked {
            return look.waits.clone();
        }
        thread::sleep(PAUSE.saturating_sub(look.ended.elapsed()));
    }
    let begun = Instant::now();
    let waits = ask(conn, ON_MARIADB);
    last.insert(server, Look { begun, ended: Instant::now(), waits: waits.clone() });
    waits
}

fn ask(conn: &mut MysqlConnection, question: &str) -> Vec<Wait> {
    answer("the server knows who waits", sql::<(BigInt, BigInt)>(question).load(conn))
}

/// Ends `session`, and returns when it is gone.
pub(super) fn terminate(conn: &mut MysqlConnection, session: i32) {
    // Fails if it has ended by itself.
    let _ = conn.batch_execute(&format!("KILL CONNECTION {session}"));
    wait_until_gone(conn, session);
}

/// Returns when the server has ended `session` and freed what it held.
pub(super) fn wait_until_gone(conn: &mut MysqlConnection, session: i32) {
    let there = format!("SELECT count(*) FROM {SESSIONS} WHERE id = {session}");
    let gone = until(|| (answer("the sessions", MysqlFamily::number(conn, &there)) == 0).then_some(()));
    gone.unwrap_or_else(|| panic!("{session} does not end\n{}", activity(conn)));
}

/// What every session of this database does, for the message of a test that fails.
pub(super) fn activity(conn: &mut MysqlConnection) -> String {
    let lines: QueryResult<Vec<String>> = sql::<Text>(&format!(
        "SELECT CAST(CONCAT_WS(' ', p.id, p.command, p.state, t.trx_state, LEFT(coalesce(p.info, '-'), 200)) AS CHAR) \
         FROM {SESSIONS} AS p \
         LEFT JOIN information_schema.innodb_trx AS t ON t.trx_mysql_thread_id = p.id \
         WHERE p.db = database() AND p.id <> connection_id() ORDER BY p.id",
    ))
    .load(conn);
    match lines {
        Ok(lines) => format!("sessions:\n  {}", lines.join("\n  ")),
        Err(error) => format!("the server does not say what the sessions do: {error}"),
    }
}
