//! Queries with joins and subselects: only the table of the model is locked.

use diesel::{dsl::exists, prelude::*};
use diesel_lockset::LockSet;

use super::{Arena, Driver, Form, Set};
use crate::support::{
    driver::Session,
    models::{Account, Order, Parent},
    schema::{accounts, children, customers, order_items, orders, parents},
};

/// I10.
#[test]
fn a_join_or_a_subselect_locks_only_the_table_of_the_model() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let forms: [(Form, &[i32]); 7] = [
        (
            ("subselect", || {
                LockSet::new().query::<Parent>(
                    parents::table.filter(parents::id.eq_any(children::table.select(children::parent_id))),
                )
            }),
            &[1, 2],
        ),
        (
            ("exists", || {
                let second = children::table.filter(children::parent_id.eq(parents::id)).filter(children::id.eq(11));
                LockSet::new().query::<Parent>(parents::table.filter(exists(second)))
            }),
            &[1],
        ),
        (("inner join", || LockSet::new().query::<Parent>(parents::table.inner_join(children::table))), &[1, 2]),
        (
            ("boxed inner join with another select list", || {
                let notes = parents::table.inner_join(children::table).select(children::note);
                LockSet::new().query::<Parent>(notes.filter(children::note.like("first%")).into_boxed())
            }),
            &[1, 2],
        ),
        (
            ("left join", || {
                let childless = parents::table.left_join(children::table).filter(children::id.is_null());
                LockSet::new().query::<Parent>(childless)
            }),
            &[3, 4],
        ),
        (
            ("left join with nothing to choose by", || {
                LockSet::new().query::<Parent>(parents::table.left_join(children::table))
            }),
            &[1, 2, 3, 4],
        ),
        (
            ("join beside keys", || {
                LockSet::new().query::<Parent>(parents::table.inner_join(children::table)).ids::<Parent>([4, 1])
            }),
            &[1, 2, 4],
        ),
    ];
    for ((form, set), expected) in forms {
        session.begin().unwrap();
        let locked = session.lock_set(set()).unwrap();
        let ids: Vec<i32> = locked.rows::<Parent>().iter().map(|parent| parent.id).collect();
        assert_eq!(ids, expected, "{form}: each once, however many children it has");
        let held: Vec<String> = expected.iter().map(i32::to_string).collect();
        arena.assert_held("parents", "id", &held);
        arena.assert_free("children", "id");
        session.rollback().unwrap();
    }
}

/// I10.
#[test]
fn of_three_joined_tables_the_one_in_the_middle_is_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let lamps = || {
        orders::table
            .inner_join(customers::table)
            .inner_join(order_items::table)
            .filter(customers::name.eq("Ada"))
            .filter(order_items::product.eq("lamp"))
    };
    let set: Set = LockSet::new().query::<Order>(lamps().order(order_items::quantity.desc()).limit(1).into_boxed());
    session.begin().unwrap();
    let locked = session.lock_set(set).unwrap();
    let totals: Vec<i32> = locked.rows::<Order>().iter().map(|order| order.total).collect();
    assert_eq!(totals, [250]);
    arena.assert_held("orders", "id", &["2"]);
    arena.assert_free("customers", "id");
    arena.assert_free("order_items", "id");
}

/// I10.
#[test]
fn a_table_joined_with_itself_is_locked_on_the_side_that_has_its_name() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let richer = diesel::alias!(accounts as richer);
    let poorer_than_dan = accounts::table
        .inner_join(richer.on(richer.field(accounts::balance).gt(accounts::balance)))
        .filter(richer.field(accounts::owner).eq("ben"));
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().query::<Account>(poorer_than_dan)).unwrap();
    let owners: Vec<&str> = locked.rows::<Account>().iter().map(|account| account.owner.as_str()).collect();
    assert_eq!(owners, ["ada", "cleo", "eve"]);
    arena.assert_held("accounts", "id", &["1", "3", "5"]);
}
