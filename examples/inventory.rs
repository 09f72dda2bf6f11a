//! A shop with ten lamps and thirty-two buyers who all come at the same moment.
//!
//! What is left is not a column but a sum over the purchases, so there is no row that "stock >= wanted" could be checked
//! on while it is changed. The product's row is the guard: whoever wants to buy locks it first and adds up afterwards.
//!
//! Run it with `cargo run --features postgres --example inventory`, or on MySQL or MariaDB with
//! `cargo run -p examples_on_mysql --example inventory_on_mysql`; `cargo xtask test -- inventory` runs both.

mod shared;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use diesel::{connection::SimpleConnection, dsl::sum, prelude::*};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result, until, waiting};

diesel::table! {
    products (id) { id -> Integer, name -> Text, stock -> BigInt, }
}
diesel::table! {
    purchases (id) { id -> Integer, product_id -> Integer, quantity -> Integer, }
}
diesel::joinable!(purchases -> products (product_id));
diesel::allow_tables_to_appear_in_same_query!(products, purchases);

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    name: String,
    stock: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Guard {
    None,
    Locked,
}

/// Buys one piece and says true, or says false because nothing is left.
///
/// `charge_card` is what a shop does between looking and selling, and what gives others the time to look too.
fn buy(
    conn: &mut Conn,
    product: i32,
    guard: Guard,
    charge_card: impl FnOnce(&mut Conn) -> QueryResult<()>,
) -> Result<bool, LockError> {
    conn.transaction(|conn| {
        let product = match guard {
            Guard::None => products::table.find(product).select(Product::as_select()).first(conn)?,
            // Before the sum, not after it: a sum from before the lock is as old as the wait for the lock.
            Guard::Locked => Product::lock_by_id(product, conn)?,
        };
        let of_it = purchases::table.filter(purchases::product_id.eq(product.id));
        let sold: Option<i64> = of_it.select(sum(purchases::quantity)).get_result(conn)?;
        let there_is_one = sold.unwrap_or(0) < product.stock;
        charge_card(conn)?;
        if there_is_one {
            diesel::insert_into(purchases::table)
                .values((purchases::product_id.eq(product.id), purchases::quantity.eq(1)))
                .execute(conn)?;
        }
        Ok(there_is_one)
    })
}

const BUYERS: usize = 32;

/// Lets all buyers in at once and returns how many of them bought.
fn rush(database: &Database, product: i32, guard: Guard) -> Result<usize> {
    let looked = AtomicUsize::new(0);
    let bought = database.at_once(BUYERS, |_, conn| {
        buy(conn, product, guard, |conn| {
            looked.fetch_add(1, SeqCst);
            // The worst moment, made certain and asked of the server: every other buyer has looked too, or stands in the
            // queue for the lock.
            until("all buyers are in the shop", || Ok(looked.load(SeqCst) + waiting(conn)? >= BUYERS))
        })
    })?;
    Ok(bought.into_iter().filter(|bought| *bought).count())
}

fn main() -> Result<()> {
    let database = Database::create("inventory")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(
        "CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, stock bigint NOT NULL);
         CREATE TABLE purchases (id serial PRIMARY KEY, product_id int NOT NULL REFERENCES products (id),
             quantity int NOT NULL);
         INSERT INTO products VALUES (1, 'red lamps', 10), (2, 'blue lamps', 10)",
    )?;
    let products: Vec<Product> = products::table.order(products::id).select(Product::as_select()).load(conn)?;
    let [red, blue] = &products[..] else { return Err("two products were made".into()) };

    let sold = rush(&database, red.id, Guard::None)?;
    println!("without the lock: {BUYERS} buyers, {} {}, {sold} sold", red.stock, red.name);
    assert!(sold as i64 > red.stock, "without the lock the shop sells what it does not have");

    let sold = rush(&database, blue.id, Guard::Locked)?;
    println!("with the lock:    {BUYERS} buyers, {} {}, {sold} sold", blue.stock, blue.name);
    assert_eq!(sold as i64, blue.stock, "with the lock it sells all that it has and not one more");
    Ok(())
}

#[test]
fn inventory_example() -> Result<()> {
    main()
}
