//! Locking statements that Diesel keeps prepared: those that have failed are not executed again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use diesel::{
    connection::{AnsiTransactionManager, CacheSize, InstrumentationEvent, SimpleConnection, TransactionManager},
    mysql::Mysql,
    prelude::*,
    sql_query,
    sql_types::Text,
};
use diesel_lockset::{LockDsl, LockError, LockSet, PickDsl, RunLockSet};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{
        driver::{MysqlPooled, Session},
        models::{Account, Order},
        mysql::MysqlFamily,
        nonblocking::{MysqlNonblocking, MysqlNonblockingPooled},
        schema::{accounts, customers, orders},
    },
};

/// The ways in which a statement fails that has locked its first row and waits for the second one.
const WAYS: [&str; 3] = ["a deadlock", "a cancellation", "a lock wait timeout"];

fn set() -> LockSet<'static, Mysql> {
    LockSet::new().ids::<Account>([1, 2])
}

/// Locks twice, each time in a transaction of its own.
fn lock_twice<S: Session<Backend = Mysql>>(session: &mut S) {
    for _ in 0..2 {
        session.begin().unwrap();
        assert_eq!(session.lock_set(set()).unwrap().rows::<Account>().len(), 2);
        session.rollback().unwrap();
    }
}

fn fail_in_all_ways<S: Session<Server = MysqlFamily, Backend = Mysql> + 'static>() {
    let arena = Arena::new();
    let play = Play::<S>::new(&arena);
    let (patient, holder) = (play.session("patient"), play.session("holder"));
    for way in WAYS {
        let times_out = way == "a lock wait timeout";
        patient.run("locks", lock_twice::<S>);
        // Whoever has changed more is spared by a deadlock.
        let holds = "UPDATE accounts SET v = v + 1 WHERE id IN (2, 3, 4)";
        holder.run("locks row 2", |s| s.begin().and_then(|()| s.execute(holds))).unwrap();
        let waiting = patient.start(way, move |s| {
            if times_out {
                s.execute("SET innodb_lock_wait_timeout = 1").unwrap();
            }
            s.begin().unwrap();
            s.execute("UPDATE accounts SET v = 7 WHERE id = 5").unwrap();
            let error = s.lock_set(set()).unwrap_err();
            s.rollback().unwrap();
            s.execute("SET innodb_lock_wait_timeout = 50").unwrap();
            error
        });
        if !times_out {
            waiting.blocked_by(&holder);
        }
        match way {
            "a deadlock" => {
                holder.run("locks row 5", |s| s.execute("UPDATE accounts SET v = 7 WHERE id = 5")).unwrap();
            }
            "a cancellation" => arena.execute(&format!("KILL QUERY {}", patient.pid())),
            _ => {}
        }
        println!("{way}: {}", waiting.join());
        holder.run("rolls back", |s| s.rollback()).unwrap();
        patient.run("locks again", lock_twice::<S>);
    }
}

#[test]
fn a_set_that_failed_behind_its_first_row_is_locked_again() {
    fail_in_all_ways::<Driver>();
}

#[test]
fn a_set_that_failed_behind_its_first_row_is_locked_again_pooled() {
    fail_in_all_ways::<MysqlPooled>();
}

#[test]
fn a_set_that_failed_behind_its_first_row_is_locked_again_async() {
    fail_in_all_ways::<MysqlNonblocking>();
    fail_in_all_ways::<MysqlNonblockingPooled>();
}

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = Text, column_name = "Value")]
    number: String,
}

/// The number of statements that `work` prepares.
fn prepared(conn: &mut MysqlConnection, work: impl Fn(&mut MysqlConnection)) -> i64 {
    let number = |conn: &mut MysqlConnection| -> i64 {
        let prepared: Prepared = sql_query("SHOW SESSION STATUS LIKE 'Com_stmt_prepare'").get_result(conn).unwrap();
        prepared.number.parse().unwrap()
    };
    let before = number(conn);
    work(conn);
    // The question itself is prepared each time.
    number(conn) - before - 1
}

