//! Picks from joined queries: only rows of the model's table are locked.

use diesel::prelude::*;

use super::{Arena, Driver, verbs::PickDsl};
use crate::support::{
    driver::Session,
    models::{Customer, Order, Parent},
    schema::{children, customers, order_items, orders, parents},
};

#[test]
fn a_row_that_a_join_repeats_is_returned_once_and_locked_once() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let with_items = || orders::table.inner_join(order_items::table).order((orders::id, order_items::id));
    let picked: Vec<Order> = with_items().pick(3, session.conn()).unwrap();
    assert_eq!(
        picked.iter().map(|order| order.id).collect::<Vec<_>>(),
        [1, 2],
        "two of the three are one order's items"
    );
    arena.assert_held("orders", "id", &["1", "2"]);
    let claimed: Vec<Order> = with_items().claim(3, orders::total.eq(orders::total + 1), session.conn()).unwrap();
    assert_eq!(claimed.iter().map(|order| (order.id, order.total)).collect::<Vec<_>>(), [(1, 101), (2, 251)]);
}

#[test]
fn the_other_side_of_a_join_can_be_the_model() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let of_order = || customers::table.inner_join(orders::table).filter(orders::id.eq(3));
    let customer: Option<Customer> = of_order().pick_next(session.conn()).unwrap();
    assert_eq!(customer.map(|customer| customer.name).as_deref(), Some("Ben"));
    arena.assert_free("orders", "id");
}

/// N06.
#[test]
fn a_left_join_picks_from_its_base() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let childless = || parents::table.left_join(children::table).filter(children::id.is_null()).order(parents::id);
    let picked: Vec<Parent> = childless().pick(5, session.conn()).unwrap();
    assert_eq!(picked.iter().map(|parent| parent.id).collect::<Vec<_>>(), [3, 4]);
    let claimed: Vec<Parent> = childless().claim(1, parents::data.eq("none"), session.conn()).unwrap();
    assert_eq!(claimed.iter().map(|parent| (parent.id, &*parent.data)).collect::<Vec<_>>(), [(3, "none")]);
}
