//! What a model computes by a subquery is as old as the statement that locks the row, as `LockSet` says; its own columns are fresh.

use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types::BigInt};
use diesel_lockset::{LockSet, Lockable};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    orders_with_items (id) {
        id -> Integer,
        v -> Integer,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = orders_with_items)]
struct Order {
    id: i32,
    v: i32,
    #[diesel(select_expression = items(), select_expression_type = SqlLiteral<BigInt>)]
    items: i64,
}

fn items() -> SqlLiteral<BigInt> {
    sql("(SELECT count(*) FROM items_of_orders WHERE order_id = orders_with_items.id)")
}

#[test]
fn a_count_is_that_of_the_statements_beginning_and_the_row_is_fresh() {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE orders_with_items (id int PRIMARY KEY, v int NOT NULL); \
         CREATE TABLE items_of_orders (order_id int NOT NULL); \
         INSERT INTO orders_with_items VALUES (1, 0); INSERT INTO items_of_orders SELECT 1 FROM generate_series(1, 6)",
    );
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    holder.run("adds an item", |s| {
        s.begin().unwrap();
        s.execute("UPDATE orders_with_items SET v = 1").unwrap();
        s.execute("INSERT INTO items_of_orders VALUES (1)").unwrap();
    });
    let waiting = locker.start("locks", |s| {
        s.begin().unwrap();
        let order = s.lock_by_id::<Order>(1).unwrap();
        // A statement of its own, under the lock, counts what is there now.
        let again = s.lock_set(LockSet::new().row(&order)).unwrap().take_rows::<Order>();
        s.rollback().unwrap();
        (order, again)
    });
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit().unwrap());
    let (order, again) = waiting.join();
    assert_eq!(order, Order { id: 1, v: 1, items: 6 });
    assert_eq!(again, [Order { id: 1, v: 1, items: 7 }]);
}
