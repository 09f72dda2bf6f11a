//! What a user calls a table or a column is not hidden by what a statement of the crate calls its own.
//!
//! Written once, for each kind of server: the parent module names the driver.

use std::{cell::Cell, collections::BTreeSet};

use diesel::{
    dsl::sql,
    expression::SqlLiteral,
    prelude::*,
    sql_types::{BigInt, Bool, Integer},
};
use diesel_lockset::{LockError, LockQueryDsl, LockSet, PickDsl, RunLockQuery};

use super::{Arena, Driver};
use crate::support::driver::Session;

diesel::table! {
    items (id) { id -> Integer, v -> Integer, }
}

diesel::table! {
    pairs (a, b) { a -> Integer, b -> Integer, v -> Integer, }
}

thread_local! {
    /// The table that is read besides, whatever it is called.
    static OTHER: Cell<&'static str> = const { Cell::new("") };
}

fn count() -> SqlLiteral<BigInt> {
    sql(&format!("(SELECT count(*) FROM {})", OTHER.get()))
}

#[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
#[diesel(table_name = items)]
struct Counted {
    id: i32,
    #[diesel(select_expression = count(), select_expression_type = SqlLiteral<BigInt>)]
    n: i64,
}

#[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
#[diesel(table_name = pairs, primary_key(a, b))]
struct Pair {
    a: i32,
    b: i32,
    #[diesel(select_expression = count(), select_expression_type = SqlLiteral<BigInt>)]
    n: i64,
}

fn filter(key: &str) -> SqlLiteral<Bool> {
    let name = OTHER.get();
    sql(&format!("(EXISTS (SELECT 1 FROM {name} WHERE {name}.id = {key} AND {name}.v = 1))"))
}

fn changed() -> SqlLiteral<Integer> {
    sql(&format!("(SELECT sum(v) FROM {})", OTHER.get()))
}

/// Names that a statement of the crate has for itself, has had, or might have.
const NAMES: [&str; 33] = [
    "wanted",
    "chosen",
    "lockset_wanted",
    "lockset_chosen",
    "lockset_helper",
    "lockset_wanted_1",
    "among",
    "amongst",
    "listed",
    "lockset_among",
    "lockset_listed",
    "lockset_unknown",
    "asked",
    "_picked",
    "_placed",
    "_free",
    "_again",
    "_numbered",
    "lockset_picked",
    "lockset_placed",
    "lockset_picked_1",
    "_candidates",
    "_chosen",
    "candidates",
    "lockset_candidates",
    "lockset_held",
    "held",
    "locked",
    "once",
    "seen",
    "again",
    "k0",
    "setting",
];

