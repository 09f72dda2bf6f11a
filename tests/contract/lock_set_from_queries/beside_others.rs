//! Queries in sets while another session holds or changes rows.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, Form, account, account_ids, folded::with_two_children, search, several_tables::all_three};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Job, Parent, Tag},
        probe::Held,
        schema::accounts,
    },
};

/// I03.
#[test]
fn the_order_of_a_query_does_not_set_the_order_of_locking() {
    let arena = Arena::new();
    // From here on the server comes across row 1 last.
    arena.execute("UPDATE accounts SET v = v WHERE id = 1");
    let forms: [Form; 5] = [
        ("alone", || LockSet::new().query::<Account>(accounts::table.order(accounts::owner.desc()))),
        ("boxed", || LockSet::new().query::<Account>(search(None, None, None).order(accounts::id.desc()))),
        ("limited", || LockSet::new().query::<Account>(accounts::table.order(accounts::id.desc()).limit(5))),
        ("beside an instance", || {
            LockSet::new().query::<Account>(accounts::table.order(accounts::owner.desc())).row(&account(5))
        }),
        ("two queries, the later rows first", || {
            LockSet::new()
                .query::<Account>(accounts::table.filter(accounts::id.ge(3)))
                .query::<Account>(accounts::table.filter(accounts::id.lt(3)))
        }),
    ];
    for (form, set) in forms {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("holds 3", |s| {
            s.begin().unwrap();
            s.lock_by_id::<Account>(3).unwrap();
        });
        let waiting = locker.start(form, move |s| {
            s.begin().unwrap();
            let locked = s.lock_set(set()).unwrap();
            account_ids(&locked)
        });
        waiting.blocked_by(&outsider);
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Held, "{form}");
        assert_eq!(arena.probe("accounts", "id = 5"), Held::Free, "{form}");
        outsider.run("ends", |s| s.rollback()).unwrap();
        assert_eq!(waiting.join(), [1, 2, 3, 4, 5], "{form}");
        locker.run("ends", |s| s.rollback()).unwrap();
    }
}

/// I11.
#[test]
fn tables_are_locked_in_the_order_of_their_names() {
    let arena = Arena::new();
    for turn in 0..6 {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("holds a job", |s| {
            s.begin().unwrap();
            s.lock_by_id::<Job>(2).unwrap();
        });
        let waiting = locker.start("locks all three", move |s| {
            s.begin().unwrap();
            s.lock_set(all_three(turn)).unwrap().rows::<Tag>().len()
        });
        waiting.blocked_by(&outsider);
        assert_eq!(arena.probe("accounts", "id = 5"), Held::Held);
        assert_eq!(arena.probe("tags", "name = 'apple'"), Held::Free);
        outsider.run("ends", |s| s.rollback()).unwrap();
        assert_eq!(waiting.join(), 2);
        locker.run("ends", |s| s.rollback()).unwrap();
    }
}

/// I16.
#[test]
fn a_group_that_loses_a_row_while_the_set_waits_is_looked_at_again() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("changes parent 1 and takes one of its two children", |s| {
        s.begin().unwrap();
        s.execute("UPDATE parents SET data = 'changed' WHERE id = 1").unwrap();
        s.execute("DELETE FROM children WHERE id = 11").unwrap();
    });
    let waiting = locker.start("locks parents with two children", |s| {
        s.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
        let locked = s.lock_set(with_two_children()).unwrap();
        locked.rows::<Parent>().len()
    });
    waiting.blocked_by(&outsider);
    outsider.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), 0);
}
