//! How transactions over diesel-async end: its connections do not tell what the server says of the transaction, so the statement that ends it
//! asks.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use diesel::{
    connection::{Instrumentation, InstrumentationEvent},
    dsl::sql,
    result::Error as DieselError,
    sql_types::Integer,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use diesel_lockset::nonblocking::prelude::*;

use crate::support::{
    arena::Arena, nonblocking::block_on, patience::until, server::Observer as _, statements::Statements,
};

const PROBE: &str = "SAVEPOINT diesel_lockset_probe; RELEASE SAVEPOINT diesel_lockset_probe";
const CHANGE: &str = "UPDATE accounts SET v = 7 WHERE id = 1";

async fn connect(arena: &Arena) -> (AsyncPgConnection, Statements) {
    let mut conn = AsyncPgConnection::establish(arena.url()).await.unwrap();
    let sent = Statements::default();
    conn.set_instrumentation(sent.listener());
    (conn, sent)
}

/// Runs a transaction that changes a row and sends these texts, whatever comes of them.
async fn run(conn: &mut AsyncPgConnection, texts: &[&str]) -> Result<(), LockError> {
    let sends = async |conn: &mut AsyncPgConnection| {
        conn.batch_execute(CHANGE).await?;
        for text in texts {
            let _ = conn.batch_execute(text).await;
        }
        Ok(())
    };
    LockTransaction::new().run(conn, sends).await
}

/// Nothing is open, and the next transaction is committed.
async fn is_usable(conn: &mut AsyncPgConnection, arena: &Arena) {
    arena.execute("UPDATE accounts SET v = 0");
    run(conn, &[]).await.unwrap();
    assert!(changed(arena));
}

fn changed(arena: &Arena) -> bool {
    arena.number("SELECT v FROM accounts WHERE id = 1") == 7
}

fn end(of: &str) -> String {
    format!("{PROBE}; {of}")
}

#[test]
fn the_statement_that_ends_a_transaction_asks_in_the_same_text() {
    let arena = Arena::new();
    block_on(async {
        let (mut conn, sent) = connect(&arena).await;
        run(&mut conn, &[]).await.unwrap();
        assert_eq!(sent.take(), ["BEGIN", CHANGE, &end("COMMIT")]);
        let nested = async |conn: &mut AsyncPgConnection| {
            LockTransaction::new().run(conn, async |_| Ok::<_, LockError>(())).await
        };
        LockTransaction::new().run(&mut conn, nested).await.unwrap();
        let savepoint = end("RELEASE SAVEPOINT diesel_savepoint_1");
        assert_eq!(sent.take(), ["BEGIN", "SAVEPOINT diesel_savepoint_1", &savepoint, &end("COMMIT")]);
        let held = AdvisoryLock::named("held").hold(&mut conn, async |_| Ok::<_, LockError>(()));
        held.await.unwrap();
        assert!(sent.take().pop().unwrap().starts_with(&end("COMMIT; SELECT pg_catalog.pg_advisory_unlock(")));
        assert!(!AdvisoryLock::named("held").is_held(&mut conn).await.unwrap());
    });
}

#[test]
fn an_aborted_transaction_is_rolled_back_and_told() {
    let arena = Arena::new();
    block_on(async {
        let (mut conn, sent) = connect(&arena).await;
        let error = run(&mut conn, &["SELECT 1 / 0"]).await.unwrap_err();
        assert!(matches!(error, LockError::Aborted), "{error:?}");
        assert_eq!(sent.take()[3..], [&end("COMMIT"), "SELECT 1", "ROLLBACK"]);
        assert!(!changed(&arena));
        is_usable(&mut conn, &arena).await;
    });
}

#[test]
fn an_aborted_savepoint_is_rolled_back_and_the_outer_transaction_goes_on() {
    let arena = Arena::new();
    block_on(async {
        let (mut conn, _) = connect(&arena).await;
        let outer = async |conn: &mut AsyncPgConnection| {
            let error = run(conn, &["SELECT 1 / 0"]).await.unwrap_err();
            assert!(matches!(error, LockError::Aborted), "{error:?}");
            conn.batch_execute("UPDATE accounts SET balance = 4711 WHERE id = 2").await?;
            Ok::<_, LockError>(())
        };
        LockTransaction::new().run(&mut conn, outer).await.unwrap();
        assert!(!changed(&arena));
        assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 2"), 4711);
        is_usable(&mut conn, &arena).await;
    });
}

