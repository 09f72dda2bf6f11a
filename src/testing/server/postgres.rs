//! PostgreSQL's answers.

use std::time::Duration;

use diesel::{
    QueryResult, RunQueryDsl,
    dsl::sql,
    pg::Pg,
    sql_types::{Array, Bool, Double, Integer, Nullable, Text},
};

use super::{TestBackend, Wait, on_database::on_database};
use crate::{blocking::LockConnection, session::LockSession};

impl TestBackend for Pg {
    const PORT: u16 = 5432;
    const PLAIN: &'static str = "sslmode=disable";

    /// `Query` and `Bind`.
    ///
    /// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
    fn executes(request: &[u8]) -> bool {
        matches!(request.first(), Some(b'Q' | b'B'))
    }

    fn session<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<i64> {
        sql::<Integer>("SELECT pg_backend_pid()").get_result::<i32>(conn).map(i64::from)
    }

    /// `pg_blocking_pids` also counts those who stand in front in the queue for the lock.
    ///
    /// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION>
    fn waits<C: LockConnection<Backend = Self>>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<Wait>> {
        let sessions: Vec<i32> = sessions.iter().filter_map(|session| i32::try_from(*session).ok()).collect();
        let waits = sql::<(Integer, Array<Integer>)>(
            "SELECT pid, blockers FROM (SELECT pid, pg_blocking_pids(pid) AS blockers FROM unnest(",
        )
        .bind::<Array<Integer>, _>(sessions)
        .sql(") AS of (pid)) AS waits WHERE cardinality(blockers) > 0");
        Ok(waits.load::<(i32, Vec<i32>)>(conn)?.into_iter().map(wait).collect())
    }

    fn database<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<String> {
        sql::<Text>("SELECT current_database()::text").get_result(conn)
    }

    fn terminate<C: LockConnection<Backend = Self>>(conn: &mut C, session: i64) -> QueryResult<()> {
        let session = i32::try_from(session).unwrap_or_default();
        let end = sql::<Bool>("SELECT pg_terminate_backend(").bind::<Integer, _>(session).sql(")");
        end.get_result::<bool>(conn).map(drop)
    }

    fn exists<C: LockConnection<Backend = Self>>(conn: &mut C, session: i64) -> QueryResult<bool> {
        let session = i32::try_from(session).unwrap_or_default();
        sql::<Bool>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ")
            .bind::<Integer, _>(session)
            .sql(")")
            .get_result(conn)
    }

    fn activity<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<Vec<String>> {
        sql::<Text>(
            "SELECT format('session %s, %s: %s', pid, coalesce(state, '?'), left(query, 200)) \
             FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY backend_start",
        )
        .load(conn)
    }

    fn sessions<C: LockConnection<Backend = Self>>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<LockSession>> {
        let sessions: Vec<i32> = sessions.iter().filter_map(|session| i32::try_from(*session).ok()).collect();
        let found = sql::<(Integer, Text, Text, Nullable<Text>, Nullable<Text>, Nullable<Double>, Nullable<Text>)>(
            "SELECT pid, coalesce(usename::text, ''), coalesce(application_name, ''), datname::text, state, \
             extract(epoch FROM clock_timestamp() - state_change)::float8, query FROM pg_stat_activity WHERE pid = ANY (",
        )
        .bind::<Array<Integer>, _>(sessions)
        .sql(") ORDER BY pid");
        Ok(found.load(conn)?.into_iter().map(session).collect())
    }

    /// A commit that is not flushed is visible, and frees its locks, in the same order; a deadlock is looked for sooner, which only a
    /// superuser may choose.
    fn tune<C: LockConnection<Backend = Self>>(conn: &mut C) {
        let _ = conn.batch_execute("SET synchronous_commit = off");
        let _ = conn.batch_execute("SET deadlock_timeout = '2ms'");
    }

    fn create_database<C: LockConnection<Backend = Self>>(conn: &mut C, name: &str) -> QueryResult<()> {
        on_database(conn, "CREATE DATABASE ", name, " TEMPLATE template0")
    }

    fn drop_database<C: LockConnection<Backend = Self>>(conn: &mut C, name: &str) -> QueryResult<()> {
        on_database(conn, "DROP DATABASE IF EXISTS ", name, " WITH (FORCE)")
    }
}

type SessionRow = (i32, String, String, Option<String>, Option<String>, Option<f64>, Option<String>);

fn session((id, user, application, database, state, age, statement): SessionRow) -> LockSession {
    let state_age = age.and_then(|age| Duration::try_from_secs_f64(age.max(0.0)).ok());
    LockSession { id: id.into(), user, application, database, state, state_age, statement, ..LockSession::default() }
}

fn wait((session, blockers): (i32, Vec<i32>)) -> Wait {
    let mut blockers: Vec<i64> = blockers.into_iter().map(i64::from).collect();
    // A session is named once for each lock.
    blockers.sort_unstable();
    blockers.dedup();
    Wait { session: i64::from(session), blockers }
}
