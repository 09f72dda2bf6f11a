//! Several locking clauses on one query, and the order of its rows.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, RunLockQuery};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        probe::Held,
        schema::{accounts, children, parents},
    },
};

#[test]
fn skipping_counts_for_all_clauses_before_it() {
    let arena = Arena::new();
    let both = || {
        let family = parents::table.inner_join(children::table).filter(parents::id.eq(1)).order(children::id);
        family.select(children::id).for_update_of(parents::table).for_update_of(children::table).skip_locked()
    };
    for (busy, rest) in [("parents WHERE id = 1", &[][..]), ("children WHERE id = 10", &[11])] {
        let mut holder = Blocking::connect(arena.url());
        holder.begin().unwrap();
        holder.execute(&format!("SELECT * FROM {busy} FOR UPDATE")).unwrap();
        let mut session = Blocking::connect(arena.url());
        // Whoever waits is told so at once.
        session.execute("SET lock_timeout = '10ms'").unwrap();
        session.begin().unwrap();
        let rows: Vec<i32> = both().load(session.conn()).unwrap_or_else(|error| panic!("{busy}: {error:?}"));
        assert_eq!(rows, rest, "{busy}");
    }
}

#[test]
fn a_table_that_is_named_twice_is_locked_once_at_the_strongest() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let sent = session.overhear();
    let parent = diesel::alias!(parents as parent);
    macro_rules! locks {
        ($query:expr, $end:literal) => {
            session.begin().unwrap();
            let rows: Result<Vec<i32>, LockError> = $query.load(session.conn());
            assert_eq!(rows.unwrap(), [1], stringify!($query));
            assert_eq!(arena.probe_share("parents", "id = 1"), Held::Held, stringify!($query));
            let statement = sent.take().pop().unwrap();
            let (_, clauses) = statement.split_once(" FOR ").unwrap();
            assert_eq!(clauses.split(" -- binds").next().unwrap(), $end, stringify!($query));
            session.rollback().unwrap();
            sent.take();
        };
    }
    let one = || parents::table.filter(parents::id.eq(1)).select(parents::id);
    let alias = || parent.filter(parent.field(parents::id).eq(1)).select(parent.field(parents::id));
    locks!(one().for_update_of(parents::table).for_update_of(parents::table), r#"UPDATE OF "parents""#);
    locks!(one().for_key_share_of(parents::table).for_update_of(parents::table), r#"UPDATE OF "parents""#);
    locks!(
        one().for_no_key_update_of(parents::table).for_share_of(parents::table).skip_locked(),
        r#"NO KEY UPDATE OF "parents" SKIP LOCKED"#
    );
    locks!(alias().for_share_of(parent).for_update_of(parent), r#"UPDATE OF "parent""#);
}

/// The order is that of the moment at which the server sorted the rows.
#[test]
fn a_row_that_moved_while_it_was_waited_for_comes_in_its_old_place() {
    let arena = Arena::new();
    arena.execute("UPDATE accounts SET balance = id");
    let play = Play::<Blocking>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    holder.run("begins", |s| s.begin()).unwrap();
    holder.run("moves 1 to the end", |s| s.execute("UPDATE accounts SET balance = 99 WHERE id = 1")).unwrap();
    waiter.run("begins", |s| s.begin()).unwrap();
    let got = waiter.start("locks", |s| {
        let poorest = accounts::table.order(accounts::balance).limit(3).select((accounts::id, accounts::balance));
        poorest.for_update_of(accounts::table).load::<(i32, i32)>(s.conn())
    });
    got.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(got.join().unwrap(), [(1, 99), (2, 2), (3, 3)]);
}
