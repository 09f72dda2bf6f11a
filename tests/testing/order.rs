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
    testing::{CircleVerdict, Interleave, LockCircle, LockOrder, OrderFinding},
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

    let sessions =
        bench(database.url()).session("alice", |conn| transfer(conn, 1, 2)).session("bob", |conn| transfer(conn, 2, 1));
    let report = sessions.run().unwrap();
    let CircleVerdict::Confirmed(schedule) = report.verdict(circle) else { panic!("{report}") };
    assert!(schedule.to_string().contains("fails"), "{schedule}");
    // In another table they have no circle, and payments in one direction have none.
    let elsewhere = bench(database.url())
        .session("alice", |conn| in_turn(conn, &[Of::Product, Of::Item]))
        .session("bob", |conn| in_turn(conn, &[Of::Item, Of::Product]));
    assert!(matches!(elsewhere.run().unwrap().verdict(circle), CircleVerdict::Cleared));
    let one_way =
        bench(database.url()).session("alice", |conn| transfer(conn, 1, 2)).session("bob", |conn| transfer(conn, 1, 2));
    let report = one_way.run().unwrap();
    assert!(matches!(report.verdict(circle), CircleVerdict::Cleared), "{report}");
}

fn bench<'a>(url: &str) -> Interleave<'a, Conn> {
    Interleave::new(url).setup(reset)
}

/// A table whose row with the smallest key is changed.
#[derive(Debug, Clone, Copy)]
enum Of {
    Account,
    Product,
    Item,
}

/// Changes a row of each table, in this order, in one transaction.
fn in_turn(conn: &mut Conn, tables: &[Of]) -> QueryResult<()> {
    conn.transaction(|conn| {
        for table in tables {
            match table {
                Of::Account => diesel::update(accounts::table.find(1))
                    .set(accounts::balance.eq(accounts::balance + 1))
                    .execute(conn),
                Of::Product => {
                    diesel::update(products::table.find(1)).set(products::stock.eq(products::stock + 1)).execute(conn)
                }
                Of::Item => {
                    let row = items::table.find((1, 1));
                    diesel::update(row).set(items::product_id.eq(items::product_id + 1)).execute(conn)
                }
            }?;
        }
        Ok(())
    })
}

fn the_circle_of(order: &LockOrder<<Conn as Connection>::Backend>) -> LockCircle {
    let findings = order.findings();
    let [OrderFinding::Circle(circle)] = &findings[..] else { panic!("{findings:?}") };
    circle.clone()
}

#[test]
fn a_circle_of_two_tables_is_confirmed_or_cleared() {
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    // Whoever has locked the account first keeps the other one from the circle.
    for (guard, deadlock) in [(None, true), (Some(Of::Account), false)] {
        let orders = [[Of::Product, Of::Item], [Of::Item, Of::Product]];
        let [one, other] = orders.map(|order| guard.into_iter().chain(order).collect::<Vec<_>>());
        let order = LockOrder::new();
        order.watch(conn);
        in_turn(conn, &one).unwrap();
        in_turn(conn, &other).unwrap();
        let circle = the_circle_of(&order);
        let sessions = bench(database.url())
            .session("alice", |conn| in_turn(conn, &one))
            .session("bob", |conn| in_turn(conn, &other));
        let verdict = sessions.run().unwrap().verdict(&circle);
        println!("{circle}\n{verdict}");
        assert_eq!(matches!(verdict, CircleVerdict::Confirmed(_)), deadlock, "{verdict}");
        assert_eq!(matches!(verdict, CircleVerdict::Cleared), !deadlock, "{verdict}");
    }
}

/// A deadlock after which the closure tried again leaves no anomaly, and confirms the circle nevertheless.
#[test]
fn a_circle_of_retried_transactions_is_confirmed() {
    fn retried(conn: &mut Conn, tables: &[Of]) -> Result<(), LockError> {
        LockTransaction::new().retries(3).run(conn, |conn| Ok(in_turn(conn, tables)?))
    }
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    let order = LockOrder::new();
    order.watch(conn);
    retried(conn, &[Of::Product, Of::Item]).unwrap();
    retried(conn, &[Of::Item, Of::Product]).unwrap();
    let circle = the_circle_of(&order);
    let report = bench(database.url())
        .session("alice", |conn| retried(conn, &[Of::Product, Of::Item]))
        .session("bob", |conn| retried(conn, &[Of::Item, Of::Product]))
        .run()
        .unwrap();
    report.assert_serializable();
    assert!(matches!(report.verdict(&circle), CircleVerdict::Confirmed(_)), "{report}");
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
    // The rows of a query are not known: those that are changed later are among them.
    let locked = conn.transaction(|conn| {
        LockSet::new().query::<Account>(accounts::table.filter(accounts::balance.gt(0))).lock(conn)?;
        for id in [3, 1, 2] {
            diesel::update(accounts::table.find(id)).set(accounts::balance.eq(accounts::balance + 1)).execute(conn)?;
        }
        Ok::<_, LockError>(())
    });
    locked.unwrap();
    order.assert_ordered();
}

/// The statements of the crate are locks like others, whatever clauses and settings it adds to them.
#[test]
fn locks_of_the_crates_own_calls_are_seen() {
    type Call = fn(&mut Conn) -> Result<(), LockError>;
    let calls: [(&str, Call); 9] = [
        ("a key", |conn| Account::lock_by_id(1, conn).map(drop)),
        ("a set of keys", |conn| LockSet::new().ids::<Account>([2, 1]).lock(conn).map(drop)),
        ("a set with a query", |conn| {
            LockSet::new().query::<Account>(accounts::table.filter(accounts::balance.gt(0))).lock(conn).map(drop)
        }),
        ("a timeout", |conn| LockSet::new().id::<Account>(1).timeout(Duration::from_secs(9)).lock(conn).map(drop)),
        ("no wait", |conn| LockSet::new().id::<Account>(1).no_wait().lock(conn).map(drop)),
        ("skipped rows", |conn| LockSet::new().id::<Account>(1).skip_locked().lock(conn).map(drop)),
        ("a shared lock", |conn| LockSet::new().for_share().id::<Account>(1).lock(conn).map(drop)),
        ("a query", |conn| accounts::table.for_update_of(accounts::table).load::<Account>(conn).map(drop)),
        ("a pick", |conn| accounts::table.order(accounts::id).pick_next::<Account>(conn).map(drop)),
    ];
    let database = database();
    let conn = &mut database.connect().unwrap();
    reset(conn).unwrap();
    for (name, call) in calls {
        let order = LockOrder::new();
        order.watch(conn);
        let called = LockTransaction::new().run(conn, |conn| {
            call(conn)?;
            Ok::<_, LockError>(in_turn(conn, &[Of::Product])?)
        });
        called.unwrap();
        in_turn(conn, &[Of::Product, Of::Account]).unwrap();
        let circles = order.findings().iter().filter(|finding| finding.to_string().contains("products")).count();
        assert_eq!(circles, 1, "{name}: {:?}", order.findings());
    }
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
