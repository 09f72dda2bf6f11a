//! Connections that do not tell whether the server has given the transaction up: a commit of nothing is an error all the same.

use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl,
    connection::{AnsiTransactionManager, TransactionManager},
    dsl::{exists, not},
    pg::Pg,
    prelude::*,
    r2d2::{ConnectionManager, PooledConnection},
};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_lockset::{
    AdvisoryLock, LockConnection, LockDsl, LockError, LockTransaction, PickDsl, RunAdvisoryLock, RunLockTransaction,
};

use crate::{
    foreign::{Counts, Foreign},
    support::{
        arena::Arena,
        driver::Open,
        models::{Account, Job},
        postgres::Postgres,
        schema::{accounts, jobs, parents},
        server::Server,
        statements::Statements,
    },
};

trait PgLike: LockConnection<Backend = Pg> + Open<Server = Postgres> {}

impl<C: LockConnection<Backend = Pg> + Open<Server = Postgres>> PgLike for C {}

fn set_balance(conn: &mut impl PgLike, id: i32) -> QueryResult<usize> {
    diesel::update(accounts::table.find(id)).set(accounts::balance.eq(99)).execute(conn)
}

/// Writes something, meets an error and says nothing of it.
fn swallows(conn: &mut impl PgLike) -> Result<(), LockError> {
    set_balance(conn, 2)?;
    Postgres::execute(conn, "SELECT 1 / 0").unwrap_err();
    Ok(())
}

/// The ways to run it in a transaction of the crate's.
fn ways<C: PgLike>() -> [(&'static str, fn(&mut C) -> Result<(), LockError>); 5] {
    [
        ("run", |conn| LockTransaction::new().run(conn, |conn| swallows(conn))),
        ("with_lock", |conn| one().with_lock(conn, |_, conn| swallows(conn))),
        ("hold", |conn| AdvisoryLock::named("foreign").hold(conn, |conn| swallows(conn))),
        ("try_hold", |conn| AdvisoryLock::named("foreign").try_hold(conn, |conn| swallows(conn)).map(drop)),
        ("run, nested", |conn| {
            LockTransaction::new().run(conn, |conn| one().with_lock(conn, |_, conn| swallows(conn)))
        }),
    ]
}

fn one() -> Account {
    Account { id: 1, owner: String::new(), balance: 0, v: 0 }
}

fn is_open<C: Connection>(conn: &mut C) -> bool {
    C::TransactionManager::transaction_manager_status_mut(conn).transaction_depth().unwrap().is_some()
}

fn a_commit_of_nothing_is_an_error<C: PgLike>(kind: &str) {
    let arena = Arena::new();
    let conn = &mut C::open(arena.url());
    for (way, run) in ways::<C>() {
        let outcome = run(conn);
        assert!(matches!(outcome, Err(LockError::Aborted)), "{kind}, {way}: {outcome:?}");
        assert!(!is_open(conn), "{kind}, {way}");
        assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE balance = 99"), 0, "{kind}, {way}");
        assert!(arena.held_keys("accounts", "id").is_empty(), "{kind}, {way}");
        assert!(!AdvisoryLock::named("foreign").is_held(&mut arena.pg()).unwrap(), "{kind}, {way}");
    }
    // In a transaction of Diesel's own the savepoint is undone and the rest goes on.
    for (way, run) in ways::<C>() {
        let outcome = conn.transaction(|conn| {
            let outcome = run(conn);
            assert!(matches!(outcome, Err(LockError::Aborted)), "{kind}, nested {way}: {outcome:?}");
            Postgres::execute(conn, "UPDATE accounts SET v = v + 1 WHERE id = 3")?;
            Ok::<_, LockError>(())
        });
        assert!(outcome.is_ok() && !is_open(conn), "{kind}, nested {way}: {outcome:?}");
    }
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE balance = 99"), 0, "{kind}");
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 3"), 5, "{kind}");
    // What has not failed is committed.
    LockTransaction::new()
        .run(conn, |conn| one().with_lock(conn, |_, conn| set_balance(conn, 2).map_err(LockError::from)))
        .unwrap();
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 2"), 99, "{kind}");
    // Nor is a claim lost that takes several statements.
    let parentless = jobs::table.filter(not(exists(parents::table.filter(parents::data.eq(jobs::payload)))));
    let claimed: Vec<Job> = parentless.order(jobs::id).claim(1, jobs::payload.eq("claimed"), conn).unwrap();
    assert_eq!(claimed.len(), 1, "{kind}");
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE payload = 'claimed'"), 1, "{kind}");
}

#[test]
fn a_commit_of_nothing_is_an_error_over_any_connection() {
    a_commit_of_nothing_is_an_error::<PgConnection>("Diesel's own");
    a_commit_of_nothing_is_an_error::<PooledConnection<ConnectionManager<PgConnection>>>("pooled");
    a_commit_of_nothing_is_an_error::<Foreign<PgConnection, AnsiTransactionManager>>("Diesel's manager");
    a_commit_of_nothing_is_an_error::<Foreign<PgConnection, Counts>>("a manager of its own");
    a_commit_of_nothing_is_an_error::<PooledConnection<ConnectionManager<Foreign<PgConnection, Counts>>>>("both");
    a_commit_of_nothing_is_an_error::<AsyncConnectionWrapper<AsyncPgConnection>>("asynchronous");
}

/// What is sent for a transaction in which nothing happens.
fn sent<C: PgLike>() -> Vec<String> {
    let arena = Arena::new();
    let conn = &mut C::open(arena.url());
    let statements = Statements::default();
    conn.set_instrumentation(statements.listener());
    LockTransaction::new().run(conn, |_| Ok::<_, LockError>(())).unwrap();
    statements.take()
}

/// Fails in an aborted transaction, and outside of one.
const PROBE: &str = "SAVEPOINT diesel_lockset_probe; RELEASE SAVEPOINT diesel_lockset_probe";

#[test]
fn only_connections_that_do_not_tell_are_asked() {
    assert_eq!(sent::<PgConnection>(), ["BEGIN", "COMMIT"]);
    assert_eq!(sent::<PooledConnection<ConnectionManager<PgConnection>>>(), ["BEGIN", "COMMIT"]);
    assert_eq!(sent::<Foreign<PgConnection, Counts>>(), ["BEGIN", PROBE, "COMMIT"]);
    assert_eq!(
        sent::<PooledConnection<ConnectionManager<Foreign<PgConnection, Counts>>>>(),
        ["BEGIN", PROBE, "COMMIT"]
    );
}
