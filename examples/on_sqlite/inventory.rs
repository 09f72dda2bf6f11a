//! A shop with ten lamps and thirty-two buyers who all come at the same moment.
//!
//! What is left is not a column but a sum over the purchases. On a server, buyers who add up without a lock sell more than there is:
//! that is the example `inventory`. SQLite has one writer and lets nobody write on what is out of date, so nothing is oversold. But of
//! the buyers who have looked at the same time, one buys and the others get an error. With a lock each waits for its turn, and then
//! looks.
//!
//! Run it with `cargo run -p examples_on_sqlite --example inventory_on_sqlite`.

#[path = "../shared/mod.rs"]
mod shared;

use std::sync::Barrier;

use diesel::{connection::SimpleConnection, dsl::sum, prelude::*};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result};

diesel::table! {
    products (id) { id -> Integer, name -> Text, stock -> BigInt, }
}
diesel::table! {
    purchases (id) { id -> Integer, product_id -> Integer, quantity -> Integer, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    name: String,
    stock: i64,
}

/// Buys one piece and says true, or says false because nothing is left. `looked` is called when the buyer knows what is left.
fn buy(conn: &mut Conn, product: &Product, looked: impl FnOnce()) -> Result<bool, LockError> {
    let of_it = purchases::table.filter(purchases::product_id.eq(product.id));
    let sold: Option<i64> = of_it.select(sum(purchases::quantity)).get_result(conn)?;
    looked();
    if sold.unwrap_or(0) >= product.stock {
        return Ok(false);
    }
    diesel::insert_into(purchases::table)
        .values((purchases::product_id.eq(product.id), purchases::quantity.eq(1)))
        .execute(conn)?;
    Ok(true)
}

const BUYERS: usize = 32;

fn main() -> Result<()> {
    let database = Database::create("inventory")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(
        "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL);
         CREATE TABLE purchases (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products (id),
             quantity INTEGER NOT NULL);
         INSERT INTO products VALUES (1, 'red lamps', 10), (2, 'blue lamps', 10)",
    )?;
    let products: Vec<Product> = products::table.order(products::id).select(Product::as_select()).load(conn)?;
    let [red, blue] = &products[..] else { return Err("two products were made".into()) };

    let all_have_looked = Barrier::new(BUYERS);
    let bought = database.at_once(BUYERS, |_, conn| {
        let bought = conn.transaction(|conn| {
            buy(conn, red, || {
                all_have_looked.wait();
            })
        });
        Ok::<_, LockError>(bought)
    })?;
    let (sold, failed): (Vec<_>, Vec<_>) = bought.into_iter().partition(Result::is_ok);
    println!(
        "without the lock: {BUYERS} buyers, {} {}, {} sold, {} failed",
        red.stock,
        red.name,
        sold.len(),
        failed.len()
    );
    if let Some(Err(error)) = failed.first() {
        println!("                  {error}");
    }
    assert_eq!((sold.len(), failed.len()), (1, BUYERS - 1), "one may write on what it has read");

    let bought = database.at_once(BUYERS, |_, conn| {
        // Waits for its turn, and looks then.
        blue.with_lock(conn, |blue, conn| buy(conn, &blue, || ()))
    })?;
    let sold = bought.into_iter().filter(|bought| *bought).count();
    println!("with the lock:    {BUYERS} buyers, {} {}, {sold} sold, 0 failed", blue.stock, blue.name);
    assert_eq!(sold as i64, blue.stock, "with the lock it sells all that it has and not one more");
    Ok(())
}

#[test]
fn inventory_example() -> Result<()> {
    main()
}
