//! One order that is in your hand, all open orders of its customer, and the items of the order: locked in one call.
//!
//! The classic helper turns the instance into a query and makes one query out of the two by `UNION`; a union cannot be
//! locked, so its lock clause is dropped and nothing is locked at all, without an error. Here a second session looks
//! which rows it can still get: all but exactly those.
//!
//! Run it with `cargo run --features postgres --example order_with_items`, or on MySQL or MariaDB with
//! `cargo run -p examples_on_mysql --example order_with_items_on_mysql`; `cargo xtask test -- order_with_items` runs both.

mod shared;

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result};

diesel::table! {
    customers (id) { id -> Integer, name -> Text, }
}
diesel::table! {
    orders (id) { id -> Integer, customer_id -> Integer, status -> Text, }
}
diesel::table! {
    items (order_id, line) { order_id -> Integer, line -> Integer, product -> Text, quantity -> Integer, }
}
diesel::joinable!(orders -> customers (customer_id));
diesel::allow_tables_to_appear_in_same_query!(customers, orders, items);

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = orders)]
struct Order {
    id: i32,
    status: String,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = items, primary_key(order_id, line))]
struct Item {
    order_id: i32,
    line: i32,
    product: String,
    quantity: i32,
}

/// What a session can lock at this moment without waiting, by key.
#[derive(Debug, PartialEq)]
struct Free {
    customers: Vec<i32>,
    orders: Vec<i32>,
    items: Vec<(i32, i32)>,
}

/// Asks with plain Diesel, as an independent witness, and outside of a transaction: what it gets is free again at once.
fn free_rows(conn: &mut Conn) -> QueryResult<Free> {
    Ok(Free {
        customers: customers::table.select(customers::id).order(customers::id).for_update().skip_locked().load(conn)?,
        orders: orders::table.select(orders::id).order(orders::id).for_update().skip_locked().load(conn)?,
        items: items::table
            .select((items::order_id, items::line))
            .order((items::order_id, items::line))
            .for_update()
            .skip_locked()
            .load(conn)?,
    })
}

fn main() -> Result<()> {
    let database = Database::create("order_with_items")?;
    let (conn, other) = (&mut database.connect()?, &mut database.connect()?);
    conn.batch_execute(
        "CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
         CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers (id),
             status text NOT NULL);
         CREATE TABLE items (order_id int REFERENCES orders (id), line int, product text NOT NULL,
             quantity int NOT NULL, PRIMARY KEY (order_id, line));
         INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob');
         INSERT INTO orders VALUES (1, 1, 'open'), (2, 2, 'open'), (3, 1, 'open'), (4, 1, 'paid'), (5, 1, 'paid');
         INSERT INTO items VALUES (1, 1, 'cup', 2), (4, 1, 'tea', 3), (4, 2, 'pot', 1), (5, 1, 'tea', 1)",
    )?;
    let order: Order = orders::table.find(4).select(Order::as_select()).first(conn)?;
    println!("in hand: order {}, which is {}; Ada has open ones too", order.id, order.status);

    conn.transaction(|conn| {
        let locked = LockSet::new()
            .row(&order)
            .query::<Order>(
                orders::table
                    .inner_join(customers::table)
                    .filter(customers::name.eq("Ada"))
                    .filter(orders::status.eq("open"))
                    .into_boxed(),
            )
            .query::<Item>(items::table.filter(items::order_id.eq(order.id)))
            .lock(conn)?;

        for order in locked.rows::<Order>() {
            println!("locked: order {}, {}", order.id, order.status);
        }
        for item in locked.rows::<Item>() {
            println!("locked: item {} of order {}, {} x {}", item.line, item.order_id, item.quantity, item.product);
        }
        let orders: Vec<i32> = locked.rows::<Order>().iter().map(|order| order.id).collect();
        assert_eq!(orders, [1, 3, 4]);

        // The joined customer is free: the query only asks about her.
        let free = free_rows(other)?;
        println!("another session can still lock: {free:?}");
        assert_eq!(free, Free { customers: vec![1, 2], orders: vec![2, 5], items: vec![(1, 1), (5, 1)] });
        Ok::<_, LockError>(())
    })?;

    let free = free_rows(other)?;
    println!("after the commit: {free:?}");
    assert_eq!((free.customers.len(), free.orders.len(), free.items.len()), (2, 5, 4));
    Ok(())
}

#[test]
fn order_with_items_example() -> Result<()> {
    main()
}
