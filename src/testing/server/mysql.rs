//! The answers of MySQL and MariaDB.

mod mariadb;

use std::{collections::BTreeMap, time::Duration};

use diesel::{
    QueryResult, RunQueryDsl,
    dsl::sql,
    mysql::Mysql,
    sql_types::{BigInt, Bool, Nullable, Text},
};

use super::{TestBackend, Wait, on_database::on_database};
use crate::{blocking::LockConnection, session::LockSession};

/// Row locks, and names of `GET_LOCK` and of tables. A thread of the server's own, or one that has just ended, has no number.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/performance-schema-data-lock-waits-table.html>
const WAITS: &str = "SELECT CAST(w.processlist_id AS SIGNED), CAST(COALESCE(b.processlist_id, 0) AS SIGNED) \
                     FROM performance_schema.data_lock_waits \
                     JOIN performance_schema.threads AS w ON w.thread_id = requesting_thread_id \
                     JOIN performance_schema.threads AS b ON b.thread_id = blocking_thread_id \
                     WHERE w.processlist_id IS NOT NULL UNION SELECT CAST(w.processlist_id AS SIGNED), CAST(COALESCE(b.processlist_id, 0) AS SIGNED) \
                     FROM performance_schema.metadata_locks AS wanted \
                     JOIN performance_schema.metadata_locks AS held USING (object_type, object_name) \
                     JOIN performance_schema.threads AS w ON w.thread_id = wanted.owner_thread_id \
                     JOIN performance_schema.threads AS b ON b.thread_id = held.owner_thread_id \
                     WHERE wanted.object_schema <=> held.object_schema AND w.thread_id <> b.thread_id \
                     AND wanted.lock_status = 'PENDING' AND held.lock_status = 'GRANTED' AND w.processlist_id IS NOT NULL";

/// MySQL's table of this name in `information_schema` fails as long as any session runs a statement with a four-byte character.
const SESSIONS: &str = "/*!80022 performance_schema */ /*M! information_schema */ . processlist";

impl TestBackend for Mysql {
    const PORT: u16 = 3306;
    const PLAIN: &'static str = "ssl_mode=DISABLED";

    /// `COM_QUERY` and `COM_STMT_EXECUTE`, behind the header of the packet.
    ///
    /// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html>
    fn executes(request: &[u8]) -> bool {
        matches!(request.get(4), Some(0x03 | 0x17))
    }

    fn session<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<i64> {
        sql::<BigInt>("SELECT CAST(CONNECTION_ID() AS SIGNED)").get_result(conn)
    }

    fn waits<C: LockConnection<Backend = Self>>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<Wait>> {
        let mut waits = if is_mariadb(conn)? { mariadb::waits(conn, sessions)? } else { on_mysql(conn)? };
        waits.retain(|wait| sessions.contains(&wait.session));
        Ok(waits)
    }

    fn in_turn<C: LockConnection<Backend = Self>, T>(conn: &mut C, look: impl FnOnce(&mut C) -> T) -> T {
        mariadb::in_turn(conn, look)
    }

    fn database<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<String> {
        sql::<Text>("SELECT DATABASE()").get_result(conn)
    }

    /// The number is a part of the text: MySQL 9.7 ends no session whose number is a bind parameter.
    fn terminate<C: LockConnection<Backend = Self>>(conn: &mut C, session: i64) -> QueryResult<()> {
        conn.batch_execute(&format!("KILL CONNECTION {session}"))
    }

    fn exists<C: LockConnection<Backend = Self>>(conn: &mut C, session: i64) -> QueryResult<bool> {
        sql::<Bool>("SELECT EXISTS (SELECT 1 FROM ")
            .sql(SESSIONS)
            .sql(" WHERE id = ")
            .bind::<BigInt, _>(session)
            .sql(")")
            .get_result(conn)
    }

    fn activity<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<Vec<String>> {
        let lines: Vec<(i64, String)> = sql::<(BigInt, Text)>(
            "SELECT CAST(id AS SIGNED), CAST(CONCAT_WS(' ', command, state, LEFT(coalesce(info, '-'), 200)) AS CHAR) FROM ",
        )
        .sql(SESSIONS)
        .sql(" WHERE db = database() AND id <> connection_id() ORDER BY id")
        .load(conn)?;
        let line = |(session, does)| format!("session {session}: {does}");
        Ok(lines.into_iter().map(line).collect())
    }

    fn sessions<C: LockConnection<Backend = Self>>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<LockSession>> {
        let all = sql::<(BigInt, Text, Nullable<Text>, Text, BigInt, Nullable<Text>)>(
            "SELECT CAST(id AS SIGNED), CONCAT(user, '@', host), db, command, CAST(time AS SIGNED), LEFT(info, 200) FROM ",
        )
        .sql(SESSIONS)
        .sql(" ORDER BY id")
        .load::<(i64, String, Option<String>, String, i64, Option<String>)>(conn)?;
        let found = all.into_iter().filter(|session| sessions.contains(&session.0));
        Ok(found
            .map(|(id, user, database, state, age, statement)| LockSession {
                id,
                user,
                database,
                state: Some(state),
                state_age: u64::try_from(age).ok().map(Duration::from_secs),
                statement,
                ..LockSession::default()
            })
            .collect())
    }

    fn tune<C: LockConnection<Backend = Self>>(_: &mut C) {}

    fn create_database<C: LockConnection<Backend = Self>>(conn: &mut C, name: &str) -> QueryResult<()> {
        on_database(conn, "CREATE DATABASE ", name, "")
    }

    /// A transaction that has read a table would keep it from being dropped.
    fn drop_database<C: LockConnection<Backend = Self>>(conn: &mut C, name: &str) -> QueryResult<()> {
        let sessions: Vec<i64> = sql::<BigInt>("SELECT CAST(id AS SIGNED) FROM ")
            .sql(SESSIONS)
            .sql(" WHERE db = ")
            .bind::<Text, _>(name)
            .load(conn)?;
        for session in sessions {
            // Fails if it has ended by itself.
            let _ = Self::terminate(conn, session);
        }
        on_database(conn, "DROP DATABASE IF EXISTS ", name, "")
    }
}

fn is_mariadb<C: LockConnection<Backend = Mysql>>(conn: &mut C) -> QueryResult<bool> {
    sql::<Bool>("SELECT /*!80001 FALSE */ /*M! TRUE */").get_result(conn)
}

/// Returns the sessions of the whole server that wait.
fn on_mysql<C: LockConnection<Backend = Mysql>>(conn: &mut C) -> QueryResult<Vec<Wait>> {
    let mut waits = BTreeMap::<i64, Vec<i64>>::new();
    for (session, blocker) in sql::<(BigInt, BigInt)>(WAITS).load::<(i64, i64)>(conn)? {
        let blockers = waits.entry(session).or_default();
        // The lock of an inserted row is listed under the first session that waits for it: who holds it is not told.
        blockers.extend(Some(blocker).filter(|blocker| *blocker != session));
    }
    Ok(waits.into_iter().map(|(session, blockers)| Wait { session, blockers }).collect())
}
