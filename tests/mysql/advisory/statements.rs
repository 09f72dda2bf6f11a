//! What each verb sends.

use std::time::Duration;

use diesel_lockset::RunAdvisoryLock;

use super::{Arena, account, nothing};
use crate::support::driver::{MysqlBlocking, Session};

const NAME: &str =
    "CONVERT(LEFT(SHA2(CONCAT(CAST(DATABASE() AS BINARY), 0x7C, CAST(? AS BINARY)), 256), 16) USING ascii)";

fn select(call: &str) -> String {
    format!("SELECT IF(DATABASE() IS NULL, ?, {call})")
}

#[test]
fn each_verb_is_a_statement_for_the_lock_and_one_for_the_release() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let (lock, unlock) = (select(&format!("GET_LOCK({NAME}, 31536000)")), select(&format!("RELEASE_LOCK({NAME})")));
    let try_lock = select(&format!("GET_LOCK({NAME}, 0)"));
    let without_binds = |sent: Vec<String>| -> Vec<String> {
        sent.iter().map(|sent| sent.split(" -- ").next().unwrap_or_default().to_owned()).collect()
    };
    let sent = one.overhear();
    account(1).hold_session(one.conn(), nothing).unwrap();
    assert_eq!(without_binds(sent.take()), [lock, unlock.clone()]);
    account(1).timeout(Duration::from_secs(9)).hold_session(one.conn(), nothing).unwrap();
    assert_eq!(without_binds(sent.take()), [try_lock.clone(), unlock], "it is free");
    let _guard = account(1).acquire(two.conn()).unwrap();
    assert!(account(1).timeout(Duration::from_millis(100)).try_acquire(one.conn()).unwrap().is_none());
    let sent = without_binds(sent.take());
    assert_eq!(sent.len(), 5, "a try, the limit, the wait, the limit as before, a look: {sent:#?}");
    assert!(sent[0] == try_lock && sent[1].starts_with("SET ") && sent[3].starts_with("SET "), "{sent:#?}");
    assert!(sent[4].contains("<=> CONNECTION_ID()"), "{sent:#?}");
}
