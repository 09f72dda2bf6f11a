//! Commits that PostgreSQL refuses, is told to cancel, or never gets; transactions that a closure ends itself.

use std::thread;

use diesel::{PgConnection, RunQueryDsl as _, connection::SimpleConnection, sql_query};
use diesel_lockset::{AdvisoryLock, LockDsl, LockError, LockTransaction, RunAdvisoryLock, RunLockTransaction};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Account,
    patience::until,
    server::Observer as _,
};

const CHANGE: &str = "UPDATE accounts SET v = 7 WHERE id = 1";

fn changed(arena: &Arena) -> bool {
    arena.number("SELECT v FROM accounts WHERE id = 1") == 7
}

fn change(conn: &mut PgConnection) -> Result<(), LockError> {
    Ok(sql_query(CHANGE).execute(conn).map(drop)?)
}

/// Runs a transaction that changes a row and is then treated so.
fn transaction(arena: &Arena, then: impl FnMut(&mut PgConnection) -> Result<(), LockError>) -> Result<(), LockError> {
    let (mut then, mut session) = (then, Blocking::connect(arena.url()));
    LockTransaction::new().run(session.conn(), |conn| {
        change(conn)?;
        then(conn)
    })
}

/// Cancels the commit of the only other session as soon as it is at it.
fn cancels_the_commit(arena: &Arena) {
    let mut observer = arena.connect();
    let at_it =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query = 'COMMIT'";
    let pid = until(|| {
        let mut pids = diesel::dsl::sql::<diesel::sql_types::Integer>(at_it).load::<i32>(&mut observer).unwrap();
        pids.pop()
    });
    observer.cancel(pid.expect("commits"));
}

#[test]
fn a_commit_that_is_refused_is_that_error() {
    let arena = Arena::new();
    arena.execute("CREATE TABLE later (id integer REFERENCES accounts DEFERRABLE INITIALLY DEFERRED)");
    let error = transaction(&arena, |conn| Ok(conn.batch_execute("INSERT INTO later VALUES (4711)")?)).unwrap_err();
    assert!(matches!(error, LockError::Query(_)), "{error:?}");
    assert!(!changed(&arena));
}

#[test]
fn of_a_session_that_idled_too_long_the_last_words_are_not_heard() {
    let arena = Arena::new();
    let error = transaction(&arena, |conn| {
        let pid = diesel::dsl::sql::<diesel::sql_types::Integer>("SELECT pg_backend_pid()").get_result(conn)?;
        conn.batch_execute("SET LOCAL idle_in_transaction_session_timeout = '20ms'")?;
        arena.connect().wait_until_gone(pid);
        Ok(())
    });
    assert!(matches!(error, Err(LockError::CommitUnknown(_))), "{error:?}");
    assert!(!changed(&arena));
}

#[test]
fn of_a_session_that_was_ended_the_server_does_not_say_when() {
    let arena = Arena::new();
    let error = transaction(&arena, |conn| {
        let pid = diesel::dsl::sql::<diesel::sql_types::Integer>("SELECT pg_backend_pid()").get_result(conn)?;
        arena.connect().terminate(pid);
        Ok(())
    });
    assert!(matches!(error, Err(LockError::CommitUnknown(_))), "{error:?}");
    assert!(!changed(&arena));
}

#[test]
fn a_commit_that_is_canceled_while_it_checks_constraints_is_unknown() {
    let arena = Arena::new();
    arena.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION slow()",
    );
    let error = thread::scope(|scope| {
        scope.spawn(|| cancels_the_commit(&arena));
        transaction(&arena, |_| Ok(())).unwrap_err()
    });
    assert!(matches!(error, LockError::CommitUnknown(_)), "{error:?}");
    assert!(!changed(&arena));
}

/// Statements by which a closure ends its transaction itself, and whether what it did before is kept.
const ENDS: [(&[&str], bool); 3] = [(&["COMMIT"], true), (&["ROLLBACK"], false), (&["COMMIT", "BEGIN"], true)];

#[test]
fn a_closure_that_ends_its_transaction_itself_is_told() {
    let arena = Arena::new();
    let ada = Account { id: 1, owner: String::new(), balance: 0, v: 0 };
    for (statements, kept) in ENDS {
        let ends = |conn: &mut PgConnection| -> Result<(), LockError> {
            change(conn)?;
            statements.iter().try_for_each(|statement| conn.batch_execute(statement))?;
            Ok(())
        };
        let calls: [(&str, &dyn Fn(&mut PgConnection) -> Result<(), LockError>); 4] = [
            ("LockTransaction", &|conn| LockTransaction::new().run(conn, ends)),
            ("with_lock", &|conn| ada.with_lock(conn, |_, conn| ends(conn))),
            ("hold", &|conn| AdvisoryLock::on(&ada).hold(conn, ends)),
            ("with_lock in a LockTransaction", &|conn| {
                LockTransaction::new().run(conn, |conn| ada.with_lock(conn, |_, conn| ends(conn)))
            }),
        ];
        for (name, call) in calls {
            arena.execute("UPDATE accounts SET v = 0");
            let mut session = Blocking::connect(arena.url());
            let error = call(session.conn()).expect_err(name);
            assert!(matches!(error, LockError::Aborted | LockError::Query(_)), "{name}: {statements:?}: {error:?}");
            assert_eq!(changed(&arena), kept, "{name}: {statements:?}");
            let idles = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND pid = ";
            assert_eq!(arena.number(&format!("{idles}{}", session.pid())), 0, "{name}: {statements:?}");
            LockTransaction::new().run(session.conn(), change).unwrap();
        }
    }
}

/// What the documentation of `LockError::Aborted` says.
#[test]
fn a_transaction_that_is_ended_and_begun_within_one_text_is_not_seen() {
    let arena = Arena::new();
    for text in ["COMMIT; BEGIN", "COMMIT AND CHAIN"] {
        transaction(&arena, |conn| Ok(conn.batch_execute(text)?)).unwrap();
    }
    // Inside of another one it is.
    let error = transaction(&arena, |conn| {
        LockTransaction::new().run(conn, |conn| Ok::<_, LockError>(conn.batch_execute("COMMIT; BEGIN")?))
    });
    assert!(matches!(error, Err(LockError::Query(_))), "{error:?}");
}

/// Connections of diesel-async do not record what the server says of the transaction.
#[test]
fn an_asynchronous_closure_that_ends_its_transaction_itself_is_told() {
    use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
    use diesel_lockset::nonblocking::RunLockTransaction;

    let arena = Arena::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut conn = AsyncPgConnection::establish(arena.url()).await.unwrap();
        for end in ["ROLLBACK", "COMMIT", "ROLLBACK; BEGIN; ROLLBACK"] {
            let ended =
                RunLockTransaction::run(LockTransaction::new(), &mut conn, async |conn: &mut AsyncPgConnection| {
                    conn.batch_execute(end).await?;
                    Ok::<_, LockError>(())
                });
            let error = ended.await.unwrap_err();
            assert!(matches!(error, LockError::Aborted), "{end}: {error:?}");
        }
        let whole = RunLockTransaction::run(LockTransaction::new(), &mut conn, async |conn: &mut AsyncPgConnection| {
            conn.batch_execute("UPDATE accounts SET v = 7 WHERE id = 1").await?;
            Ok::<_, LockError>(())
        });
        whole.await.unwrap();
    });
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 7);
}
