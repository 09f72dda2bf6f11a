//! What only PostgreSQL's locking clause can do with several tables, and what it refuses.

use diesel::{
    dsl::{max, sql},
    prelude::*,
    sql_types::BigInt,
};
use diesel_lockset::{LockError, LockQueryDsl, LockSet, RunLockQuery};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::{Account, Child, Order, OrderItem, Parent},
    postgres::probe::{Strength, probe_at},
    probe::Held,
    schema::{accounts, children, customers, order_items, orders, parents},
};

/// N02.
#[test]
fn diesels_own_clause_locks_every_table_of_a_join() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let family = parents::table.inner_join(children::table).filter(parents::id.eq(1));
    family.for_update().load::<(Parent, Child)>(session.conn()).unwrap();
    assert_eq!(arena.held_keys("parents", "id"), ["1"]);
    assert_eq!(arena.held_keys("children", "id"), ["10", "11"]);
}

/// N03.
#[test]
fn several_tables_of_a_join_are_named_one_after_the_other() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let rows: Vec<(OrderItem, Order)> = order_items::table
        .inner_join(orders::table.inner_join(customers::table))
        .filter(customers::name.eq("Ada"))
        .filter(order_items::product.eq("lamp"))
        .select((order_items::all_columns, orders::all_columns))
        .order(order_items::id)
        .for_update_of(order_items::table)
        .for_update_of(orders::table)
        .load(session.conn())
        .unwrap();
    assert_eq!(rows.iter().map(|(item, order)| (item.id, order.id)).collect::<Vec<_>>(), [(1, 1), (3, 2)]);
    assert_eq!(arena.held_keys("order_items", "id"), ["1", "3"]);
    assert_eq!(arena.held_keys("orders", "id"), ["1", "2"]);
    assert!(arena.held_keys("customers", "id").is_empty());
}

/// N03.
#[test]
fn each_table_of_a_join_has_a_strength_of_its_own() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let family = || parents::table.inner_join(children::table).filter(parents::id.eq(1)).into_boxed();
    let strongest = |table: &str, row: &str| {
        let held = |asked: &Strength| probe_at(&mut arena.pg(), *asked, table, row) == Held::Held;
        Strength::ALL.into_iter().filter(held).collect::<Vec<_>>()
    };

    session.begin().unwrap();
    let mixed = family().for_update_of(parents::table).for_share_of(children::table);
    mixed.load::<(Parent, Child)>(session.conn()).unwrap();
    assert_eq!(strongest("parents", "id = 1"), Strength::ALL);
    assert_eq!(strongest("children", "id = 10"), [Strength::NoKeyUpdate, Strength::Update]);
    session.rollback().unwrap();

    session.begin().unwrap();
    let weaker = family().for_key_share_of(parents::table).for_no_key_update_of(children::table).skip_locked();
    weaker.load::<(Parent, Child)>(session.conn()).unwrap();
    assert_eq!(strongest("parents", "id = 1"), [Strength::Update]);
    assert_eq!(strongest("children", "id = 11"), [Strength::Share, Strength::NoKeyUpdate, Strength::Update]);
}

/// N03.
#[test]
fn only_the_clause_before_it_skips_locked_rows() {
    let arena = Arena::new();
    let (mut holder, mut session) = (Blocking::connect(arena.url()), Blocking::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_by_id::<Child>(10).unwrap();
    session.begin().unwrap();
    let rest = parents::table.inner_join(children::table).order(children::id).select(children::id);
    let rest = rest.for_update_of(children::table).skip_locked().for_key_share_of(parents::table);
    assert_eq!(rest.load::<i32>(session.conn()).unwrap(), [11, 20]);
    assert_eq!(probe_at(&mut arena.pg(), Strength::Update, "parents", "id = 1"), Held::Held);
    assert_eq!(probe_at(&mut arena.pg(), Strength::NoKeyUpdate, "parents", "id = 1"), Held::Free);
}

/// N11.
#[test]
fn what_the_types_do_not_tell_is_refused_by_the_server_before_a_row_is_locked() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let window = || sql::<BigInt>("row_number() OVER (ORDER BY balance)");

    session.begin().unwrap();
    let error = accounts::table.select(window()).for_update_of(accounts::table).load::<i64>(session.conn());
    let error = error.unwrap_err();
    assert!(matches!(error, LockError::Query(_)) && error.transaction_is_lost(), "{error:?}");
    session.rollback().unwrap();

    session.begin().unwrap();
    let boxed = accounts::table.select(max(accounts::balance)).into_boxed();
    let error = boxed.for_update_of(accounts::table).load::<Option<i32>>(session.conn()).unwrap_err();
    assert!(matches!(error, LockError::Query(_) | LockError::Unsupported { .. }), "{error:?}");
    session.rollback().unwrap();

    session.begin().unwrap();
    let poorest = accounts::table.select(window()).order(window()).limit(2);
    let locked = session.lock_set(LockSet::new().query::<Account>(poorest)).unwrap();
    assert_eq!(locked.rows::<Account>().iter().map(|row| row.id).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(arena.held_keys("accounts", "id"), ["3", "5"], "in a set such a query only chooses");
}
