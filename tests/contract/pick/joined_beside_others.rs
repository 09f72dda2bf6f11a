//! Picks from joined queries while others hold rows, and clauses that name one table of a join.

use diesel::prelude::*;
use diesel_lockset::LockQueryDsl;

use super::{Arena, Driver, verbs::PickDsl};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::Order,
        schema::{customers, orders},
    },
};

/// The newest or the oldest open order of a customer.
fn next_order(s: &mut Driver, newest: bool) -> Option<i64> {
    let query = orders::table
        .inner_join(customers::table)
        .filter(customers::name.eq("Ada"))
        .filter(orders::status.eq("open"))
        .into_boxed();
    let query = if newest { query.order(orders::id.desc()) } else { query.order(orders::id.asc()) };
    let order: Option<Order> = query.pick_next(s.conn()).unwrap();
    order.map(|order| order.id)
}

/// J02, N01.
#[test]
fn two_workers_get_two_orders_of_one_customer_who_stays_free() {
    let arena = Arena::new();
    arena.execute("INSERT INTO orders (id, customer_id) VALUES (10, 1)");
    for newest in [false, true] {
        let play = Play::<Driver>::new(&arena);
        let (one, two) = (play.session("one"), play.session("two"));
        let pick = move |s: &mut Driver| {
            s.begin().unwrap();
            next_order(s, newest)
        };
        let expected = if newest { (Some(10), Some(2)) } else { (Some(1), Some(2)) };
        assert_eq!((one.run("picks", pick), two.run("picks", pick)), expected);
        assert_eq!(arena.held_keys("orders", "id").len(), 2, "the third order stays free");
        assert!(arena.held_keys("customers", "id").is_empty());
        let third = play.session("plain").run("locks the third order and the customer", move |s| {
            s.begin().unwrap();
            let third = if newest { 1 } else { 10 };
            s.execute(&format!("SELECT 1 FROM orders WHERE id = {third} FOR UPDATE NOWAIT")).unwrap()
                + s.execute("SELECT 1 FROM customers WHERE id = 1 FOR UPDATE NOWAIT").unwrap()
        });
        assert_eq!(third, 2);
    }
}

/// N02.
#[test]
fn control_without_of_the_second_worker_gets_nothing() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let next = || {
        let of_ada = orders::table.inner_join(customers::table).filter(customers::name.eq("Ada"));
        of_ada.order(orders::id).select(Order::as_select()).limit(1).for_update().skip_locked()
    };
    one.begin().unwrap();
    two.begin().unwrap();
    let first: Vec<Order> = next().load(one.conn()).unwrap();
    let second: Vec<Order> = next().load(two.conn()).unwrap();
    assert_eq!((first.len(), second.len()), (1, 0));
}

/// N04.
#[test]
fn an_aliased_table_is_picked_by_its_alias() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let other = diesel::alias!(orders as other);
    let bigger = orders::table
        .inner_join(other.on(other.field(orders::customer_id).eq(orders::customer_id)))
        .filter(other.field(orders::total).gt(orders::total))
        .order(other.field(orders::id))
        .select(other.field(orders::id));
    let picked: Vec<i64> = bigger.for_update_of(other).pick(1, session.conn()).unwrap();
    assert_eq!(picked, [2]);
    let held = arena.held_keys("orders", "id");
    assert!(super::super::RESOLVES_FIRST || held == ["2"], "order 1, the smaller one, stays free: {held:?}");
}
