//! The code of the README, word for word, on a server. `documentation` compares the two.

#![allow(clippy::pedantic, clippy::nursery, missing_docs)]

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_lockset::prelude::*;

diesel::table! {
    accounts (id) { id -> Integer, owner -> Text, balance -> Integer, }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
struct Account {
    id: i32,
    owner: String,
    balance: i32,
}

fn transfer(
    conn: &mut PgConnection,
    from: i32,
    to: i32,
    amount: i32,
) -> Result<bool, LockError> {
    // Runs the closure again if it loses against another transaction.
    LockTransaction::new().run(conn, |conn| {
        // Both rows, fresh and locked, in the same order whoever pays whom.
        let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
        if locked.id::<Account>(from)?.balance < amount {
            return Ok(false);
        }
        for (id, change) in [(from, -amount), (to, amount)] {
            diesel::update(accounts::table.find(id))
                .set(accounts::balance.eq(accounts::balance + change))
                .execute(conn)?;
        }
        Ok(true)
    })
}

diesel::table! {
    customers (id) { id -> Integer, name -> Text, }
}
diesel::table! {
    orders (id) { id -> Integer, customer_id -> Integer, status -> Text, }
}
diesel::joinable!(orders -> customers (customer_id));
diesel::allow_tables_to_appear_in_same_query!(customers, orders);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = orders)]
struct Order {
    id: i32,
    customer_id: i32,
    status: String,
}

fn pack(
    conn: &mut PgConnection,
    order: &Order,
    customer: i32,
) -> Result<usize, LockError> {
    conn.transaction(|conn| {
        let open = orders::table
            .inner_join(customers::table)
            .filter(customers::id.eq(customer))
            .filter(orders::status.eq("open"));
        let locked = LockSet::new()
            .row(order)             // an instance
            .ids::<Account>([2, 1]) // keys
            .query::<Order>(open)   // a query: the customer is not locked
            .lock(conn)?;
        let order: &Order = locked.row(order)?; // the row as it is now
        println!("order {} is {}", order.id, order.status);
        Ok(locked.rows::<Order>().len())
    })
}

fn work(conn: &mut PgConnection) -> Result<Option<Order>, LockError> {
    conn.transaction(|conn| {
        let open = orders::table.filter(orders::status.eq("open"));
        let next: Option<Order> = open.order(orders::id).pick_next(conn)?;
        // .. the work; no other worker gets this order meanwhile ..
        Ok(next)
    })
}

impl Order {
    #[advisory_locked(timeout = "30s")]
    fn send(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
        // Reloaded under the lock.
        let order: Order = orders::table.find(self.id).first(conn)?;
        if order.status == "sent" {
            return Ok(false);
        }
        // .. send the mail ..
        diesel::update(orders::table.find(order.id))
            .set(orders::status.eq("sent"))
            .execute(conn)?;
        Ok(true)
    }
}

fn patience(conn: &mut PgConnection) -> Result<String, LockError> {
    let half_a_second = Duration::from_millis(500); // for all rows together
    let pair = || LockSet::new().ids::<Account>([1, 2]);
    pair().timeout(half_a_second).lock(conn)?;
    match pair().no_wait().name_holders().lock(conn) {
        Ok(_) => Ok("locked".to_owned()),
        // Names the rows, and who holds them. The transaction goes on.
        Err(error @ LockError::Contended { .. }) => Ok(error.to_string()),
        Err(error) => Err(error),
    }
}

#[test]
fn the_code_of_the_front_page_does_what_it_says() {
    let url = std::env::var("PG_DATABASE_URL").unwrap();
    let conn = &mut PgConnection::establish(&url).expect("PG_DATABASE_URL names a server");
    conn.batch_execute(
        "CREATE TEMP TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL);
         CREATE TEMP TABLE customers (id int PRIMARY KEY, name text NOT NULL);
         CREATE TEMP TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL);
         INSERT INTO accounts VALUES (1, 'Ada', 100), (2, 'Bob', 50);
         INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob');
         INSERT INTO orders VALUES (1, 1, 'open'), (2, 2, 'open'), (3, 1, 'paid')",
    )
    .unwrap();

    assert!(transfer(conn, 1, 2, 70).unwrap());
    assert!(!transfer(conn, 1, 2, 70).unwrap());
    let balances: Vec<i32> = accounts::table.order(accounts::id).select(accounts::balance).load(conn).unwrap();
    assert_eq!(balances, [30, 120]);

    let paid: Order = orders::table.find(3).first(conn).unwrap();
    assert_eq!(pack(conn, &paid, 1).unwrap(), 2);
    let next = work(conn).unwrap().unwrap();
    assert_eq!((next.id, next.customer_id), (1, 1));
    assert!(next.send(conn).unwrap());
    assert!(!next.send(conn).unwrap());

    let patient = conn.transaction(patience);
    assert_eq!(patient.unwrap(), "locked");
}
