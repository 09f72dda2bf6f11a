//! Models that read the key and expressions of it: the primary key covers all that they read, and is not locked as a whole.

use diesel::prelude::*;
use diesel_lockset::*;

use super::{Arena, Driver};
use crate::support::driver::Session;

diesel::table! {
    numbers (id) {
        id -> Integer,
        v -> Integer,
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Lockable)]
#[diesel(table_name = numbers)]
struct Sum {
    id: i32,
    #[diesel(select_expression = numbers::id + numbers::id)]
    #[allow(dead_code, reason = "only read")]
    double: i32,
}

define_sql_function! {
    fn greatest(a: diesel::sql_types::Integer, b: diesel::sql_types::Integer) -> diesel::sql_types::Integer;
}

use diesel::define_sql_function;

#[derive(Debug, Clone, Queryable, Selectable, Lockable)]
#[diesel(table_name = numbers)]
struct Greatest {
    id: i32,
    #[diesel(select_expression = greatest(numbers::id, numbers::id))]
    #[allow(dead_code, reason = "only read")]
    greatest: i32,
}

fn arena() -> Arena {
    let arena = Arena::new();
    let rows: Vec<String> = (0..600).map(|i| format!("({i}, {i})")).collect();
    arena.execute(&format!(
        "CREATE TABLE numbers (id int PRIMARY KEY, v int NOT NULL) ENGINE = InnoDB; INSERT INTO numbers VALUES {}",
        rows.join(", ")
    ));
    arena
}

#[test]
fn part_of_a_table_is_locked_by_models_of_the_key_and_expressions_of_it() {
    let arena = arena();
    let wanted: Vec<i32> = (0..200).map(|i| i * 3).collect();
    for level in ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"] {
        let mut session = Driver::connect(arena.url());
        let sum = || LockSet::new().ids::<Sum>((0..200).map(|i| i * 3));
        let greatest = || LockSet::new().ids::<Greatest>((0..200).map(|i| i * 3));
        let query = || LockSet::new().query::<Sum>(numbers::table.filter(numbers::v.eq_any((0..200).map(|i| i * 3))));
        for set in [sum(), greatest(), query()] {
            session.begin_as(level).unwrap();
            session.lock_set(set).unwrap();
            let mut held: Vec<i32> = arena.held_keys("numbers", "id").iter().map(|key| key.parse().unwrap()).collect();
            held.sort_unstable();
            assert_eq!(held, wanted, "{level}");
            session.rollback().unwrap();
        }
    }
}
