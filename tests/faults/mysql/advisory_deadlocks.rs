//! A deadlock of advisory locks alone undoes its own statement: the transaction is as it was, in whatever form the lock was wanted.

use diesel::connection::Connection;
use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock};

use super::{Arena, Driver};
use crate::{isolation::Play, support::driver::Session};

fn name(name: &str) -> AdvisoryLock {
    AdvisoryLock::named(name)
}

#[test]
fn a_deadlock_that_is_swallowed_leaves_the_transaction_whole_in_every_form() {
    type Wants = fn(&mut diesel::MysqlConnection) -> Result<(), LockError>;
    let forms: [(&str, Wants); 4] = [
        ("acquire", |c| name("b").acquire(c).map(drop)),
        ("try_acquire, in time", |c| name("b").timeout(std::time::Duration::from_secs(30)).try_acquire(c).map(drop)),
        ("hold_session", |c| name("b").hold_session(c, |_| Ok::<_, LockError>(()))),
        ("hold_session in hold_session", |c| {
            name("c").hold_session(c, |c| {
                let error = name("b").hold_session(c, |_| Ok::<_, LockError>(())).unwrap_err();
                assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
                Ok::<_, LockError>(())
            })?;
            name("c").hold_session(c, |_| Err(LockError::Aborted))
        }),
    ];
    let arena = Arena::new();
    for (form, wants) in forms {
        arena.execute("UPDATE accounts SET v = 0");
        // Whoever closes the circle is the victim; on MySQL and MariaDB it may be the other one, so it is tried until it is us.
        let lost = (0..20).any(|_| {
            let play = Play::<Driver>::new(&arena);
            let (one, two) = (play.session("one"), play.session("two"));
            two.run("locks b", |s| std::mem::forget(name("b").acquire(s.conn()).unwrap()));
            one.run("locks a", |s| std::mem::forget(name("a").acquire(s.conn()).unwrap()));
            let other = two.start("wants a", |s| {
                let outcome = name("a").acquire(s.conn()).map(drop);
                s.execute("DO RELEASE_ALL_LOCKS()").unwrap();
                outcome
            });
            other.blocked_by(&one);
            let lost = one.start("works", move |s| {
                let lost = s
                    .conn()
                    .transaction(|c| {
                        Driver::execute_on(c, "UPDATE accounts SET v = v + 1 WHERE id = 1")?;
                        let outcome = wants(c);
                        let lost = match outcome {
                            Err(LockError::Deadlock { .. } | LockError::Aborted) => true,
                            Ok(()) => false,
                            Err(error) => return Err(error),
                        };
                        Driver::execute_on(c, "UPDATE accounts SET v = v + 1 WHERE id = 2")?;
                        Ok::<_, LockError>(lost)
                    })
                    .unwrap();
                s.execute("DO RELEASE_ALL_LOCKS()").unwrap();
                lost
            });
            let lost = lost.join();
            let _ = other.join();
            lost
        });
        assert!(lost, "{form}: never the victim");
        let tries = arena.number("SELECT v FROM accounts WHERE id = 1");
        assert!(tries > 0, "{form}: nothing was committed before the deadlock");
        assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 2"), tries, "{form}");
    }
}