fn lock(conn: &mut MysqlConnection) {
    conn.transaction(|conn| set().lock(conn).map(drop)).unwrap();
}

fn load(conn: &mut MysqlConnection) {
    let _: Account = accounts::table.find(1).select(Account::as_select()).first(conn).unwrap();
}

/// Locks while another session holds row 2, with a session that waits for a second.
fn fail(arena: &Arena, conn: &mut MysqlConnection) {
    let mut holder = Driver::connect(arena.url());
    holder.begin().unwrap();
    holder.execute("UPDATE accounts SET v = v + 1 WHERE id = 2").unwrap();
    conn.batch_execute("SET innodb_lock_wait_timeout = 1").unwrap();
    let failed = catch_unwind(AssertUnwindSafe(|| {
        conn.transaction(|conn| set().lock(conn).map(drop)).map_err(|error: LockError| error)
    }));
    assert!(!matches!(failed, Ok(Ok(()))));
    holder.rollback().unwrap();
}

#[test]
fn a_lock_is_kept_prepared_and_prepared_anew_after_it_has_failed() {
    let arena = Arena::new();
    let mut conn = arena.connect();
    lock(&mut conn);
    load(&mut conn);
    assert_eq!(prepared(&mut conn, |conn| (lock(conn), load(conn)).1), 0);
    fail(&arena, &mut conn);
    assert_eq!(prepared(&mut conn, |conn| (lock(conn), load(conn)).1), 2, "the connection has forgotten them");
    assert_eq!(prepared(&mut conn, |conn| (lock(conn), load(conn)).1), 0, "and keeps them again");
}

#[test]
fn a_cache_that_is_disabled_stays_disabled() {
    let arena = Arena::new();
    let mut conn = arena.connect();
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    for _ in 0..2 {
        lock(&mut conn);
        load(&mut conn);
        assert_eq!(prepared(&mut conn, |conn| (lock(conn), load(conn)).1), 2);
        fail(&arena, &mut conn);
    }
}