/// Does the same beside a table of each name.
fn beside_each(arena: &Arena, mut work: impl FnMut(&'static str)) {
    for name in NAMES {
        let _table = Named::new(arena, name);
        OTHER.set(name);
        work(name);
    }
}

/// As others read it, and in a set.
#[test]
fn a_table_read_in_the_filter_and_in_the_select_list() {
    let arena = arena();
    let mut s = Driver::connect(arena.url());
    beside_each(&arena, |name| {
        let found = |outcome: Result<diesel_lockset::Locked, LockError>| {
            let locked = outcome.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let rows: Vec<_> = locked.rows::<Counted>().iter().map(|row| (row.id, row.n)).collect();
            (rows, locked.rows::<Pair>().iter().map(|pair| (pair.a, pair.b, pair.n)).collect::<Vec<_>>())
        };
        let query = || items::table.filter(filter("items.id"));
        let limited = || query().order(items::v.desc()).limit(2);
        let both = [(1, 3), (3, 3)];
        s.begin().unwrap();
        assert_eq!(found(s.lock_set(LockSet::new().query::<Counted>(query()))).0, both, "{name}");
        assert_eq!(found(s.lock_set(LockSet::new().query::<Counted>(limited()))).0, both, "{name}");
        let set = LockSet::new().id::<Counted>(2).query::<Counted>(query()).query::<Counted>(limited());
        assert_eq!(found(s.lock_set(set)).0, [(1, 3), (2, 3), (3, 3)], "{name}");
        let distinct = LockSet::new().query::<Counted>(limited().select(items::v).distinct());
        assert_eq!(found(s.lock_set(distinct)).0, both, "{name}");
        // What did not come back is asked for again.
        let absent = || LockSet::new().ids::<Counted>([1, 99]).query::<Counted>(limited()).allow_missing();
        assert_eq!(found(s.lock_set(absent().no_wait())).0, both, "{name}");
        assert_eq!(found(s.lock_set(absent().skip_locked())).0, both, "{name}");
        let chosen = || pairs::table.filter(filter("pairs.a"));
        let pairs = || LockSet::new().ids::<Pair>([(1, 2), (9, 9)]).query::<Pair>(chosen()).allow_missing();
        let three = [(1, 1, 3), (1, 2, 3), (3, 1, 3)];
        assert_eq!(found(s.lock_set(pairs())).1, three, "{name}");
        assert_eq!(found(s.lock_set(pairs().no_wait())).1, three, "{name}");
        s.rollback().unwrap();
    });
}

#[test]
fn a_table_read_by_a_pick_or_a_claim() {
    let arena = arena();
    let mut s = Driver::connect(arena.url());
    beside_each(&arena, |name| {
        let query = || items::table.filter(filter("items.id")).order(items::id);
        s.begin().unwrap();
        let rows: Vec<Counted> = query().pick(5, s.conn()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(rows.iter().map(|row| (row.id, row.n)).collect::<Vec<_>>(), [(1, 3), (3, 3)], "{name}");
        // Raw SQL that names the table itself: on MySQL and MariaDB the rows are looked at again by a statement of their own.
        let own = sql::<Bool>("(EXISTS (SELECT 1 FROM items x WHERE x.id = items.id))");
        let rows: Vec<Counted> =
            query().filter(own).pick(5, s.conn()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(rows.iter().map(|row| (row.id, row.n)).collect::<Vec<_>>(), [(1, 3), (3, 3)], "{name}");
        for limit in [1, 5] {
            for plain in [false, true] {
                let outcome: Result<Vec<Counted>, _> = match plain {
                    true => items::table.order(items::id).claim(limit, items::v.eq(changed()), s.conn()),
                    false => query().claim(limit, items::v.eq(changed()), s.conn()),
                };
                let rows = outcome.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                assert!(rows.iter().all(|row| row.n == 3) && rows[0].id == 1, "{name}: {rows:?}");
            }
        }
        assert_eq!(s.number("SELECT count(*) FROM items WHERE v = 4"), Ok(3), "{name}");
        let keys = |pairs: Vec<Pair>| pairs.iter().map(|pair| (pair.a, pair.b, pair.n)).collect::<Vec<_>>();
        let order = (pairs::a, pairs::b);
        let picked = pairs::table.filter(filter("pairs.a")).order(order).pick(5, s.conn());
        assert_eq!(keys(picked.unwrap()), [(1, 1, 3), (1, 2, 3), (3, 1, 3)], "{name}");
        let claimed = pairs::table.order(order).claim(2, pairs::v.eq(changed()), s.conn());
        assert_eq!(keys(claimed.unwrap()), [(1, 1, 3), (1, 2, 3)], "{name}");
        s.rollback().unwrap();
    });
}

macro_rules! locked {
    ($($name:ident)*) => {
        $(mod $name {
            use super::*;
            diesel::table! {
                $name (id) { id -> Integer, v -> Integer, }
            }
            #[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
            #[diesel(table_name = $name)]
            pub(super) struct Row {
                pub(super) id: i32,
            }
        })*

        #[test]
        fn a_table_that_is_itself_locked() {
            let arena = arena();
            let (mut s, mut holder) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
            $({
                use self::$name::{Row, $name::dsl};
                let name = stringify!($name);
                let _table = Named::new(&arena, name);
                let ids = |rows: &[Row]| rows.iter().map(|row| row.id).collect::<BTreeSet<_>>();
                holder.begin().unwrap();
                holder.lock_set(LockSet::new().id::<Row>(3)).unwrap();
                s.begin().unwrap();
                let query = || dsl::$name.filter(dsl::id.lt(3)).order(dsl::id);
                let both = LockSet::new().id::<Row>(2).query::<Row>(query().limit(2));
                assert_eq!(ids(s.lock_set(both).unwrap().rows::<Row>()), [1, 2].into(), "{name}");
                let skips = LockSet::new().ids::<Row>([2, 3]).query::<Row>(query().limit(2)).skip_locked();
                assert_eq!(ids(s.lock_set(skips).unwrap().rows::<Row>()), [1, 2].into(), "{name}");
                let some = RunLockQuery::load::<(i32, i32)>(query().limit(2).for_update_of(dsl::$name).no_wait(), s.conn());
                assert_eq!(some.unwrap_or_else(|error| panic!("{name}: {error:?}")), [(1, 1), (2, 2)]);
                let busy = dsl::$name.limit(3).for_update_of(dsl::$name).no_wait();
                let busy = RunLockQuery::load::<(i32, i32)>(busy, s.conn());
                assert!(matches!(&busy, Err(LockError::Contended { rows, .. }) if rows.len() == 1), "{name}: {busy:?}");
                let subquery = dsl::$name.filter(sql::<Bool>(&format!("id IN (SELECT x.id FROM {name} x)"))).order(dsl::id);
                let picked: Vec<Row> = subquery.pick(5, s.conn()).unwrap();
                assert_eq!(ids(&picked), [1, 2].into(), "{name}");
                let claimed: Vec<Row> = dsl::$name.order(dsl::id).claim(5, dsl::v.eq(9), s.conn()).unwrap();
                assert_eq!(ids(&claimed), [1, 2].into(), "{name}");
                s.rollback().unwrap();
                holder.rollback().unwrap();
            })*
        }
    };
}

locked!(wanted among _picked _placed lockset_chosen _candidates lockset_held);

/// Columns that are called as the helpers' are, written by the user without their table.
#[test]
fn a_column_that_is_named_without_its_table() {
    diesel::table! {
        odd (k0, k1) { k0 -> Integer, k1 -> Integer, o -> Integer, }
    }
    #[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
    #[diesel(table_name = odd, primary_key(k0, k1))]
    struct Odd {
        k0: i32,
        k1: i32,
        #[diesel(select_expression = sql::<Integer>("(k0 + k1 + o + c + q + k + _place + lockset_i + lockset_k0)"))]
        #[diesel(select_expression_type = SqlLiteral<Integer>)]
        sum: i32,
    }
    let arena = arena();
    arena.execute(
        "CREATE TABLE odd (k0 int, k1 int, o int NOT NULL, c int NOT NULL, q int NOT NULL, k int NOT NULL, _place int NOT NULL, \
         lockset_i int NOT NULL, lockset_k0 int NOT NULL, PRIMARY KEY (k0, k1)); INSERT INTO odd VALUES (1, 1, 1, 1, 1, 1, 1, 1, 1), (2, 2, 2, 2, 2, 2, 2, 2, 2)",
    );
    let mut s = Driver::connect(arena.url());
    s.begin().unwrap();
    let filter = || sql::<Bool>("(k0 + k1 + o + c + q + k + _place + lockset_i + lockset_k0 > 8)");
    let query = || odd::table.filter(filter()).order(odd::k0);
    let sums = |rows: &[Odd]| rows.iter().map(|odd| (odd.k0, odd.k1, odd.sum)).collect::<Vec<_>>();
    let both = [(1, 1, 9), (2, 2, 18)];
    let set = || {
        LockSet::new().ids::<Odd>([(1, 1), (7, 7)]).query::<Odd>(query()).query::<Odd>(query().limit(1)).allow_missing()
    };
    assert_eq!(sums(s.lock_set(LockSet::new().id::<Odd>((1, 1))).unwrap().rows()), both[..1]);
    assert_eq!(sums(s.lock_set(set()).unwrap().rows()), both);
    assert_eq!(sums(s.lock_set(set().no_wait()).unwrap().rows()), both);
    assert_eq!(sums(s.lock_set(set().skip_locked()).unwrap().rows()), both);
    assert_eq!(sums(&query().pick(2, s.conn()).unwrap()), both);
    let subquery = odd::table.filter(filter()).filter(sql::<Bool>("(k0 IN (SELECT x.k0 FROM odd x))")).order(odd::k0);
    assert_eq!(sums(&subquery.pick(2, s.conn()).unwrap()), both);
    for limit in [1, 2] {
        let rows = query().claim(limit, odd::o.eq(sql::<Integer>("(k0 + k1 + _place - 2 * lockset_k0)")), s.conn());
        let rows: Vec<Odd> = rows.unwrap();
        assert_eq!(sums(&rows)[0], both[0]);
    }
    s.rollback().unwrap();
}

/// A table of this name that has 1, 2 and 3, of which 1 and 3 count.
struct Named<'a>(&'a Arena, &'static str);

impl<'a> Named<'a> {
    fn new(arena: &'a Arena, name: &'static str) -> Self {
        arena.execute(&format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, v int NOT NULL); INSERT INTO {name} VALUES (1, 1), (2, 2), (3, 1)"
        ));
        Named(arena, name)
    }
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.execute(&format!("DROP TABLE {}", self.1));
        }
    }
}

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE items (id int PRIMARY KEY, v int NOT NULL); INSERT INTO items VALUES (1, 10), (2, 20), (3, 30); \
         CREATE TABLE pairs (a int, b int, v int NOT NULL, PRIMARY KEY (a, b)); \
         INSERT INTO pairs VALUES (1, 1, 1), (1, 2, 1), (2, 1, 1), (3, 1, 1)",
    );
    arena
}
