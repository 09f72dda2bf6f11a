//! Methods with `#[advisory_locked]`: what is locked, in which form, and how the body ends.

use diesel::{
    PgConnection, RunQueryDsl,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    sql_query,
};
use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock, advisory_locked};

use crate::support::{arena::Arena, models::Account};

fn ada() -> Account {
    Account { id: 1, owner: "ada".to_owned(), balance: 0, v: 0 }
}

fn depth(conn: &mut PgConnection) -> Option<u32> {
    AnsiTransactionManager::transaction_manager_status_mut(conn).transaction_depth().unwrap().map(u32::from)
}

fn is_free(lock: AdvisoryLock, conn: &mut PgConnection) -> bool {
    !lock.is_held(conn).unwrap()
}

impl Account {
    /// The lock that is held meanwhile, as others see it, and the depth of the transaction.
    #[advisory_locked]
    fn look(&self, conn: &mut PgConnection, other: &mut PgConnection) -> Result<(bool, Option<u32>), LockError> {
        let held = !is_free(AdvisoryLock::on(self).scope("look"), other);
        Ok((held, depth(conn)))
    }

    #[advisory_locked(session, scope = "look")]
    fn look_in_a_session(
        &self,
        conn: &mut PgConnection,
        other: &mut PgConnection,
    ) -> Result<(bool, Option<u32>), LockError> {
        let held = !is_free(AdvisoryLock::on(self).scope("look"), other);
        Ok((held, depth(conn)))
    }

    /// Ends in the way that is asked for, after a change.
    #[advisory_locked(timeout = "100ms")]
    fn set(&self, conn: &mut PgConnection, balance: i32) -> Result<&'static str, LockError> {
        sql_query(format!("UPDATE accounts SET balance = {balance} WHERE id = {}", self.id)).execute(conn)?;
        for way in 0.. {
            match balance {
                1 => return Ok("returned"),
                2 if way == 1 => break,
                3 => sql_query("SELECT 1 / 0").execute(conn).map(drop)?,
                4 => return Err(LockError::NotInTransaction),
                5 => panic!("on purpose"),
                _ => continue,
            }
        }
        Ok("ended")
    }

    #[advisory_locked(try, scope = "set")]
    fn set_if_free(&self, _conn: &mut PgConnection, ran: &mut u32) -> Result<Option<u32>, LockError> {
        *ran += 1;
        Ok((*ran < 2).then_some(*ran))
    }

    #[advisory_locked(shared, timeout = "0s", scope = "set", conn = "mine")]
    fn read(&self, mine: &mut PgConnection, others: &mut Vec<i32>) -> Result<usize, LockError> {
        mine.batch_execute("SELECT 1")?;
        others.push(self.id);
        Ok(others.len())
    }

    /// The lock is that of the key at the time of the call.
    #[advisory_locked(timeout = "none")]
    fn renumber(&mut self, conn: &mut PgConnection, other: &mut PgConnection) -> Result<bool, LockError> {
        let before = AdvisoryLock::on(self).scope("renumber");
        self.id += 1;
        conn.batch_execute("SELECT 1")?;
        Ok(!is_free(before, other) && is_free(AdvisoryLock::on(self).scope("renumber"), other))
    }
}

#[test]
fn the_body_runs_under_the_lock_of_self_and_of_the_method() {
    let arena = Arena::new();
    let (mut conn, mut other) = (arena.pg(), arena.pg());
    assert_eq!(ada().look(&mut conn, &mut other).unwrap(), (true, Some(1)));
    assert_eq!(ada().look_in_a_session(&mut conn, &mut other).unwrap(), (true, None));
    assert!(is_free(AdvisoryLock::on(&ada()).scope("look"), &mut other));
    assert!(ada().renumber(&mut conn, &mut other).unwrap());
}

#[test]
fn the_body_ends_as_that_of_any_method() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let balance = || arena.number("SELECT balance FROM accounts WHERE id = 1");
    let ada = ada();
    assert_eq!((ada.set(&mut conn, 1).unwrap(), balance()), ("returned", 1));
    assert_eq!((ada.set(&mut conn, 2).unwrap(), balance()), ("ended", 2));
    assert!(matches!(ada.set(&mut conn, 3), Err(LockError::Query(_))));
    assert!(matches!(ada.set(&mut conn, 4), Err(LockError::NotInTransaction)));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ada.set(&mut conn, 5)));
    assert!(panicked.is_err());
    assert_eq!((balance(), depth(&mut conn)), (2, None), "all of it undone");
    assert!(is_free(AdvisoryLock::on(&ada).scope("set"), &mut conn));
}

#[test]
fn while_somebody_has_it() {
    let arena = Arena::new();
    let (mut conn, mut other) = (arena.pg(), arena.pg());
    let (ada, lock) = (ada(), || AdvisoryLock::on(&ada()).scope("set"));
    let (mut ran, mut read) = (0, Vec::new());
    let held = lock().acquire(&mut other).unwrap();
    let error = ada.set(&mut conn, 1).unwrap_err();
    let LockError::TimedOut { attempt: Some(attempt), .. } = error else { panic!("{error}") };
    assert_eq!(attempt.advisory_lock(), Some("Account|1|set"));
    assert_eq!((ada.set_if_free(&mut conn, &mut ran).unwrap(), ran), (None, 0), "not run");
    assert!(matches!(ada.read(&mut conn, &mut read), Err(LockError::Contended { .. })));
    drop(held);
    assert_eq!((ada.set_if_free(&mut conn, &mut ran).unwrap(), ran), (Some(1), 1));
    assert_eq!((ada.set_if_free(&mut conn, &mut ran).unwrap(), ran), (None, 2), "the body says so");

    let held = lock().shared().acquire(&mut other).unwrap();
    assert_eq!(ada.read(&mut conn, &mut read).unwrap(), 1);
    assert_eq!(ada.set_if_free(&mut conn, &mut ran).unwrap(), None);
    drop(held);
}