#[test]
fn a_transaction_that_the_closure_has_ended_is_told() {
    let arena = Arena::new();
    block_on(async {
        let (mut conn, _) = connect(&arena).await;
        for (text, kept) in [("COMMIT", true), ("ROLLBACK", false)] {
            let error = run(&mut conn, &[text]).await.unwrap_err();
            assert!(matches!(error, LockError::Aborted), "{text}: {error:?}");
            assert_eq!(changed(&arena), kept, "{text}");
            is_usable(&mut conn, &arena).await;
            arena.execute("UPDATE accounts SET v = 0");
        }
        // The savepoint is gone, and not the transaction.
        let outer = async |conn: &mut AsyncPgConnection| run(conn, &["COMMIT; BEGIN"]).await;
        let error = LockTransaction::new().run(&mut conn, outer).await.unwrap_err();
        assert!(matches!(error, LockError::Query(_)), "{error:?}");
        is_usable(&mut conn, &arena).await;
    });
}

#[test]
fn a_commit_that_is_refused_is_that_error_and_nothing_is_left_to_roll_back() {
    let arena = Arena::new();
    arena.execute("CREATE TABLE later (id integer REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)");
    arena.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''SAVEPOINT''; END'; \
         CREATE TABLE refused (id integer); \
         CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON refused DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    block_on(async {
        let (mut conn, sent) = connect(&arena).await;
        for (text, asked) in [
            ("INSERT INTO later VALUES (4711)", &["SELECT 1"] as &[&str]),
            ("INSERT INTO refused VALUES (1)", &["SELECT 1", PROBE]),
        ] {
            sent.take();
            let error = run(&mut conn, &[text]).await.unwrap_err();
            assert!(matches!(error, LockError::Query(DieselError::DatabaseError(..))), "{text}: {error:?}");
            assert_eq!(sent.take()[4..], *asked, "{text}");
            assert!(!changed(&arena));
            is_usable(&mut conn, &arena).await;
            arena.execute("UPDATE accounts SET v = 0");
        }
    });
}

#[test]
fn a_commit_that_is_canceled_or_lost_is_unknown() {
    let arena = Arena::new();
    arena.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'; \
         CREATE TABLE slowly (id integer); \
         CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slowly DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let ends: [fn(&mut diesel::PgConnection, i32); 2] =
        [|observer, pid| observer.cancel(pid), |observer, pid| observer.terminate(pid)];
    for end_it in ends {
        let error = thread::scope(|scope| {
            scope.spawn(|| {
                let mut observer = arena.connect();
                let at_it = "SELECT pid FROM pg_stat_activity \
                             WHERE datname = current_database() AND state = 'active' AND query LIKE '%; COMMIT'";
                let pid =
                    until(|| diesel::RunQueryDsl::load::<i32>(sql::<Integer>(at_it), &mut observer).unwrap().pop());
                end_it(&mut observer, pid.expect("commits"));
            });
            block_on(async { run(&mut connect(&arena).await.0, &["INSERT INTO slowly VALUES (1)"]).await.unwrap_err() })
        });
        assert!(matches!(error, LockError::CommitUnknown(_)), "{error:?}");
        assert!(!changed(&arena));
    }
}

