//! What comes back after a wait does not depend on the plan.
//!
//! When PostgreSQL looks again at a row that it had to wait for, some plans find no partner for it any more, although it
//! still qualifies. Each kind of statement that a set sends is run here under every plan that the settings can force; why
//! they look as they do is in `DESIGN.md`.

use diesel::{dsl::sql, pg::Pg, prelude::*, sql_types::Bool};
use diesel_lockset::{LockSet, Locked};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Order, Seat},
        schema::{accounts, customers, order_items, orders, seats},
    },
};

type Set = LockSet<'static, Pg>;

/// One kind of join is left, loops with a copy of the inner side or without, or all are; distinct lists are hashed or
/// sorted; tables are scanned or indexes are.
const JOINS: [&[&str]; 5] = [
    &[],
    &["enable_mergejoin", "enable_nestloop"],
    &["enable_hashjoin", "enable_nestloop"],
    &["enable_hashjoin", "enable_mergejoin"],
    &["enable_hashjoin", "enable_mergejoin", "enable_material"],
];
const DISTINCT: [&[&str]; 2] = [&[], &["enable_hashagg"]];
const SCANS: [&[&str]; 2] = [&[], &["enable_seqscan", "enable_bitmapscan"]];

/// Prepared statements are planned for each execution, or once for all.
const PLANNED: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

/// What is turned off for each plan.
fn plans() -> Vec<Vec<&'static str>> {
    let mut plans = Vec::new();
    for joins in JOINS {
        for distinct in DISTINCT {
            for scans in SCANS {
                plans.push([joins, distinct, scans].concat());
            }
        }
    }
    plans
}

diesel::table! {
    // A view: what is in either of two tables.
    hidden_union (order_id) {
        order_id -> BigInt,
    }
}

