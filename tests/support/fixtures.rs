//! The fixtures of PostgreSQL, by the models.

use diesel::prelude::*;

use super::{
    arena::Arena,
    models::{
        Account, AccountSummary, Article, Blob, Child, Customer, Day, Doc, Event, Job, OddOrder, Order, OrderItem,
        Parent, Product, Purchase, S1Item, S2Item, Seat, SmallThing, Tag, Ticket,
    },
    schema::{
        accounts, articles, blobs, children, customers, days, docs, events, jobs, odd_order, order_items, orders,
        parents, products, purchases, s1_items, s2_items, seats, small_things, tags, tickets,
    },
};

/// How many rows each model loads, by its name.
macro_rules! loaded {
    ($conn:expr, $($model:ident from $table:ident),+ $(,)?) => {
        [$((stringify!($model), $table::table.select($model::as_select()).load($conn).expect(stringify!($model)).len())),+]
    };
}

#[test]
fn every_model_loads_the_fixtures_of_its_table() {
    let arena = Arena::new();
    let counts = loaded!(
        &mut arena.pg(),
        Account from accounts,
        AccountSummary from accounts,
        Job from jobs,
        Parent from parents,
        Child from children,
        Seat from seats,
        Tag from tags,
        Doc from docs,
        Day from days,
        Blob from blobs,
        SmallThing from small_things,
        Ticket from tickets,
        OddOrder from odd_order,
        S1Item from s1_items,
        S2Item from s2_items,
        Customer from customers,
        Order from orders,
        OrderItem from order_items,
        Product from products,
        Article from articles,
        Event from events,
    );
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
    assert_eq!(loaded!(&mut arena.pg(), Purchase from purchases), [("Purchase", 0)]);
}
