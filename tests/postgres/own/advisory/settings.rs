//! The limit on a statement, with which the server ends a wait.

use std::time::Duration;

use super::{Arena, Driver, account, nothing, verbs::RunAdvisoryLock};
use crate::support::driver::Session;

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn settings_are_as_before() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    two.execute("SET statement_timeout = '77s'").unwrap();
    let setting = "SELECT extract(epoch FROM current_setting('statement_timeout')::interval)";
    let guard = account(1).acquire(one.conn()).unwrap();
    assert_eq!(account(1).timeout(SHORT).try_hold(two.conn(), nothing).unwrap(), None);
    assert_eq!(two.number(setting), Ok(77));
    two.begin().unwrap();
    assert!(!account(1).timeout(SHORT).try_acquire_for_transaction(two.conn()).unwrap());
    assert_eq!(two.number(setting), Ok(77));
    drop(guard);
    assert!(account(1).timeout(SHORT).try_acquire_for_transaction(two.conn()).unwrap());
    assert_eq!(two.number(setting), Ok(77));
    two.commit().unwrap();
}
