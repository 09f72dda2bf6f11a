//! Who waits for whom, asked of the server. Never of a clock.

use diesel::{
    PgConnection, QueryResult, RunQueryDsl,
    dsl::sql,
    sql_types::{Array, BigInt, Bool, Integer, Text},
};

use crate::support::patience::until;

/// The processes that `pid` waits for, in ascending order; none when it does not wait for a lock.
pub(crate) fn blocked_by(conn: &mut PgConnection, pid: i32) -> Vec<i32> {
    let blockers: QueryResult<Vec<i32>> =
        sql::<Array<Integer>>(&format!("SELECT pg_blocking_pids({pid})")).get_result(conn);
    let mut blockers = blockers.expect("the server knows who waits");
    blockers.sort_unstable();
    // A process is named once per lock.
    blockers.dedup();
    blockers
}

/// Returns the processes that `pid` waits for, as soon as it waits.
pub(crate) fn wait_until_blocked(conn: &mut PgConnection, pid: i32) -> Vec<i32> {
    until(|| Some(blocked_by(conn, pid)).filter(|blockers| !blockers.is_empty()))
        .unwrap_or_else(|| panic!("{pid} never waited for a lock\n{}", activity(conn)))
}

/// Ends the session of `pid`, as an administrator or a crash would, and returns when it is gone.
pub(crate) fn terminate(conn: &mut PgConnection, pid: i32) {
    let _was_there: bool =
        sql::<Bool>(&format!("SELECT pg_terminate_backend({pid})")).get_result(conn).expect("may end a session");
    wait_until_gone(conn, pid);
}

/// Returns when the server has ended the session of `pid` and freed what it held.
pub(crate) fn wait_until_gone(conn: &mut PgConnection, pid: i32) {
    let gone = until(|| {
        let there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        let count: i64 = sql::<BigInt>(&there).get_result(conn).expect("the sessions");
        (count == 0).then_some(())
    });
    gone.unwrap_or_else(|| panic!("{pid} does not end\n{}", activity(conn)));
}

/// The deadlocks that the server has resolved in this database.
///
/// Sessions report theirs late, at the latest when they end: waits until `conn` is alone in the database.
pub(crate) fn deadlocks(conn: &mut PgConnection) -> i64 {
    let alone = until(|| {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                      AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        let count: i64 = sql::<BigInt>(others).get_result(conn).expect("the sessions");
        (count == 0).then_some(())
    });
    alone.unwrap_or_else(|| panic!("close the sessions before counting deadlocks\n{}", activity(conn)));
    sql::<BigInt>("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .get_result(conn)
        .expect("the counter")
}

/// What every session of this database does, for the message of a test that fails.
pub(crate) fn activity(conn: &mut PgConnection) -> String {
    let lines: QueryResult<Vec<String>> = sql::<Text>(
        "SELECT format('%s %s%s: %s', pid, coalesce(state, '?'), \
             CASE WHEN cardinality(pg_blocking_pids(pid)) > 0 THEN ', waits for ' || pg_blocking_pids(pid)::text END, \
             left(query, 200)) \
         FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY backend_start",
    )
    .load(conn);
    match lines {
        Ok(lines) => format!("sessions:\n  {}", lines.join("\n  ")),
        Err(error) => format!("the server does not say what the sessions do: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use diesel::connection::SimpleConnection;

    use super::{blocked_by, deadlocks, terminate, wait_until_blocked};
    use crate::support::{arena::Arena, postgres::Postgres, server::Server};

    #[test]
    fn the_server_says_who_waits_for_whom() {
        let arena = Arena::new();
        let (mut observer, mut holder, mut waiter) = (arena.pg(), arena.pg(), arena.pg());
        let (holder_pid, waiter_pid) = (Postgres::session_number(&mut holder), Postgres::session_number(&mut waiter));
        holder.batch_execute("BEGIN; SELECT FROM accounts WHERE id = 1 FOR UPDATE").expect("locks 1");
        assert!(blocked_by(&mut observer, waiter_pid).is_empty());

        let waiting = thread::spawn(move || waiter.batch_execute("UPDATE accounts SET v = 1 WHERE id = 1"));
        assert_eq!(wait_until_blocked(&mut observer, waiter_pid), [holder_pid]);
        holder.batch_execute("COMMIT").expect("commits");
        waiting.join().expect("the waiter's thread").expect("the waiter goes on");
        assert!(blocked_by(&mut observer, waiter_pid).is_empty());
    }

    #[test]
    fn a_session_that_is_ended_frees_its_rows() {
        let arena = Arena::new();
        let (mut observer, mut holder) = (arena.pg(), arena.pg());
        holder.batch_execute("BEGIN; SELECT FROM accounts WHERE id = 1 FOR UPDATE").expect("locks 1");
        let pid = Postgres::session_number(&mut holder);
        terminate(&mut observer, pid);
        assert!(arena.held_keys("accounts", "id").is_empty());
        holder.batch_execute("SELECT 1").expect_err("its connection is gone");
    }

    #[test]
    fn deadlocks_are_counted() {
        let arena = Arena::new();
        let (mut observer, mut one, mut other) = (arena.pg(), arena.pg(), arena.pg());
        one.batch_execute("BEGIN; SELECT FROM accounts WHERE id = 1 FOR UPDATE").expect("locks 1");
        other.batch_execute("BEGIN; SELECT FROM accounts WHERE id = 2 FOR UPDATE").expect("locks 2");
        let pid = Postgres::session_number(&mut one);
        let crossing = thread::spawn(move || one.batch_execute("SELECT FROM accounts WHERE id = 2 FOR UPDATE; COMMIT"));
        wait_until_blocked(&mut observer, pid);
        let second = other.batch_execute("SELECT FROM accounts WHERE id = 1 FOR UPDATE; COMMIT");
        drop(other);
        let first = crossing.join().expect("the thread");
        assert!(first.is_ok() != second.is_ok(), "one of the two is the victim: {first:?}, {second:?}");
        assert_eq!(deadlocks(&mut observer), 1);
    }
}