diesel::table! {
    // Never analyzed and without an index, so that the planner thinks of it as large and puts it in front.
    old_orders (id) {
        id -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(orders, hidden_union, old_orders);

/// Runs a set that has to wait for `change`, under every combination of settings, and looks at what it found.
#[track_caller]
fn assert_finds_under_every_plan(change: &str, set: fn() -> Set, found: fn(&Locked) -> Vec<String>, expected: &[&str]) {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE old_orders AS SELECT * FROM orders; CREATE TABLE old_seats AS SELECT * FROM seats; \
         CREATE TABLE old_accounts AS SELECT * FROM accounts; \
         CREATE VIEW hidden_union AS SELECT order_id FROM order_items UNION ALL SELECT id FROM old_orders",
    );
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    for (number, off) in plans().into_iter().enumerate() {
        // In turn, but not the same one for all that has one setting in common.
        let planned = PLANNED[number.count_ones() as usize % PLANNED.len()];
        let settings = off.iter().map(|name| format!("SET LOCAL {name} = off"));
        let settings: Vec<_> =
            settings.chain(["DISCARD PLANS".to_owned(), format!("SET LOCAL plan_cache_mode = {planned}")]).collect();
        let changes: Vec<_> = change.split(';').map(str::to_owned).collect();
        holder.run("changes", move |s| {
            s.begin().unwrap();
            for change in changes {
                s.execute(&change).unwrap();
            }
        });
        let waiting = locker.start("locks", move |s| {
            s.begin().unwrap();
            for setting in settings {
                s.execute(&setting).unwrap();
            }
            let found = found(&s.lock_set(set()).unwrap());
            s.rollback().unwrap();
            found
        });
        waiting.blocked_by(&holder);
        holder.run("commits", |s| s.commit().unwrap());
        assert_eq!(waiting.join(), expected, "{planned} without {off:?}");
        arena.execute(
            "UPDATE orders SET status = o.status, total = o.total FROM old_orders o WHERE o.id = orders.id; \
             UPDATE accounts SET balance = o.balance FROM old_accounts o WHERE o.id = accounts.id; \
             DELETE FROM seats; INSERT INTO seats SELECT * FROM old_seats",
        );
    }
}

/// 1 and 3 stay and are changed, 2 leaves. A join never loses the first changed row, only those after it, and only
/// where the planner looks the locked table up last: hence conditions that most of its rows meet.
const ORDERS: &str = "UPDATE orders SET total = 999 WHERE id IN (1, 3); UPDATE orders SET status = 'paid' WHERE id = 2";

fn totals(locked: &Locked) -> Vec<String> {
    locked.rows::<Order>().iter().map(|order| format!("{}: {}", order.id, order.total)).collect()
}

/// (A,2) leaves; (A,1) and (B,1) stay and are written anew.
const SEATS: &str = "UPDATE seats SET holder = 'x' WHERE section = 'A' AND number = 2; \
                     UPDATE seats SET holder = NULL WHERE section <> 'C' AND number = 1";

fn holders(locked: &Locked) -> Vec<String> {
    let seats = locked.rows::<Seat>().iter();
    seats.map(|seat| format!("{}{} {}", seat.section, seat.number, seat.holder.as_deref().unwrap_or("-"))).collect()
}

fn seat(section: &str, number: i32) -> (String, i32) {
    (section.to_owned(), number)
}

/// F01, H14.
#[test]
fn composite_keys() {
    assert_finds_under_every_plan(
        SEATS,
        || LockSet::new().ids::<Seat>([seat("B", 1), seat("A", 2), seat("C", 1), seat("A", 2)]),
        holders,
        &["A2 x", "B1 -", "C1 -"],
    );
}

/// F01, F02, H14.
#[test]
fn composite_keys_beside_a_query() {
    assert_finds_under_every_plan(
        SEATS,
        || LockSet::new().id::<Seat>(seat("A", 2)).query::<Seat>(seats::table.filter(seats::holder.is_null())),
        holders,
        &["A1 -", "A2 x", "B1 -", "B2 -", "C1 -"],
    );
}

/// F01, F03, H14.
#[test]
fn a_limited_query_of_composite_keys() {
    assert_finds_under_every_plan(
        SEATS,
        || {
            let free = seats::table.filter(seats::holder.is_null());
            LockSet::new().query::<Seat>(free.order((seats::section, seats::number)).limit(3)).id::<Seat>(seat("C", 1))
        },
        holders,
        &["A1 -", "B1 -", "B2 -", "C1 -"],
    );
}

/// F01, F02.
#[test]
fn keys_beside_queries() {
    assert_finds_under_every_plan(
        "UPDATE accounts SET balance = 30 WHERE id IN (1, 3); UPDATE accounts SET balance = 1 WHERE id = 2",
        || {
            let rich = accounts::table.filter(accounts::balance.gt(9));
            let first = accounts::table.filter(accounts::balance.gt(9)).order(accounts::id).limit(2);
            LockSet::new().ids::<Account>([5, 3]).query::<Account>(rich).query::<Account>(first)
        },
        |locked| locked.rows::<Account>().iter().map(|row| format!("{}: {}", row.id, row.balance)).collect(),
        &["1: 30", "3: 30", "4: 40", "5: 0"],
    );
}

/// F01, F02.
#[test]
fn a_query_alone() {
    let open = || LockSet::new().query::<Order>(orders::table.filter(orders::status.ne("paid")));
    assert_finds_under_every_plan(ORDERS, open, totals, &["1: 999", "3: 999"]);
}

/// F01, F02.
#[test]
fn joins() {
    assert_finds_under_every_plan(
        ORDERS,
        || {
            let open = orders::table.inner_join(customers::table).filter(orders::status.ne("paid"));
            let of_some = open.filter(customers::name.ne("Cleo"));
            LockSet::new().query::<Order>(of_some)
        },
        totals,
        &["1: 999", "3: 999"],
    );
}

/// F01, F02.
#[test]
fn joins_that_repeat_rows() {
    assert_finds_under_every_plan(
        ORDERS,
        || {
            let open = orders::table.left_join(order_items::table).filter(orders::status.ne("paid"));
            LockSet::new().query::<Order>(open.filter(order_items::id.is_not_null()))
        },
        totals,
        &["1: 999", "3: 999"],
    );
}

/// F01, F02.
#[test]
fn subqueries_that_are_unions() {
    assert_finds_under_every_plan(
        ORDERS,
        || {
            let either =
                order_items::table.select(order_items::order_id).union_all(old_orders::table.select(old_orders::id));
            LockSet::new()
                .query::<Order>(orders::table.filter(orders::id.eq_any(either)).filter(orders::status.ne("paid")))
        },
        totals,
        &["1: 999", "3: 999"],
    );
}

/// F01, F02.
#[test]
fn subqueries_written_by_hand_in_lower_case() {
    assert_finds_under_every_plan(
        ORDERS,
        || {
            let either = "orders.id in (select order_id from order_items union all select id from old_orders)";
            LockSet::new().query::<Order>(orders::table.filter(sql::<Bool>(either)).filter(orders::status.ne("paid")))
        },
        totals,
        &["1: 999", "3: 999"],
    );
}

/// F01, F02.
#[test]
fn joins_with_a_view_that_is_a_union() {
    assert_finds_under_every_plan(
        ORDERS,
        || {
            let join = orders::table.inner_join(hidden_union::table.on(hidden_union::order_id.eq(orders::id)));
            LockSet::new().query::<Order>(join.filter(orders::status.ne("paid")))
        },
        totals,
        &["1: 999", "3: 999"],
    );
}

/// F01, F03.
#[test]
fn limited_joins_with_a_view_that_is_a_union() {
    assert_finds_under_every_plan(
        ORDERS,
        || {
            let join = orders::table.inner_join(hidden_union::table.on(hidden_union::order_id.eq(orders::id)));
            // Each of 1 and 2 occurs several times.
            LockSet::new().query::<Order>(join.filter(orders::status.ne("paid")).order(orders::id).limit(4).distinct())
        },
        totals,
        &["1: 999", "3: 999"],
    );
}
