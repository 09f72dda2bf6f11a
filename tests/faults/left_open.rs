//! Closures that leave a transaction of their own open, or end the one that was begun for them.
//!
//! Written once, for each kind of server: the parent module names the driver.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::{
    connection::{AnsiTransactionManager, TransactionManager},
    prelude::*,
};
use diesel_lockset::{LockError, LockTransaction, RunLockTransaction};

use super::{Arena, Driver, SESSION_STATE};
use crate::support::{driver::Session, schema::accounts};

type Conn = <Driver as Session>::Conn;

/// Writes, and begins so many transactions more, each of which writes as well.
fn leaves_open(conn: &mut Conn, more: i32) -> Result<(), LockError> {
    for id in 1..=more {
        diesel::update(accounts::table.find(id)).set(accounts::v.eq(7)).execute(conn)?;
        AnsiTransactionManager::begin_transaction(conn)?;
    }
    diesel::update(accounts::table.find(3)).set(accounts::v.eq(7)).execute(conn)?;
    Ok(())
}

/// How many transactions and savepoints the connection has open, and how many rows were written.
fn outcome(arena: &Arena, session: &mut Driver) -> (u32, i64) {
    let open = AnsiTransactionManager::transaction_manager_status_mut(session.conn()).transaction_depth();
    (open.unwrap().map_or(0, Into::into), arena.number("SELECT count(*) FROM accounts WHERE v = 7"))
}

#[test]
fn what_a_closure_leaves_open_is_committed_with_the_rest() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for more in 0..3 {
        arena.execute("UPDATE accounts SET v = 0");
        LockTransaction::new().run(session.conn(), |conn| leaves_open(conn, more)).unwrap();
        assert_eq!(outcome(&arena, &mut session), (0, i64::from(more) + 1), "{more}");
        arena.execute("UPDATE accounts SET v = 0");
        let nested = |conn: &mut Conn| LockTransaction::new().run(conn, |conn| leaves_open(conn, more));
        LockTransaction::new().run(session.conn(), nested).unwrap();
        assert_eq!(outcome(&arena, &mut session), (0, i64::from(more) + 1), "{more}, nested");
    }
}

#[test]
fn what_a_closure_leaves_open_is_undone_with_the_rest_if_it_fails_or_panics() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for more in 0..3 {
        arena.execute("UPDATE accounts SET v = 0");
        let fails = |conn: &mut Conn| -> Result<(), LockError> {
            leaves_open(conn, more)?;
            Err(LockError::Aborted)
        };
        LockTransaction::new().run(session.conn(), fails).unwrap_err();
        assert_eq!(outcome(&arena, &mut session), (0, 0), "{more}");
        let panics = |conn: &mut Conn| -> Result<(), LockError> {
            leaves_open(conn, more)?;
            resume_unwind(Box::new("a bug"))
        };
        catch_unwind(AssertUnwindSafe(|| LockTransaction::new().run(session.conn(), panics))).unwrap_err();
        assert_eq!(outcome(&arena, &mut session), (0, 0), "{more}, panic");
        let nested = |conn: &mut Conn| -> Result<(), LockError> {
            let nested = AssertUnwindSafe(|| LockTransaction::new().run(conn, panics));
            catch_unwind(nested).unwrap_err();
            leaves_open(conn, 0)
        };
        LockTransaction::new().run(session.conn(), nested).unwrap();
        assert_eq!(outcome(&arena, &mut session), (0, 1), "{more}, a panic within");
    }
}

#[test]
fn a_nested_transaction_that_its_closure_has_ended_is_an_error_and_the_outer_one_ends_as_it_likes() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for ends in [AnsiTransactionManager::commit_transaction, AnsiTransactionManager::rollback_transaction] {
        arena.execute("UPDATE accounts SET v = 0");
        let ends = |conn: &mut Conn| -> Result<(), LockError> { Ok(ends(conn)?) };
        let outer = |conn: &mut Conn| -> Result<(), LockError> {
            let error = LockTransaction::new().run(conn, ends).unwrap_err();
            assert!(matches!(error, LockError::Aborted), "{error:?}");
            leaves_open(conn, 0)
        };
        LockTransaction::new().run(session.conn(), outer).unwrap();
        assert_eq!(outcome(&arena, &mut session), (0, 1));
    }
}

/// The setting that the ended transaction was to put back is put back all the same.
#[test]
fn a_transaction_that_its_closure_ended_before_it_ran_another_one_leaves_no_setting() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let state = |session: &mut Driver| SESSION_STATE.map(|query| session.number(query).unwrap());
    let whole = state(&mut session);
    for ends in [AnsiTransactionManager::commit_transaction, AnsiTransactionManager::rollback_transaction] {
        arena.execute("UPDATE accounts SET v = 0");
        let outer = |conn: &mut Conn| -> Result<(), LockError> {
            ends(conn)?;
            LockTransaction::new().run(conn, |conn| leaves_open(conn, 0))
        };
        let error = LockTransaction::new().run(session.conn(), outer).unwrap_err();
        assert!(matches!(error, LockError::Aborted), "{error:?}");
        assert_eq!(outcome(&arena, &mut session), (0, 1));
        assert_eq!(state(&mut session), whole);
        assert_eq!(session.execute("UPDATE accounts SET v = 7 WHERE id = 4"), Ok(1));
        assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 7"), 2, "it is committed at once");
    }
}
