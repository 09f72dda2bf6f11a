//! Methods with `#[advisory_locked]`.

use diesel::{MysqlConnection, RunQueryDsl, sql_query};
use diesel_lockset::{AdvisoryLock, LockError, LockTransaction, RunAdvisoryLock, RunLockTransaction, advisory_locked};

use super::{Arena, account};
use crate::support::models::Account;

fn ada() -> Account {
    Account { id: 1, owner: "ada".to_owned(), balance: 0, v: 0 }
}

impl Account {
    /// The lock that is held meanwhile, as others see it.
    #[advisory_locked]
    fn look_on_mysql(&self, conn: &mut MysqlConnection, other: &mut MysqlConnection) -> Result<bool, LockError> {
        sql_query("UPDATE accounts SET v = v + 1 WHERE id = 1").execute(conn)?;
        AdvisoryLock::on(self).scope("look_on_mysql").is_held(other)
    }

    #[advisory_locked(try, scope = "look_on_mysql")]
    fn run_if_free_on_mysql(&self, _conn: &mut MysqlConnection) -> Result<Option<i32>, LockError> {
        Ok(Some(self.id))
    }

    #[advisory_locked(timeout = "100ms", scope = "look_on_mysql")]
    fn fail_on_mysql(&self, conn: &mut MysqlConnection) -> Result<(), LockError> {
        sql_query("UPDATE accounts SET v = 100 WHERE id = 1").execute(conn)?;
        Err(LockError::NotInTransaction)
    }
}

#[test]
fn the_body_runs_under_the_lock_of_self_and_of_the_method() {
    let arena = Arena::new();
    let (mut conn, mut other) = (arena.connect(), arena.connect());
    assert!(ada().look_on_mysql(&mut conn, &mut other).unwrap());
    assert!(matches!(ada().fail_on_mysql(&mut conn), Err(LockError::NotInTransaction)));
    let both = LockTransaction::new().run(&mut conn, |conn| ada().look_on_mysql(conn, &mut other));
    assert!(both.unwrap());
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 2, "what failed is undone");
    let lock = || account(1).scope("look_on_mysql");
    assert!(!lock().is_held(&mut other).unwrap());
    let held = lock().acquire(&mut other).unwrap();
    assert_eq!(ada().run_if_free_on_mysql(&mut conn).unwrap(), None);
    assert!(matches!(ada().fail_on_mysql(&mut conn), Err(LockError::TimedOut { .. })));
    drop(held);
    assert_eq!(ada().run_if_free_on_mysql(&mut conn).unwrap(), Some(1));
}
