//! Lock sets in nested transactions, and at every isolation level, that others wait for.

use diesel_lockset::LockSet;

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Job},
        probe::Held,
    },
};

/// O02.
#[test]
fn a_waiter_gets_the_row_of_a_nested_transaction_when_the_outer_one_ends() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    holder.run("locks 2 in a nested transaction", |s| {
        s.begin().unwrap();
        s.begin().unwrap();
        s.lock_by_id::<Account>(2).unwrap();
        s.execute("UPDATE accounts SET balance = 21 WHERE id = 2").unwrap();
    });
    let waiting = waiter.start("locks 2", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(2).unwrap().balance
    });
    waiting.blocked_by(&holder);
    holder.run("commits the nested transaction", |s| s.commit()).unwrap();
    assert!(waiting.still_blocked());
    holder.run("commits the outer one", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), 21);
}

/// O04.
#[test]
fn unchanged_rows_lock_fine_at_every_isolation_level() {
    let arena = Arena::new();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let play = Play::<Driver>::new(&arena);
        let (holder, waiter) = (play.session("holder"), play.session("waiter"));
        let set = || LockSet::new().ids::<Account>([2, 1]).id::<Job>(1);
        let characteristics = format!("ISOLATION LEVEL {level}");
        let same = characteristics.clone();
        holder.run("locks without a change", move |s| {
            s.begin_as(&characteristics).unwrap();
            s.lock_set(set()).unwrap();
        });
        let waiting = waiter.start(level, move |s| {
            s.begin_as(&same).unwrap();
            assert_eq!(s.number("SELECT count(*) FROM accounts"), Ok(5));
            s.lock_set(set()).map(|locked| locked.rows::<Account>().len())
        });
        waiting.blocked_by(&holder);
        holder.run("commits", |s| s.commit()).unwrap();
        assert_eq!(waiting.join().unwrap(), 2, "{level}");
        assert_eq!(arena.probe("accounts", "id = 2"), Held::Held, "{level}");
        waiter.run("commits", |s| s.commit()).unwrap();
    }
}