/// The first cancellation hits what is behind the `COMMIT`, the next one the question what has become of it.
///
/// A trigger at the `COMMIT` lets the canceler go. Then the server has the files of tables to remove, and is not interrupted meanwhile.
#[test]
fn a_commit_that_is_canceled_again_and_again_is_unknown_or_done() {
    let arena = Arena::new();
    arena.execute(
        "CREATE FUNCTION release() RETURNS trigger LANGUAGE plpgsql \
         AS 'BEGIN PERFORM pg_advisory_unlock(4711); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER release AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION release()",
    );
    let (mut unknown, mut done, mut undone) = (0, 0, 0);
    for round in 0..200 {
        if unknown == 8 {
            break;
        }
        arena.execute(
            "UPDATE accounts SET v = 0; CREATE SCHEMA many; \
             DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE format('CREATE TABLE many.t%s (id int)', i); END LOOP; END $$",
        );
        let mut conn = block_on(connect(&arena)).0;
        let pid: i32 = block_on(async {
            conn.batch_execute("SET log_min_duration_statement = 0; SELECT pg_advisory_lock(4711)").await.unwrap();
            let pid = diesel::select(sql::<Integer>("pg_backend_pid()"));
            diesel_async::RunQueryDsl::get_result(pid, &mut conn).await.unwrap()
        });
        let result: Result<(), LockError> = thread::scope(|scope| {
            let canceler = scope.spawn(|| {
                let cancels = format!(
                    "SELECT pg_advisory_lock(4711); SELECT pg_advisory_unlock(4711); \
                     DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_cancel_backend({pid}); END LOOP; END $$"
                );
                arena.execute(&cancels);
            });
            let changes = async |conn: &mut AsyncPgConnection| {
                conn.batch_execute(CHANGE).await?;
                Ok::<_, LockError>(conn.batch_execute("DROP SCHEMA many CASCADE").await?)
            };
            let result = block_on(async {
                match round % 2 {
                    0 => AdvisoryLock::named("held").hold(&mut conn, changes).await,
                    _ => LockTransaction::new().retries(0).run(&mut conn, changes).await,
                }
            });
            canceler.join().unwrap();
            result
        });
        match result {
            Ok(()) => done += 1,
            Err(LockError::CommitUnknown(_)) => unknown += 1,
            Err(error) => {
                undone += 1;
                assert!(!changed(&arena), "committed, and {error:?}");
            }
        }
        arena.execute("DROP SCHEMA IF EXISTS many CASCADE");
    }
    println!("{unknown} unknown, {done} done, {undone} undone");
    assert_eq!(unknown, 8, "the cancellations come too late or too early");
}

#[test]
fn a_panic_of_the_instrumentation_at_the_commit_leaves_the_connection_marked() {
    let arena = Arena::new();
    let (mut conn, _) = block_on(connect(&arena));
    let mut once = false;
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        let is_commit = matches!(event, InstrumentationEvent::CommitTransaction { .. });
        if is_commit && !mem::replace(&mut once, true) {
            panic!("the instrumentation panics");
        }
    });
    catch_unwind(AssertUnwindSafe(|| block_on(run(&mut conn, &[])))).unwrap_err();
    let error = block_on(run(&mut conn, &[])).unwrap_err();
    assert!(matches!(error, LockError::ConnectionLost(_)), "{error:?}");
    drop(conn);
    assert!(!changed(&arena));
}

#[test]
fn a_savepoint_whose_session_is_ended_is_a_lost_connection() {
    let arena = Arena::new();
    block_on(async {
        let (mut conn, _) = connect(&arena).await;
        let pid: i32 =
            diesel_async::RunQueryDsl::get_result(diesel::select(sql::<Integer>("pg_backend_pid()")), &mut conn)
                .await
                .unwrap();
        let outer = async |conn: &mut AsyncPgConnection| {
            let nested = async |_: &mut AsyncPgConnection| {
                arena.connect().terminate(pid);
                Ok::<_, LockError>(())
            };
            LockTransaction::new().run(conn, nested).await
        };
        let error = LockTransaction::new().run(&mut conn, outer).await.unwrap_err();
        assert!(matches!(error, LockError::ConnectionLost(_)), "{error:?}");
    });
}

#[test]
fn begins_and_commits_are_reported_to_the_instrumentation() {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Depths(Arc<Mutex<Vec<(char, u32)>>>);
    impl Instrumentation for Depths {
        fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
            let event = match event {
                InstrumentationEvent::BeginTransaction { depth, .. } => ('b', depth.get()),
                InstrumentationEvent::CommitTransaction { depth, .. } => ('c', depth.get()),
                InstrumentationEvent::RollbackTransaction { depth, .. } => ('r', depth.get()),
                _ => return,
            };
            self.0.lock().unwrap().push(event);
        }
    }

    let arena = Arena::new();
    block_on(async {
        let (mut conn, _) = connect(&arena).await;
        let depths = Depths::default();
        conn.set_instrumentation(depths.clone());
        LockTransaction::new().run(&mut conn, async |conn: &mut AsyncPgConnection| run(conn, &[]).await).await.unwrap();
        assert_eq!(*depths.0.lock().unwrap(), [('b', 1), ('b', 2), ('c', 2), ('c', 1)]);
    });
}
