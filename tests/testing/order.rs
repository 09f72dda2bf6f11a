//! The watch over the order of locks.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use diesel::{
    connection::{InstrumentationEvent, SimpleConnection},
    debug_query,
    prelude::*,
};
use diesel_lockset::{
    prelude::*,
    testing::{LockOrder, OrderFinding},
};

use super::{
    Conn,
    fixture::{Account, accounts, database, items, products, reset},
};

fn transfer(conn: &mut Conn, from: i32, to: i32) -> QueryResult<()> {
    conn.transaction(|conn| {
        for (id, change) in [(from, -10), (to, 10)] {
            let balance: i32 = accounts::table.find(id).select(accounts::balance).for_update().first(conn)?;
            diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance + change)).execute(conn)?;
        }
        Ok(())
    })
}

#[test]
fn naive_transfers_are_a_circle_inside_one_table() {
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let order = LockOrder::new().on_finding({
        let heard = heard.clone();
        move |finding| heard.lock().unwrap().push(finding.to_string())
    });
    order.watch(conn);
    transfer(conn, 1, 2).unwrap();
    transfer(conn, 2, 3).unwrap();
    order.assert_ordered();

    transfer(conn, 3, 1).unwrap();
    transfer(conn, 3, 2).unwrap();
    let findings = order.findings();
    println!("{}", findings[0]);
    let [OrderFinding::Circle(circle)] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((circle.steps[0].held.as_str(), circle.steps[0].taken.as_str()), ("accounts 3", "accounts 1"));
    assert_eq!((circle.steps[1].held.as_str(), circle.steps[1].taken.as_str()), ("accounts 1", "accounts 2"));
    assert!(circle.steps.iter().all(|step| step.place.as_ref().is_some_and(|place| place.contains("order.rs"))));
    assert_eq!(*heard.lock().unwrap(), [findings[0].to_string()]);
}

#[test]
fn lock_sets_are_in_order() {
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    let order = LockOrder::new();
    order.watch(conn);
    for pair in [[1, 2], [3, 1], [2, 3]] {
        let locked = conn.transaction(|conn| {
            let locked = LockSet::new().ids::<Account>(pair).lock(conn)?;
            for account in locked.rows::<Account>() {
                diesel::update(account).set(accounts::balance.eq(account.balance + 1)).execute(conn)?;
            }
            Ok::<_, LockError>(())
        });
        locked.unwrap();
    }
    order.assert_ordered();
}

#[test]
fn circles_of_tables_are_seen_over_two_connections() {
    let database = database();
    let (one, other) = (&mut database.connect().unwrap(), &mut database.connect().unwrap());
    reset(one).unwrap();
    let order = LockOrder::new();
    order.watch(one);
    order.watch(other);
    one.batch_execute("BEGIN; UPDATE accounts SET balance = 1 WHERE id = 1").unwrap();
    one.batch_execute("UPDATE products SET stock = 1 WHERE id = 1").unwrap();
    one.batch_execute("COMMIT").unwrap();
    other.batch_execute("UPDATE products SET stock = 1 WHERE id = 1").unwrap();
    other.batch_execute("UPDATE accounts SET balance = 1 WHERE id = 1").unwrap();
    order.assert_ordered(); // two transactions

    other.batch_execute("BEGIN").unwrap();
    other.batch_execute("SELECT * FROM products WHERE id = 2 FOR UPDATE").unwrap();
    other.batch_execute("DELETE FROM accounts WHERE id = 2").unwrap();
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(order.findings().len(), 1);
}

#[test]
fn a_rule_is_kept_or_broken() {
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    let order = LockOrder::new().require(items::table).under(products::table);
    order.watch(conn);
    let change = |conn: &mut Conn| {
        diesel::update(items::table.filter(items::order_id.eq(1))).set(items::product_id.eq(2)).execute(conn)
    };
    let ordered = conn.transaction(|conn| {
        products::table.find(1).select(products::stock).for_update().first::<i32>(conn)?;
        change(conn)
    });
    ordered.unwrap();
    order.assert_ordered();
    change(conn).unwrap();
    change(conn).unwrap();
    let findings = order.findings();
    assert!(matches!(&findings[..], [OrderFinding::NotUnder { child, .. }] if child == "items"), "{findings:?}");
}

/// Prints what the watch costs for each statement. That depends on the machine, so the limit is a generous one.
#[test]
fn the_cost_of_the_watch() {
    const ROUNDS: u32 = 100;
    let database = database();
    let conn = &mut database.connect().unwrap();
    LockOrder::new().watch(conn);
    conn.batch_execute("BEGIN").unwrap();
    let update = diesel::update(accounts::table.find(1)).set(accounts::balance.eq(7));
    let batch = |_| {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            let query = debug_query::<<Conn as Connection>::Backend, _>(&update);
            conn.instrumentation().on_connection_event(InstrumentationEvent::start_query(&query));
        }
        begun.elapsed() / ROUNDS
    };
    let cost = (0..50).map(batch).min().unwrap();
    println!("the watch costs {cost:?} for each statement");
    assert!(cost < Duration::from_millis(1), "{cost:?}");
}
