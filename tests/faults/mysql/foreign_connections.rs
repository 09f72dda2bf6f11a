//! Connections that do not tell that the server has rolled the transaction back: nothing that follows is committed all the same.

use std::thread;

use diesel::{
    Connection, MysqlConnection, RunQueryDsl,
    connection::{AnsiTransactionManager, TransactionManager},
    mysql::Mysql,
    result::Error as DieselError,
    sql_query,
};
use diesel_lockset::{
    AdvisoryLock, LockConnection, LockDsl, LockError, LockSet, LockTransaction, RunAdvisoryLock, RunLockSet,
    RunLockTransaction,
};

use crate::{
    foreign::{Counts, Foreign},
    support::{
        arena::ServerArena,
        driver::{MysqlBlocking, Open, Session},
        models::Account,
        mysql::MysqlFamily,
        patience::until,
        server::Observer,
    },
};

type Arena = ServerArena<MysqlFamily>;

trait MysqlLike: LockConnection<Backend = Mysql> + Open<Server = MysqlFamily> {}

impl<C: LockConnection<Backend = Mysql> + Open<Server = MysqlFamily>> MysqlLike for C {}

const LATER: &str = "INSERT INTO accounts (id, owner, balance) VALUES (900, 'later', 0)";

/// Which statement meets the deadlock.
const LOSSES: [&str; 3] = ["a set", "a statement", "a batch"];

/// Loses the transaction of `conn` to a deadlock.
fn lose(loss: &str, arena: &Arena, conn: &mut impl MysqlLike) -> LockError {
    const CHANGE: &str = "UPDATE accounts SET v = v + 1 WHERE id = 1";
    sql_query("UPDATE accounts SET v = 7 WHERE id = 5").execute(conn).unwrap();
    let mut other = MysqlBlocking::connect(arena.url());
    other.begin().unwrap();
    // Whoever has changed more is spared.
    other.execute("UPDATE accounts SET v = v + 1 WHERE id IN (1, 3, 4)").unwrap();
    let pid = other.pid();
    let waits = thread::spawn(move || {
        other.execute("UPDATE accounts SET v = v + 1 WHERE id = 5").unwrap();
        other.rollback().unwrap();
    });
    let mut observer = arena.admin();
    until(|| (!observer.blocked_by(pid).is_empty()).then_some(())).expect("waits for row 5");
    let lost = match loss.trim_end_matches(" within") {
        "a set" => LockSet::new().id::<Account>(1).lock(conn).map(drop),
        "a statement" => sql_query(CHANGE).execute(conn).map(drop).map_err(LockError::from),
        _ => conn.batch_execute(CHANGE).map_err(LockError::from),
    };
    waits.join().unwrap();
    let error = lost.unwrap_err();
    assert!(matches!(error, LockError::Deadlock { .. }), "{loss}: {error:?}");
    error
}

/// Loses the transaction and says nothing of it; writes on if the transaction is one of the crate's, the outermost too.
fn swallows(loss: &str, arena: &Arena, conn: &mut impl MysqlLike) -> Result<(), LockError> {
    lose(loss, arena, conn);
    if !loss.ends_with("within") {
        let _ = sql_query(LATER).execute(conn);
    }
    Ok(())
}

fn two() -> Account {
    Account { id: 2, owner: String::new(), balance: 0, v: 0 }
}

type Way<C> = fn(&str, &Arena, &mut C) -> Result<(), LockError>;

fn ways<C: MysqlLike>() -> [(&'static str, Way<C>); 4] {
    [
        ("run", |loss, arena, conn| LockTransaction::new().run(conn, |conn| swallows(loss, arena, conn))),
        ("with_lock", |loss, arena, conn| two().with_lock(conn, |_, conn| swallows(loss, arena, conn))),
        ("hold", |loss, arena, conn| AdvisoryLock::named("foreign").hold(conn, |conn| swallows(loss, arena, conn))),
        ("run, nested", |loss, arena, conn| {
            LockTransaction::new().run(conn, |conn| two().with_lock(conn, |_, conn| swallows(loss, arena, conn)))
        }),
    ]
}

fn is_open<C: Connection>(conn: &mut C) -> bool {
    C::TransactionManager::transaction_manager_status_mut(conn).transaction_depth().unwrap().is_some()
}

fn nothing_is_committed<C: MysqlLike>(kind: &str) {
    let arena = Arena::new();
    let left = || arena.number("SELECT COUNT(*) FROM accounts WHERE id >= 900 OR v = 7");
    let conn = &mut C::open(arena.url());
    conn.batch_execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").unwrap();
    for loss in LOSSES {
        for (way, run) in ways::<C>() {
            let outcome = run(loss, &arena, conn);
            assert!(matches!(outcome, Err(LockError::Aborted)), "{kind}, {loss}, {way}: {outcome:?}");
            assert!(!is_open(conn) && left() == 0, "{kind}, {loss}, {way}");
        }
        // In a transaction of Diesel's own what follows is refused.
        for (way, run) in ways::<C>().into_iter().filter(|(way, _)| *way != "hold") {
            let committed = conn.transaction(|conn| {
                let outcome = run(&format!("{loss} within"), &arena, conn);
                assert!(matches!(outcome, Err(LockError::Aborted)), "{kind}, {loss}, nested {way}: {outcome:?}");
                let refused = sql_query(LATER).execute(conn).map_err(LockError::from);
                assert!(matches!(refused, Err(LockError::ReadOnly(_))), "{kind}, {loss}, nested {way}: {refused:?}");
                Ok::<_, DieselError>(())
            });
            assert_eq!(committed, Ok(()), "{kind}, {loss}, nested {way}");
            assert!(!is_open(conn) && left() == 0, "{kind}, {loss}, nested {way}");
        }
    }
    // What has not failed is committed.
    LockTransaction::new()
        .run(conn, |conn| {
            two().with_lock(conn, |_, conn| Ok::<_, LockError>(sql_query(LATER).execute(conn).map(drop)?))
        })
        .unwrap();
    assert_eq!(left(), 1, "{kind}");
}

#[test]
fn nothing_is_committed_after_a_loss_over_any_connection() {
    nothing_is_committed::<MysqlConnection>("Diesel's own");
    nothing_is_committed::<Foreign<MysqlConnection, AnsiTransactionManager>>("Diesel's manager");
    nothing_is_committed::<Foreign<MysqlConnection, Counts>>("a manager of its own");
}
