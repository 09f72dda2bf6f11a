//! A transaction under a lock sees what was committed before the lock was had, at every isolation level.

use std::time::Duration;

use diesel_lockset::LockError;

use super::{Arena, Driver, account, verbs::RunAdvisoryLock};
use crate::{
    isolation::Play,
    support::{driver::Session, server::Server},
};

/// A snapshot that were taken before or during the wait would not show the new row.
#[test]
fn what_was_committed_during_the_wait_is_counted() {
    // Where an error undoes its statement only, the level is set without `CHARACTERISTICS`.
    let of_session =
        if <Driver as Session>::Server::UNDOES_STATEMENTS { "TRANSACTION" } else { "CHARACTERISTICS AS TRANSACTION" };
    for timeout in [None, Some(Duration::from_secs(60))] {
        let arena = Arena::new();
        let play = Play::<Driver>::new(&arena);
        let (one, two) = (play.session("one"), play.session("two"));
        one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
        let waiting = two.start("counts", move |s| {
            s.execute(&format!("SET SESSION {of_session} ISOLATION LEVEL REPEATABLE READ")).unwrap();
            let lock = timeout.map_or_else(|| account(1), |timeout| account(1).timeout(timeout));
            lock.hold(s.conn(), |conn| Ok::<_, LockError>(Driver::execute_on(conn, "SELECT id FROM accounts")?))
                .unwrap()
        });
        waiting.blocked_by(&one);
        let before = arena.number("SELECT COUNT(*) FROM accounts");
        one.run("inserts", |s| s.execute("INSERT INTO accounts (id, owner, balance) VALUES (900, 'new', 0)").unwrap());
        one.kill();
        assert_eq!(waiting.join() as i64, before + 1, "{timeout:?}");
    }
}
