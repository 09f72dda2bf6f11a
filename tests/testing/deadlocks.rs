//! The report of both sides of a deadlock.

use std::{
    sync::{Arc, Mutex},
    thread,
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{
    LockError,
    testing::{DeadlockLog, DeadlockReport, LockProbe, TestDatabase},
};

use super::{
    Conn,
    fixture::{accounts, database, reset},
};

/// Changes a row, in a line of this file.
fn change(conn: &mut Conn, id: i32) -> QueryResult<()> {
    diesel::update(accounts::table.find(id)).set(accounts::balance.eq(id)).execute(conn).map(drop)
}

/// Two sessions lock two rows in opposite orders. Returns the error of the one that is refused, and which it was: on PostgreSQL the first that
/// waits, `here`; MySQL and MariaDB prefer the one that has changed fewer rows.
fn deadlock(database: &TestDatabase<Conn>, [mut here, mut there]: [&mut Conn; 2]) -> (usize, diesel::result::Error) {
    let mut probe = LockProbe::<Conn>::connect(database.url()).unwrap();
    for conn in [&mut here, &mut there] {
        conn.batch_execute("BEGIN").unwrap();
    }
    change(here, 1).unwrap();
    change(there, 3).unwrap();
    change(there, 2).unwrap();
    let end = |conn: &mut Conn, id| {
        let changed = change(conn, id);
        conn.batch_execute("ROLLBACK").unwrap();
        changed
    };
    let [here, there] = thread::scope(|scope| {
        let here = scope.spawn(move || end(here, 2));
        let _ = probe.wait_until_blocked(1);
        let there = scope.spawn(move || end(there, 1));
        [here.join().unwrap(), there.join().unwrap()]
    });
    match (here, there) {
        (Err(error), Ok(())) => (0, error),
        (Ok(()), Err(error)) => (1, error),
        both => panic!("no deadlock: {both:?}"),
    }
}

fn session(conn: &mut Conn) -> i64 {
    use diesel::{dsl::sql, sql_types::BigInt};
    let function =
        if super::VARIABLE.starts_with("PG") { "CAST(pg_backend_pid() AS bigint)" } else { "CONNECTION_ID()" };
    sql::<BigInt>(&format!("SELECT {function}")).get_result(conn).unwrap()
}

#[test]
fn a_deadlock_in_one_process_has_the_statements_of_both_sides() {
    let database = database();
    let (mut here, mut there) = (database.connect().unwrap(), database.connect().unwrap());
    reset(&mut here).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let deadlocks = DeadlockLog::new().on_deadlock({
        let heard = heard.clone();
        move |report: &DeadlockReport| heard.lock().unwrap().push(report.clone())
    });
    let sessions = [session(&mut here), session(&mut there)];
    deadlocks.watch(&mut here).unwrap();
    deadlocks.watch(&mut there).unwrap();
    // A transaction before: its statements are not in the report.
    here.transaction(|conn| change(conn, 3)).unwrap();

    let (refused, error) = deadlock(&database, [&mut here, &mut there]);
    let mut reports = deadlocks.reports();
    assert_eq!(reports, *heard.lock().unwrap());
    let mut report = reports.remove(0);
    assert!(reports.is_empty());
    let listed = LockError::of_locking_statement(error).deadlocked_sessions();
    assert!(
        listed.is_empty() || listed == report.sides.iter().map(|side| side.session).collect::<Vec<_>>(),
        "{report}"
    );
    let conn = &mut database.connect().unwrap();
    deadlocks.complete(&mut report, conn).unwrap();

    let text = report.to_string();
    println!("{text}");
    let is_certain = super::VARIABLE.starts_with("PG");
    assert!(text.starts_with(if is_certain { "deadlock of 2 sessions\n" } else { "deadlock\n" }), "{text}");
    assert_eq!((report.sides.len(), report.sides[1].is_certain), (2, is_certain), "{text}");
    let rows: [&[i32]; 2] = [&[1, 2], &[3, 2, 1]];
    for (side, at) in report.sides.iter().zip([refused, 1 - refused]) {
        assert_eq!(side.session, sessions[at], "{text}");
        assert_eq!(side.statements.len(), rows[at].len(), "{text}");
        for (statement, row) in side.statements.iter().zip(rows[at]) {
            assert!(statement.sql.contains(&format!("binds: [{row}, {row}]")), "{text}");
            assert!(statement.place.as_ref().is_some_and(|place| place.contains("deadlocks.rs")), "{text}");
        }
        assert!(side.found.is_none(), "{text}");
    }
}

#[test]
fn a_session_of_another_process_is_asked_for() {
    let database = database();
    let (mut here, mut there) = (database.connect().unwrap(), database.connect().unwrap());
    reset(&mut here).unwrap();
    let is_postgres = super::VARIABLE.starts_with("PG");
    if is_postgres {
        there.batch_execute("SET application_name = 'billing\u{7}-7'").unwrap();
    }
    let deadlocks = DeadlockLog::new();
    deadlocks.watch(&mut here).unwrap();
    let other = session(&mut there);
    assert_eq!(deadlock(&database, [&mut here, &mut there]).0, 0);
    let mut report = deadlocks.reports().remove(0);
    let text = report.to_string();
    println!("{text}");
    if !is_postgres {
        assert_eq!(report.sides.len(), 1, "{text}");
        assert!(text.ends_with("the other sessions are not watched by this process"), "{text}");
        return;
    }
    assert!(text.contains(&format!("session {other}, not watched by this process")), "{text}");
    deadlocks.complete(&mut report, &mut here).unwrap();
    let text = report.to_string();
    println!("{text}");
    let [_, side] = &report.sides[..] else { panic!("{text}") };
    assert_eq!((side.session, side.statements.len()), (other, 0), "{text}");
    let found = side.found.as_ref().expect("it is connected");
    assert_eq!((found.id, found.database.as_deref()), (other, Some(database.name())), "{text}");
    assert_eq!(found.application, "billing?-7", "the server keeps printable characters");
    assert!(text.contains("\"billing?-7\""), "{text}");
    assert!(text.contains("last seen: ROLLBACK") || text.contains("last seen: UPDATE"), "{text}");
}

#[test]
fn other_errors_are_not_reported_and_a_session_is_watched_once() {
    let database = database();
    let mut conn = database.connect().unwrap();
    reset(&mut conn).unwrap();
    let deadlocks = DeadlockLog::new();
    deadlocks.watch(&mut conn).unwrap();
    diesel::insert_into(accounts::table)
        .values((accounts::id.eq(1), accounts::balance.eq(1)))
        .execute(&mut conn)
        .unwrap_err();
    conn.batch_execute("no statement").unwrap_err();
    assert!(deadlocks.reports().is_empty());
    deadlocks.watch(&mut conn).unwrap();
    let other = &mut database.connect().unwrap();
    deadlocks.watch(other).unwrap();
    deadlock(&database, [&mut conn, other]);
    assert_eq!(deadlocks.reports().len(), 1);
}
