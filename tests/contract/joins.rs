//! Single queries over several tables, locked with `for_update_of`: only the table that is named is locked.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet};

use super::{Arena, Driver, RESOLVES_FIRST, verbs::RunLockQuery};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Child, Parent},
        probe::Held,
        schema::{accounts, children, parents},
    },
};

/// N01.
#[test]
fn naming_one_table_of_a_join_locks_only_that_table() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let family = || parents::table.inner_join(children::table).filter(parents::id.eq(1));

    session.begin().unwrap();
    let parent = family().select(parents::all_columns).for_update_of(parents::table);
    let rows: Vec<Parent> = parent.load(session.conn()).unwrap();
    assert_eq!(rows.iter().map(|parent| parent.id).collect::<Vec<_>>(), [1, 1], "the rows are those of the query");
    assert_eq!(arena.held_keys("parents", "id"), ["1"]);
    assert_free(&arena, "children");
    session.rollback().unwrap();

    session.begin().unwrap();
    let both = family().order(children::id).into_boxed().for_update_of(children::table);
    let rows: Vec<(Parent, Child)> = both.load(session.conn()).unwrap();
    assert_eq!(rows.iter().map(|(parent, child)| (parent.id, child.id)).collect::<Vec<_>>(), [(1, 10), (1, 11)]);
    assert_eq!(arena.held_keys("children", "id"), ["10", "11"]);
    assert_free(&arena, "parents");
}

/// The rows of a table that the clause does not name are free, where a clause can name one.
#[track_caller]
fn assert_free(arena: &Arena, table: &str) {
    assert!(!arena.locks_named_tables_only() || arena.held_keys(table, "id").is_empty(), "{table}");
}

/// N01.
#[test]
fn the_order_and_the_limit_of_a_locked_query_are_its_own() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let last = children::table.inner_join(parents::table).order((parents::data.desc(), children::id.desc())).limit(2);
    let rows: Vec<(Child, Parent)> = last.for_update_of(children::table).load(session.conn()).unwrap();
    assert_eq!(rows.iter().map(|(child, _)| child.id).collect::<Vec<_>>(), [20, 11]);
    // InnoDB locks what it reads on the way to the first two.
    if !RESOLVES_FIRST {
        assert_eq!(arena.held_keys("children", "id"), ["11", "20"]);
    }
    let one: String = parents::table
        .inner_join(children::table)
        .filter(children::id.eq(20))
        .select(parents::data)
        .for_update_of(parents::table)
        .get_result(session.conn())
        .unwrap();
    assert_eq!(one, "two");
    let held = arena.held_keys("parents", "id");
    assert!(held == ["2"] || RESOLVES_FIRST && held.contains(&"2".to_owned()), "{held:?}");
}

/// N01.
#[test]
fn rows_of_the_named_table_that_are_held_can_be_skipped_while_its_partner_is_held_too() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (other, worker) = (play.session("other worker"), play.session("worker"));
    let next = || {
        let of_one = children::table.inner_join(parents::table).filter(parents::data.eq("one"));
        of_one.select(children::all_columns).order(children::id).limit(1).for_update_of(children::table).skip_locked()
    };
    let first = other.run("takes the next child", move |s| {
        s.begin().unwrap();
        next().load::<Child>(s.conn()).unwrap()
    });
    let second = worker.run("takes the next child", move |s| {
        s.begin().unwrap();
        next().load::<Child>(s.conn()).unwrap()
    });
    assert_eq!(first[0].id, 10);
    if !RESOLVES_FIRST {
        assert_eq!(second[0].id, 11);
    }
}

/// N04.
#[test]
fn an_aliased_table_is_named_by_its_alias() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let (elder, next) = diesel::alias!(parents as elder, accounts as next);

    session.begin().unwrap();
    let named = elder.filter(elder.field(parents::data).eq("two")).for_update_of(elder);
    let rows: Vec<Parent> = named.load(session.conn()).unwrap();
    assert_eq!(rows[0].id, 2);
    assert!(arena.held_keys("parents", "id").contains(&"2".to_owned()));

    let pair = || {
        accounts::table
            .inner_join(next.on(next.field(accounts::id).eq(accounts::id + 1)))
            .filter(accounts::owner.eq("ada"))
    };
    let rows: Vec<(Account, Account)> = pair().for_update_of(next).load(session.conn()).unwrap();
    assert_eq!((rows[0].0.id, rows[0].1.id), (1, 2));
    let held = arena.held_keys("accounts", "id");
    assert!(held.contains(&"2".to_owned()), "the row that was reached through the alias");
    assert!(RESOLVES_FIRST || held.len() == 1, "{held:?}");
    let rows: Vec<(Account, Account)> =
        pair().into_boxed().for_update_of(accounts::table).load(session.conn()).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(arena.held_keys("accounts", "id").starts_with(&["1".to_owned(), "2".to_owned()]));
}

/// N06.
#[test]
fn a_left_join_locks_its_base_also_where_it_has_no_partner() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let all = || parents::table.left_join(children::table);

    session.begin().unwrap();
    let rows: Vec<(Parent, Option<Child>)> = all().for_update_of(parents::table).load(session.conn()).unwrap();
    assert_eq!(rows.iter().filter(|(_, child)| child.is_none()).count(), 2);
    assert_eq!(arena.held_keys("parents", "id"), ["1", "2", "3", "4"]);
    assert_free(&arena, "children");
    session.rollback().unwrap();

    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().query::<Parent>(all())).unwrap();
    assert_eq!(locked.rows::<Parent>().len(), 4);
    assert_eq!(arena.held_keys("parents", "id"), ["1", "2", "3", "4"]);
    assert_eq!(arena.probe("children", "id = 10"), Held::Free);
}

/// I16.
#[test]
fn a_boxed_query_that_folds_rows_is_refused_before_anything_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let distinct = || accounts::table.select(accounts::owner).into_boxed().distinct();

    let error = distinct().for_update_of(accounts::table).load::<String>(session.conn()).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { clause: "DISTINCT", .. }), "{error:?}");
    assert!(error.to_string().contains("not possible with DISTINCT"), "{error}");
    assert!(!error.is_retryable() && !error.transaction_is_lost());

    let twice = distinct().for_share_of(accounts::table).for_update_of(accounts::table).skip_locked();
    let error = twice.get_result::<String>(session.conn()).unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");

    assert_eq!(sent.take(), [""; 0]);
    assert!(arena.held_keys("accounts", "id").is_empty());
    session.lock_by_id::<Parent>(1).unwrap();
    session.commit().unwrap();
}
