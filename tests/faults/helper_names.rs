//! What a user calls a table or a column is not hidden by what a statement of the crate calls its own.
//!
//! Written once, for each kind of server: the parent module names the driver.

use std::collections::BTreeSet;

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

macro_rules! names {
    ($($name:ident)*) => {
        $(mod $name {
            use super::*;
            diesel::table! {
                $name (id) { id -> Integer, v -> Integer, }
            }
            /// Of the table itself.
            #[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
            #[diesel(table_name = $name)]
            pub(super) struct Row {
                pub(super) id: i32,
                #[allow(dead_code)]
                pub(super) v: i32,
            }
            /// Of another table, with something read from this one.
            #[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
            #[diesel(table_name = items)]
            pub(super) struct Counted {
                pub(super) id: i32,
                #[diesel(select_expression = sql::<BigInt>(concat!("(SELECT count(*) FROM ", stringify!($name), ")")))]
                #[diesel(select_expression_type = SqlLiteral<BigInt>)]
                pub(super) n: i64,
            }
            #[derive(Debug, Queryable, Selectable, Identifiable, diesel_lockset::Lockable)]
            #[diesel(table_name = pairs, primary_key(a, b))]
            pub(super) struct Pair {
                pub(super) a: i32,
                pub(super) b: i32,
                #[diesel(select_expression = sql::<BigInt>(concat!("(SELECT count(*) FROM ", stringify!($name), ")")))]
                #[diesel(select_expression_type = SqlLiteral<BigInt>)]
                pub(super) n: i64,
            }
            pub(super) fn filter() -> SqlLiteral<Bool> {
                let name = stringify!($name);
                sql(&format!("(EXISTS (SELECT 1 FROM {name} WHERE {name}.id = items.id AND {name}.v = 1))"))
            }
            pub(super) fn pairs_filter() -> SqlLiteral<Bool> {
                let name = stringify!($name);
                sql(&format!("(EXISTS (SELECT 1 FROM {name} WHERE {name}.id = pairs.a AND {name}.v = 1))"))
            }
            pub(super) fn changed() -> SqlLiteral<Integer> {
                sql(&format!("(SELECT sum(v) FROM {})", stringify!($name)))
            }
        })*

        /// As others read it, and in a set.
        #[test]
        fn a_table_read_in_the_filter_and_in_the_select_list() {
            let arena = arena();
            let mut s = Driver::connect(arena.url());
            $({
                use self::$name::{Counted, Pair, filter, pairs_filter};
                let _table = Named::new(&arena, stringify!($name));
                let found = |outcome: Result<diesel_lockset::Locked, LockError>| {
                    let locked = outcome.unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($name)));
                    let rows: Vec<_> = locked.rows::<Counted>().iter().map(|row| (row.id, row.n)).collect();
                    (rows, locked.rows::<Pair>().iter().map(|pair| (pair.a, pair.b, pair.n)).collect::<Vec<_>>())
                };
                let query = || items::table.filter(filter());
                let limited = || query().order(items::v.desc()).limit(2);
                s.begin().unwrap();
                assert_eq!(found(s.lock_set(LockSet::new().query::<Counted>(query()))).0, [(1, 3), (3, 3)], stringify!($name));
                assert_eq!(found(s.lock_set(LockSet::new().query::<Counted>(limited()))).0, [(1, 3), (3, 3)], stringify!($name));
                let both = LockSet::new().id::<Counted>(2).query::<Counted>(query()).query::<Counted>(limited());
                assert_eq!(found(s.lock_set(both)).0, [(1, 3), (2, 3), (3, 3)], stringify!($name));
                let distinct = LockSet::new().query::<Counted>(limited().select(items::v).distinct());
                assert_eq!(found(s.lock_set(distinct)).0, [(1, 3), (3, 3)], stringify!($name));
                // What did not come back is asked for again.
                let absent = || LockSet::new().ids::<Counted>([1, 99]).query::<Counted>(limited()).allow_missing();
                assert_eq!(found(s.lock_set(absent().no_wait())).0, [(1, 3), (3, 3)], stringify!($name));
                assert_eq!(found(s.lock_set(absent().skip_locked())).0, [(1, 3), (3, 3)], stringify!($name));
                let pairs = || LockSet::new().ids::<Pair>([(1, 2), (9, 9)]).query::<Pair>(pairs::table.filter(pairs_filter())).allow_missing();
                assert_eq!(found(s.lock_set(pairs())).1, [(1, 1, 3), (1, 2, 3), (3, 1, 3)], stringify!($name));
                assert_eq!(found(s.lock_set(pairs().no_wait())).1, [(1, 1, 3), (1, 2, 3), (3, 1, 3)], stringify!($name));
                s.rollback().unwrap();
            })*
        }

        #[test]
        fn a_table_read_by_a_pick_or_a_claim() {
            let arena = arena();
            let mut s = Driver::connect(arena.url());
            $({
                use self::$name::{Counted, Pair, changed, filter, pairs_filter};
                let _table = Named::new(&arena, stringify!($name));
                let query = || items::table.filter(filter()).order(items::id);
                s.begin().unwrap();
                let rows: Vec<Counted> = query().pick(5, s.conn()).unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($name)));
                assert_eq!(rows.iter().map(|row| (row.id, row.n)).collect::<Vec<_>>(), [(1, 3), (3, 3)], stringify!($name));
                for limit in [1, 5] {
                    for plain in [false, true] {
                        let outcome: Result<Vec<Counted>, _> = match plain {
                            true => items::table.order(items::id).claim(limit, items::v.eq(changed()), s.conn()),
                            false => query().claim(limit, items::v.eq(changed()), s.conn()),
                        };
                        let rows = outcome.unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($name)));
                        assert!(rows.iter().all(|row| row.n == 3) && rows[0].id == 1, "{}: {rows:?}", stringify!($name));
                    }
                }
                assert_eq!(s.number("SELECT count(*) FROM items WHERE v = 4"), Ok(3), stringify!($name));
                let pairs: Vec<Pair> = pairs::table.filter(pairs_filter()).order((pairs::a, pairs::b)).pick(5, s.conn()).unwrap();
                assert_eq!(pairs.iter().map(|pair| (pair.a, pair.b, pair.n)).collect::<Vec<_>>(), [(1, 1, 3), (1, 2, 3), (3, 1, 3)]);
                let pairs: Vec<Pair> = pairs::table.order((pairs::a, pairs::b)).claim(2, pairs::v.eq(changed()), s.conn()).unwrap();
                assert_eq!(pairs.iter().map(|pair| (pair.a, pair.b, pair.n)).collect::<Vec<_>>(), [(1, 1, 3), (1, 2, 3)]);
                s.rollback().unwrap();
            })*
        }

        #[test]
        fn a_table_that_is_itself_locked() {
            let arena = arena();
            let (mut s, mut holder) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
            $({
                use self::$name::{Row, $name::dsl};
                let _table = Named::new(&arena, stringify!($name));
                let ids = |rows: &[Row]| rows.iter().map(|row| row.id).collect::<BTreeSet<_>>();
                holder.begin().unwrap();
                holder.lock_set(LockSet::new().id::<Row>(3)).unwrap();
                s.begin().unwrap();
                let query = || dsl::$name.filter(dsl::id.lt(3)).order(dsl::id);
                let both = LockSet::new().id::<Row>(2).query::<Row>(query().limit(2));
                assert_eq!(ids(s.lock_set(both).unwrap().rows::<Row>()), [1, 2].into(), stringify!($name));
                let skips = LockSet::new().ids::<Row>([2, 3]).query::<Row>(query().limit(2)).skip_locked();
                assert_eq!(ids(s.lock_set(skips).unwrap().rows::<Row>()), [1, 2].into(), stringify!($name));
                let some: Vec<Row> = RunLockQuery::load(query().limit(2).for_update_of(dsl::$name).no_wait(), s.conn())
                    .unwrap_or_else(|error| panic!("{}: {error:?}", stringify!($name)));
                assert_eq!(ids(&some), [1, 2].into(), stringify!($name));
                let busy = RunLockQuery::load::<Row, _>(dsl::$name.limit(3).for_update_of(dsl::$name).no_wait(), s.conn());
                assert!(matches!(&busy, Err(LockError::Contended { rows, .. }) if rows.len() == 1), "{}: {busy:?}", stringify!($name));
                let picked: Vec<Row> = dsl::$name.order(dsl::id).pick(5, s.conn()).unwrap();
                assert_eq!(ids(&picked), [1, 2].into(), stringify!($name));
                let subquery = dsl::$name.filter(sql::<Bool>(concat!("id IN (SELECT x.id FROM ", stringify!($name), " x)"))).order(dsl::id);
                let picked: Vec<Row> = subquery.pick(5, s.conn()).unwrap();
                assert_eq!(ids(&picked), [1, 2].into(), stringify!($name));
                let claimed: Vec<Row> = dsl::$name.order(dsl::id).claim(5, dsl::v.eq(9), s.conn()).unwrap();
                assert_eq!(ids(&claimed), [1, 2].into(), stringify!($name));
                s.rollback().unwrap();
                holder.rollback().unwrap();
            })*
        }
    };
}

names! {
    wanted chosen lockset_wanted lockset_chosen lockset_helper
    among amongst listed lockset_among lockset_listed lockset_unknown asked
    _picked _placed _free _again _numbered lockset_picked lockset_placed
    _candidates _chosen candidates lockset_candidates lockset_held held locked once seen
}

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