/// What an application may have done to its session or its connection.
type Circumstance = (&'static str, fn(&mut MysqlConnection), fn(&mut MysqlConnection));

/// With what puts it right again.
const CIRCUMSTANCES: [Circumstance; 4] = [
    ("nothing", |_| {}, |_| {}),
    (
        "no rows are wanted",
        |conn| conn.batch_execute("SET sql_select_limit = 0").unwrap(),
        |conn| conn.batch_execute("SET sql_select_limit = DEFAULT").unwrap(),
    ),
    (
        "statements are logged",
        |conn| conn.set_instrumentation(|event: InstrumentationEvent<'_>| drop(format!("{event:?}"))),
        |conn| conn.set_instrumentation(|_: InstrumentationEvent<'_>| {}),
    ),
    (
        "the instrumentation panics when a statement has failed",
        |conn| {
            conn.set_instrumentation(|event: InstrumentationEvent<'_>| {
                let failed = matches!(event, InstrumentationEvent::FinishQuery { error: Some(_), .. });
                assert!(!failed, "the instrumentation panics");
            });
        },
        |conn| conn.set_instrumentation(|_: InstrumentationEvent<'_>| {}),
    ),
];

#[test]
fn a_failure_changes_no_setting_of_the_cache() {
    let arena = Arena::new();
    for (what, apply, undo) in CIRCUMSTANCES {
        for (size, again) in [(CacheSize::Unbounded, 0), (CacheSize::Disabled, 2)] {
            let mut conn = arena.connect();
            conn.set_prepared_statement_cache_size(size);
            lock(&mut conn);
            apply(&mut conn);
            fail(&arena, &mut conn);
            undo(&mut conn);
            prepared(&mut conn, |conn| (lock(conn), load(conn)).1);
            assert_eq!(prepared(&mut conn, |conn| (lock(conn), load(conn)).1), again, "{what}, {size:?}");
        }
    }
}

/// Whose questions are asked is not known: the setting is as it was, or the connection is refused.
#[test]
fn an_instrumentation_that_panics_always_changes_no_setting_of_the_cache() {
    let arena = Arena::new();
    for (size, again) in [(CacheSize::Unbounded, 0), (CacheSize::Disabled, 2)] {
        let mut conn = arena.connect();
        conn.set_prepared_statement_cache_size(size);
        lock(&mut conn);
        let mut holder = Driver::connect(arena.url());
        holder.begin().unwrap();
        holder.execute("UPDATE accounts SET v = v + 1 WHERE id = 2").unwrap();
        conn.batch_execute("SET innodb_lock_wait_timeout = 1").unwrap();
        conn.begin_test_transaction().unwrap();
        conn.set_instrumentation(|_: InstrumentationEvent<'_>| panic!("the instrumentation panics"));
        catch_unwind(AssertUnwindSafe(|| set().lock(&mut conn).map(drop))).unwrap_err();
        conn.set_instrumentation(|_: InstrumentationEvent<'_>| {});
        holder.rollback().unwrap();
        if AnsiTransactionManager::transaction_manager_status_mut(&mut conn).transaction_depth().is_err() {
            continue;
        }
        let work = |conn: &mut MysqlConnection| (drop(set().lock(conn).unwrap()), load(conn)).1;
        work(&mut conn);
        assert_eq!(prepared(&mut conn, work), again, "{size:?}");
    }
}

/// Also a question that the crate asks about the session, not only a lock: before a pick by a join it asks for the level.
#[test]
fn calls_among_cancellations_come_back() {
    const CALLS: usize = 600;
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (patient, killer) = (play.session("patient"), arena.connect());
    let (pid, done) = (patient.pid(), Arc::new(AtomicBool::new(false)));
    let killing = {
        let (mut killer, done) = (killer, Arc::clone(&done));
        thread::spawn(move || {
            let mut random = fastrand::Rng::new();
            while !done.load(Relaxed) {
                killer.batch_execute(&format!("KILL QUERY {pid}")).unwrap();
                thread::sleep(Duration::from_micros(random.u64(..600)));
            }
        })
    };
    let calling = patient.start("calls", move |s| {
        let mut canceled = 0;
        for _ in 0..CALLS {
            let called = s.conn().transaction(|conn| {
                let query = orders::table.inner_join(customers::table).order(orders::id);
                query.select(Order::as_select()).pick::<Order>(2, conn)?;
                Account::lock_by_id(1, conn)?;
                set().lock(conn).map(drop)
            });
            canceled += usize::from(called.is_err());
        }
        canceled
    });
    let canceled = calling.join();
    done.store(true, Relaxed);
    killing.join().unwrap();
    println!("{canceled} of {CALLS} canceled");
    assert!(canceled > 0);
}

/// A prepared statement is about the database in which it was prepared. So after a `USE` a query of Diesel's that is kept reads the row of the
/// database before it, and a lock locks that row too. With the cache disabled, both are about the database that is used.
#[test]
fn a_lock_is_about_the_same_database_as_a_query_of_diesels() {
    for size in [CacheSize::Unbounded, CacheSize::Disabled] {
        let (one, other) = (Arena::new(), Arena::named("another_database_that_is_used"));
        other.execute("UPDATE accounts SET v = 77 WHERE id = 1");
        let mut conn = one.connect();
        conn.set_prepared_statement_cache_size(size);
        for within in [&one, &other, &one, &other] {
            conn.batch_execute(&format!("USE {}", within.name())).unwrap();
            let by_diesel: Account =
                accounts::table.find(1).select(Account::as_select()).for_update().first(&mut conn).unwrap();
            let locked = conn.transaction(|conn| Account::lock_by_id(1, conn)).unwrap();
            assert_eq!(locked.v, by_diesel.v, "{size:?}");
            assert!(size == CacheSize::Unbounded || (locked.v == 77) == (within.name() == other.name()));
        }
    }
}
