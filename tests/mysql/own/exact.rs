//! Exactly the rows that are wanted are locked, whatever indexes there are.

use diesel::{mysql::Mysql, prelude::*};
use diesel_lockset::{LockSet, Lockable};

use super::{
    Arena, Driver,
    stock::{Item, Tag, arena_of, stock},
};
use crate::support::{driver::Session, models, schema::tags};

const LEVELS: [&str; 2] = ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"];

/// In each isolation level, `set` locks these rows and no others; on MySQL not a gap or an index entry either.
#[track_caller]
fn locks_exactly(arena: &Arena, set: impl Fn() -> LockSet<'static, Mysql>, wanted: &[i32]) {
    let wanted: Vec<String> = wanted.iter().map(i32::to_string).collect();
    for level in LEVELS {
        let mut session = Driver::connect(arena.url());
        session.begin_as(level).unwrap();
        let locked = session.lock_set(set()).unwrap();
        let mut ids: Vec<i32> = locked.rows::<Item>().iter().map(|item| item.id).collect();
        ids.extend(locked.rows::<Tag>().iter().map(|tag| tag.id));
        let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
        assert!(ids == wanted, "{level}: came back: {ids:?}");
        let held = arena.held_keys("stock", "id");
        let mut sorted = wanted.clone();
        sorted.sort_by_key(|id| id.parse::<i32>().unwrap());
        assert!(held == sorted, "{level}: {} held, {} wanted: {held:?}", held.len(), wanted.len());
        assert_eq!(arena.number(OTHER_LOCKS), 0, "{level}: locks of gaps or of index entries");
        session.rollback().unwrap();
    }
}

/// What `performance_schema` knows of record locks on the table besides those on single rows of it. The end of a page is locked
/// where a search for the first key of the next page comes by; no row is there.
const OTHER_LOCKS: &str = "SELECT /*!80001 (SELECT count(*) FROM performance_schema.data_locks WHERE object_name = 'stock' \
                           AND object_schema = database() AND lock_type = 'RECORD' \
                           AND lock_data <> 'supremum pseudo-record' \
                           AND (index_name <> 'PRIMARY' OR lock_mode <> 'X,REC_NOT_GAP')) */ /*M! 0 */";

/// H19.
#[test]
fn six_thousand_of_twenty_thousand_keys() {
    let arena = arena_of(20_000);
    let wanted: Vec<i32> = (1..=20_000).filter(|id| id % 10 < 3).collect();
    assert_eq!(wanted.len(), 6_000);
    let shuffled: Vec<i32> = wanted.iter().rev().copied().collect();
    locks_exactly(&arena, || LockSet::new().ids::<Item>(&shuffled), &wanted);
    locks_exactly(&arena, || LockSet::new().ids::<Tag>(&shuffled), &wanted);
}

/// H19.
#[test]
fn most_of_a_tiny_table() {
    let arena = arena_of(5);
    locks_exactly(&arena, || LockSet::new().ids::<Item>([5, 1, 4, 2]), &[1, 2, 4, 5]);
    locks_exactly(&arena, || LockSet::new().id::<Tag>(3), &[3]);
}

/// H19, I08.
#[test]
fn what_a_query_finds_by_another_index() {
    let arena = arena_of(20_000);
    let cheap = || stock::table.filter(stock::price.lt(40)).order(stock::price);
    let wanted: Vec<i32> = (19_961..=20_000).collect();
    locks_exactly(&arena, || LockSet::new().query::<Item>(cheap()), &wanted);
    locks_exactly(&arena, || LockSet::new().query::<Tag>(cheap().into_boxed()), &wanted);
    locks_exactly(&arena, || LockSet::new().query::<Item>(cheap().limit(3)), &[19_998, 19_999, 20_000]);
    let shelf = || stock::table.filter(stock::shelf.eq(7)).filter(stock::price.gt(0));
    locks_exactly(&arena, || LockSet::new().query::<Tag>(shelf()), &(70..=79).collect::<Vec<_>>());
    locks_exactly(
        &arena,
        || LockSet::new().query::<Item>(shelf()).id::<Item>(3),
        &[&[3], &(70..=79).collect::<Vec<_>>()[..]].concat(),
    );
}

/// I09.
#[test]
fn what_a_query_finds_without_any_index() {
    let arena = arena_of(1_000);
    arena.execute("UPDATE stock SET note = 'blue' WHERE id IN (500, 7, 900)");
    locks_exactly(&arena, || LockSet::new().query::<Item>(stock::table.filter(stock::note.eq("blue"))), &[7, 500, 900]);
}

/// More text keys than one statement takes, which only the server can put in order, asked for under two models.
///
/// H17, H22.
#[test]
fn many_text_keys_of_two_models_are_all_found_by_both() {
    let arena = Arena::new();
    let values: Vec<String> = (0..900).map(|i| format!("('tag {i}')")).collect();
    arena.execute(&format!("INSERT INTO tags (name) VALUES {}", values.join(", ")));
    let names = |range: std::ops::Range<i32>| range.map(|i| format!("tag {i}")).collect::<Vec<_>>();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let set = LockSet::new().ids::<models::Tag>(names(0..700)).ids::<TagName>(names(400..900));
    let locked = session.lock_set(set).unwrap();
    assert_eq!((locked.rows::<models::Tag>().len(), locked.rows::<TagName>().len()), (700, 500));
    let in_order = |names: Vec<String>| {
        let list = names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let ordered = format!("SELECT GROUP_CONCAT(name ORDER BY name) FROM tags WHERE name IN ({list})");
        arena.execute("SET GLOBAL group_concat_max_len = 1000000");
        arena.text(&ordered).unwrap().split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let found: Vec<String> = locked.rows::<TagName>().iter().map(|tag| tag.name.clone()).collect();
    assert_eq!(found, in_order(names(400..900)));
    assert_eq!(arena.held_keys("tags", "name").len(), 900);
}

/// A second model of the tags.
#[derive(Debug, Clone, Queryable, Selectable, Lockable)]
#[diesel(table_name = tags, primary_key(name))]
struct TagName {
    name: String,
}
