//! One order that is in your hand, all open orders of its customer, and the items of the order: locked in one call.
//!
//! On a server the lock is one on exactly these rows: that is the example `order_with_items`. SQLite has no locks on rows. There the
//! transaction becomes the only writer, and then reads the rows. A second session looks whether it can write.
//!
//! Run it with `cargo run -p examples_on_sqlite --example order_with_items_on_sqlite`.

#[path = "../shared/mod.rs"]
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

/// Whether another session can write at this moment, asked without waiting and with plain Diesel, as an independent witness.
fn is_free(conn: &mut Conn) -> QueryResult<bool> {
    conn.batch_execute("PRAGMA busy_timeout = 0")?;
    match conn.immediate_transaction(|_| Ok(())) {
        Ok(()) => Ok(true),
        Err(diesel::result::Error::DatabaseError(_, told)) if told.message() == "database is locked" => Ok(false),
        Err(error) => Err(error),
    }
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

        // The rows are protected by this transaction being the only writer. Readers do not wait for it.
        println!(
            "another session can write: {}, and read: {}",
            is_free(other)?,
            customers::table.count().get_result::<i64>(other)? == 2
        );
        assert!(!is_free(other)?);
        Ok::<_, LockError>(())
    })?;

    println!("after the commit, another session can write: {}", is_free(other)?);
    assert!(is_free(other)?);
    Ok(())
}

#[test]
fn order_with_items_example() -> Result<()> {
    main()
}
