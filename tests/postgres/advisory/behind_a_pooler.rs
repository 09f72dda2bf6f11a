//! Behind a pooler that hands out the server's sessions for a transaction at a time: what holds there, and what does not.

use std::{collections::HashSet, thread, time::Duration};

use diesel::{Connection, PgConnection, QueryDsl, RunQueryDsl, connection::TransactionManager, dsl::sql, sql_query};
use diesel_lockset::{AdvisoryLock, LockError, LockSet, RunAdvisoryLock, RunLockSet};

use crate::support::{
    arena::Arena,
    models::Account,
    postgres::{Postgres, pooler::Pooler},
    schema::accounts,
    server::Server,
};

/// The sessions of the server: fewer than there are clients.
const SESSIONS: usize = 5;
const CLIENTS: usize = 16;
const ROUNDS: usize = 200;

fn account(id: i32) -> AdvisoryLock {
    AdvisoryLock::id::<Account>(id)
}

fn begin(conn: &mut PgConnection) {
    <PgConnection as Connection>::TransactionManager::begin_transaction(conn).unwrap();
}

fn commit(conn: &mut PgConnection) {
    <PgConnection as Connection>::TransactionManager::commit_transaction(conn).unwrap();
}

/// Runs `member` in each client; the server's sessions that they had.
fn clients(pooler: &Pooler, member: impl Fn(&mut PgConnection) + Sync) -> HashSet<i32> {
    thread::scope(|scope| {
        let member = &member;
        let running: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(move || {
                    let mut conn = pooler.connect();
                    let mut sessions = HashSet::new();
                    for _ in 0..ROUNDS {
                        conn.transaction(|conn| {
                            sessions.insert(Postgres::session_number(conn));
                            member(conn);
                            Ok::<_, LockError>(())
                        })
                        .unwrap();
                    }
                    sessions
                })
            })
            .collect();
        running.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Reads a number and writes one more, in two statements: two who do that at once count once.
fn count(conn: &mut PgConnection) {
    let v: i32 = accounts::table.find(1).select(accounts::v).first(conn).unwrap();
    sql_query(format!("UPDATE accounts SET v = {v} + 1 WHERE id = 1")).execute(conn).unwrap();
}

fn advisory_locks(arena: &Arena) -> i64 {
    Postgres::advisory_locks(&mut arena.pg(), &[])
}

/// K01, L01.
#[test]
fn for_a_transaction_it_is_one_client_at_a_time() {
    type Counts = fn(&mut PgConnection);
    let verbs: [(&str, Counts); 3] = [
        ("acquire_for_transaction", |conn| {
            account(1).acquire_for_transaction(conn).unwrap();
            count(conn);
        }),
        ("acquire_for_transaction with a timeout", |conn| {
            account(1).timeout(Duration::from_secs(60)).acquire_for_transaction(conn).unwrap();
            count(conn);
        }),
        ("hold in a transaction", |conn| {
            let counted = account(1).hold(conn, |conn| {
                count(conn);
                Ok::<_, LockError>(())
            });
            counted.unwrap();
        }),
    ];
    for (verb, counts) in verbs {
        let arena = Arena::new();
        let pooler = Pooler::in_front_of(&arena, SESSIONS);
        let sessions = clients(&pooler, counts);
        assert!((2..=SESSIONS).contains(&sessions.len()), "{verb}: {sessions:?}");
        assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), (CLIENTS * ROUNDS) as i64, "{verb}");
        assert_eq!(advisory_locks(&arena), 0, "{verb}");
    }
}

/// Without the lock the same clients lose counts: the test above can fail.
#[test]
fn control_without_it_they_get_in_each_others_way() {
    let arena = Arena::new();
    let pooler = Pooler::in_front_of(&arena, SESSIONS);
    clients(&pooler, count);
    assert!(arena.number("SELECT v FROM accounts WHERE id = 1") < (CLIENTS * ROUNDS) as i64);
}

/// What the documentation warns of: nobody can tell the crate that the session is another one by now.
#[test]
fn in_a_session_that_is_handed_on_a_lock_of_the_session_is_had_by_two_and_left_behind() {
    let arena = Arena::new();
    let pooler = Pooler::in_front_of(&arena, SESSIONS);
    let (mut one, mut two, mut three) = (pooler.connect(), pooler.connect(), pooler.connect());

    // There is one free session, and each of them gets that.
    let first = account(1).acquire(&mut one).unwrap();
    let second = account(1).try_acquire(&mut two).unwrap();
    assert!(second.is_some(), "the server takes them for one");
    assert!(second.unwrap().release());

    // Another client has that session when it should release.
    begin(&mut three);
    assert!(is_mine(&mut three, 1));
    assert!(!first.release(), "the other session holds nothing");
    commit(&mut three);
    assert_eq!(advisory_locks(&arena), 1, "left behind, until the pooler ends the session");

    // The form for transactions is not wrong then, it waits: the lock is somebody's.
    begin(&mut two);
    begin(&mut three);
    let other = if is_mine(&mut two, 1) { &mut three } else { &mut two };
    assert!(!account(1).try_acquire_for_transaction(other).unwrap());
}

fn is_mine(conn: &mut PgConnection, locks: i64) -> bool {
    let mine = "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())";
    sql::<diesel::sql_types::BigInt>(&format!("SELECT {mine}")).get_result::<i64>(conn).unwrap() == locks
}

/// P03.
#[test]
fn a_wait_that_timed_out_leaves_the_sessions_as_they_were() {
    let arena = Arena::new();
    let pooler = Pooler::in_front_of(&arena, 1);
    let mut holder = arena.pg();
    begin(&mut holder);
    account(1).acquire_for_transaction(&mut holder).unwrap();
    LockSet::new().id::<Account>(2).lock(&mut holder).unwrap();
    let mut client = pooler.connect();
    let short = Duration::from_millis(50);
    let error = account(1).timeout(short).hold(&mut client, |_| Ok::<_, LockError>(())).unwrap_err();
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    let error = client.transaction(|conn| LockSet::new().id::<Account>(2).timeout(short).lock(conn)).unwrap_err();
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    for setting in ["statement_timeout", "lock_timeout"] {
        let left = format!("current_setting('{setting}')");
        assert_eq!(Postgres::text(&mut pooler.connect(), &left).unwrap().as_deref(), Some("0"), "{setting}");
    }
    assert_eq!(advisory_locks(&arena), 1);
}

#[test]
fn sets_of_rows_neither_deadlock_nor_lose_money() {
    let arena = Arena::new();
    let pooler = Pooler::in_front_of(&arena, SESSIONS);
    let total = "SELECT sum(balance) FROM accounts";
    let before = arena.number(total);
    clients(&pooler, |conn| {
        let (from, to) = (fastrand::i32(1..=5), fastrand::i32(1..=5));
        if from == to {
            return;
        }
        let locked = LockSet::new().id::<Account>(from).id::<Account>(to).lock(conn).unwrap();
        for (row, change) in [(from, -1), (to, 1)] {
            let balance = locked.rows::<Account>().iter().find(|account| account.id == row).unwrap().balance;
            let change = format!("UPDATE accounts SET balance = {} WHERE id = {row}", balance + change);
            sql_query(change).execute(conn).unwrap();
        }
    });
    assert_eq!(arena.number(total), before);
    drop(pooler);
    assert_eq!(arena.deadlocks(), 0);
}
