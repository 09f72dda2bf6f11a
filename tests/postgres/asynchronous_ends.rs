//! How transactions over diesel-async end: its connections do not tell what the server says of the transaction, so the statement that ends it
//! asks.

use std::thread;

use diesel::{connection::Instrumentation, dsl::sql, result::Error as DieselError, sql_types::Integer};
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
    use diesel::connection::InstrumentationEvent;
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
