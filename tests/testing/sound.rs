//! The operations of the crate's examples, in which nothing must be found.

use diesel::prelude::*;
use diesel_lockset::{
    prelude::*,
    testing::{Interleave, LockOrder},
};

use super::{
    Conn,
    fixture::{Account, Item, Job, Product, accounts, database, items, jobs, products, reset},
};

fn bench<'a>(url: &str) -> Interleave<'a, Conn> {
    Interleave::new(url).setup(reset).max_schedules(100).samples(25)
}

/// Runs the closures one after the other, over a connection whose order of locks is watched.
fn ordered(url: &str, closures: &[&dyn Fn(&mut Conn)]) {
    let conn = &mut Conn::establish(url).unwrap();
    reset(conn).unwrap();
    let order = LockOrder::new();
    order.watch(conn);
    closures.iter().for_each(|closure| closure(conn));
    order.assert_ordered();
}

fn balances(conn: &mut Conn) -> QueryResult<Vec<i32>> {
    accounts::table.order(accounts::id).select(accounts::balance).load(conn)
}

fn transfer(conn: &mut Conn, from: i32, to: i32, amount: i32) -> Result<bool, LockError> {
    conn.transaction(|conn| {
        let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
        let (from, to) = (locked.id::<Account>(from)?, locked.id::<Account>(to)?);
        if from.balance < amount {
            return Ok(false);
        }
        diesel::update(from).set(accounts::balance.eq(from.balance - amount)).execute(conn)?;
        diesel::update(to).set(accounts::balance.eq(to.balance + amount)).execute(conn)?;
        Ok(true)
    })
}

#[test]
fn transfers_by_lock_set() {
    let database = database();
    let report = bench(database.url())
        .session("alice", |conn| transfer(conn, 1, 2, 80))
        .session("bob", |conn| transfer(conn, 2, 1, 150))
        .observe(balances)
        .run()
        .unwrap();
    println!("{report}");
    report.assert_serializable();
    assert_eq!(report.outcomes().len(), 2);
    let transfer = |from, to| move |conn: &mut Conn| assert!(transfer(conn, from, to, 30).unwrap());
    ordered(database.url(), &[&transfer(1, 2), &transfer(3, 1), &transfer(2, 3)]);
}

#[test]
fn an_order_with_its_items() {
    /// Buys what the items of the order name, if all of it is in stock.
    fn buy(conn: &mut Conn, order: i32) -> Result<bool, LockError> {
        conn.transaction(|conn| {
            let locked = LockSet::new()
                .query::<Item>(items::table.filter(items::order_id.eq(order)))
                .ids::<Product>([1, 2])
                .lock(conn)?;
            let wanted: Vec<i32> = locked.rows::<Item>().iter().map(|item| item.product_id).collect();
            let products = locked.rows::<Product>();
            if products.iter().any(|product| wanted.contains(&product.id) && product.stock < 1) {
                return Ok(false);
            }
            diesel::update(products::table.filter(products::id.eq_any(wanted)))
                .set(products::stock.eq(products::stock - 1))
                .execute(conn)?;
            Ok(true)
        })
    }
    let database = database();
    let report = bench(database.url())
        .prepare(super::read_committed)
        .session("alice", |conn| buy(conn, 1))
        .session("bob", |conn| buy(conn, 1))
        .observe(|conn| products::table.order(products::id).select(products::stock).load::<i32>(conn))
        .run()
        .unwrap();
    println!("{report}");
    report.assert_serializable();
    assert_eq!(report.outcomes().len(), 2);
    ordered(database.url(), &[&|conn| assert!(buy(conn, 1).unwrap()), &|conn| assert!(!buy(conn, 1).unwrap())]);
}

#[test]
fn claims() {
    fn claim(conn: &mut Conn) -> Result<Vec<i32>, LockError> {
        let free = jobs::table.filter(jobs::status.eq("new")).order(jobs::id);
        let claimed: Vec<Job> = free.claim(1, jobs::status.eq("taken"), conn)?;
        Ok(claimed.iter().map(|job| job.id).collect())
    }
    let database = database();
    let report = bench(database.url())
        .prepare(super::read_committed)
        .session("alice", claim)
        .session("bob", claim)
        .observe(|conn| jobs::table.order(jobs::id).select(jobs::status).load::<String>(conn))
        .run()
        .unwrap();
    println!("{report}");
    report.assert_serializable();
    let taken = |conn: &mut Conn| assert_eq!(claim(conn).unwrap().len(), 1);
    ordered(database.url(), &[&taken, &taken]);
}

#[test]
fn retried_transactions() {
    /// In the order of need: a deadlock, which is retried.
    fn transfer(conn: &mut Conn, from: i32, to: i32) -> Result<(), LockError> {
        LockTransaction::new().retries(3).run(conn, |conn| {
            for (id, change) in [(from, -10), (to, 10)] {
                let account = Account::lock_by_id(id, conn)?;
                let changed = accounts::balance.eq(account.balance + change);
                diesel::update(accounts::table.find(id)).set(changed).execute(conn)?;
            }
            Ok::<_, LockError>(())
        })
    }
    let database = database();
    let report = bench(database.url())
        .session("alice", |conn| transfer(conn, 1, 2))
        .session("bob", |conn| transfer(conn, 2, 1))
        .observe(balances)
        .run()
        .unwrap();
    println!("{report}");
    report.assert_serializable();
}
