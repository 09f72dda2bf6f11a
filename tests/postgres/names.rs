//! Tables and columns that are called what the helpers in a set's statements are called, and otherwise oddly.

use diesel::{dsl::sql, expression::SqlLiteral, pg::Pg, prelude::*, sql_types::Bool};
use diesel_lockset::{LockSet, Lockable};

use self::{chosen::named as chosen_named, wanted::named as wanted_named};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

type Set = LockSet<'static, Pg>;

/// For each name a table and, in a schema, one with a key of two columns; and what has to work on both.
macro_rules! tables {
    ($($module:ident: $name:literal),* $(,)?) => {$(
        mod $module {
            use super::*;

            diesel::table! {
                #[sql_name = $name]
                named (k0) {
                    k0 -> Integer,
                    #[sql_name = "q"]
                    q_ -> Integer,
                    o -> Integer,
                    c -> Text,
                }
            }

            diesel::table! {
                #[sql_name = $name]
                s1.pairs (k1, k0) {
                    k1 -> Integer,
                    k0 -> Integer,
                    #[sql_name = "q"]
                    q_ -> Integer,
                    o -> Integer,
                }
            }

            #[derive(Debug, Queryable, Selectable, Lockable)]
            #[diesel(table_name = named, primary_key(k0))]
            #[allow(dead_code, reason = "they are loaded, that is enough")]
            pub(super) struct Named {
                pub(super) k0: i32,
                pub(super) q_: i32,
                pub(super) o: i32,
                pub(super) c: String,
            }

            #[derive(Debug, Queryable, Selectable, Lockable)]
            #[diesel(table_name = pairs, primary_key(k1, k0))]
            #[allow(dead_code, reason = "they are loaded, that is enough")]
            pub(super) struct Pair {
                k1: i32,
                k0: i32,
                q_: i32,
                o: i32,
            }

            fn set() -> Set {
                let (rows, pairs) = (named::table, pairs::table);
                LockSet::new()
                    .query::<Named>(rows.filter(named::q_.eq(0)).order(named::k0).limit(1))
                    .query::<Named>(rows.filter(named::o.eq(0)).filter(named::k0.between(3, 4)).distinct())
                    .ids::<Named>([5, 9])
                    .query::<Pair>(pairs.filter(pairs::q_.eq(0)).order((pairs::k1, pairs::k0)).limit(1))
                    .query::<Pair>(pairs.filter(pairs::o.eq(0)).filter(pairs::k0.between(3, 4)).distinct())
                    .ids::<Pair>([(1, 5), (9, 9)])
                    .allow_missing()
            }

            fn lock(s: &mut Blocking) -> [Vec<i32>; 2] {
                s.begin().unwrap();
                let locked = s.lock_set(set()).unwrap();
                s.rollback().unwrap();
                let missing: Vec<_> = locked.missing().iter().map(|row| row.key().to_string()).collect();
                assert!(missing.contains(&"9".to_owned()) && missing.contains(&"(9, 9)".to_owned()), "{missing:?}");
                let rows = locked.rows::<Named>().iter().map(|row| row.k0).collect();
                let pairs = locked.rows::<Pair>().iter().map(|row| row.k0).collect();
                [rows, pairs]
            }

            /// F02, F03, R03.
            #[test]
            fn is_locked_and_looked_at_again() {
                let arena = Arena::named(concat!("the_name_", stringify!($module)));
                create(&arena, $name);
                let play = Play::<Blocking>::new(&arena);
                let (holder, locker) = (play.session("holder"), play.session("locker"));
                assert_eq!(locker.run("locks", lock), [[1, 3, 4, 5], [1, 3, 4, 5]]);
                holder.run("changes 1 and 3 of both", |s| {
                    s.begin().unwrap();
                    for table in [quoted($name), format!("s1.{}", quoted($name))] {
                        s.execute(&format!("UPDATE {table} SET q = 1 WHERE k0 = 1")).unwrap();
                        s.execute(&format!("UPDATE {table} SET o = 1 WHERE k0 = 3")).unwrap();
                    }
                });
                let waiting = locker.start("locks", lock);
                waiting.blocked_by(&holder);
                holder.run("commits", |s| s.commit().unwrap());
                assert_eq!(waiting.join(), [[2, 4, 5], [2, 4, 5]]);
            }
        }
    )*};
}

tables! {
    wanted: "wanted",
    chosen: "chosen",
    among: "among",
    listed: "listed",
    again: "again",
    k0: "k0",
    select: "select",
    quote: "a\"b",
}

diesel::allow_tables_to_appear_in_same_query!(wanted_named, chosen_named);

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Five rows each, in `public` and in `s1`.
fn create(arena: &Arena, name: &str) {
    let name = quoted(name);
    arena.execute(&format!(
        "CREATE TABLE {name} (k0 integer PRIMARY KEY, q integer NOT NULL, o integer NOT NULL, c text NOT NULL); \
         INSERT INTO {name} SELECT i, 0, 0, 'row ' || i FROM generate_series(1, 5) i; \
         CREATE TABLE s1.{name} (k1 integer, k0 integer, q integer NOT NULL, o integer NOT NULL, PRIMARY KEY (k1, k0)); \
         INSERT INTO s1.{name} SELECT 1, i, 0, 0 FROM generate_series(1, 5) i"
    ));
}

/// N01, R03.
#[test]
fn tables_called_like_the_helper_and_like_its_stand_in_are_joined() {
    let arena = Arena::new();
    for name in ["wanted", "chosen"] {
        create(&arena, name);
    }
    arena.execute("UPDATE chosen SET q = 1 WHERE k0 = 2; UPDATE wanted SET q = 1 WHERE k0 = 3");
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let joined = || wanted_named::table.inner_join(chosen_named::table.on(chosen_named::k0.eq(wanted_named::k0)));
    let join_back = chosen_named::table.inner_join(wanted_named::table.on(wanted_named::k0.eq(chosen_named::k0)));
    let set = LockSet::new()
        .query::<wanted::Named>(joined().filter(chosen_named::q_.eq(0)).order(wanted_named::c).limit(2))
        .query::<chosen::Named>(join_back.filter(wanted_named::q_.eq(1)))
        .id::<chosen::Named>(5);
    let locked = session.lock_set(set).unwrap();
    let wanted: Vec<_> = locked.rows::<wanted::Named>().iter().map(|row| (row.k0, row.q_, row.o, &*row.c)).collect();
    assert_eq!(wanted, [(1, 0, 0, "row 1"), (3, 1, 0, "row 3")]);
    let chosen: Vec<_> = locked.rows::<chosen::Named>().iter().map(|row| (row.k0, row.q_)).collect();
    assert_eq!(chosen, [(3, 0), (5, 0)]);
    assert_eq!(arena.held_keys("wanted", "k0"), ["1", "3"]);
    assert_eq!(arena.held_keys("chosen", "k0"), ["3", "5"]);
    session.commit().unwrap();
}

diesel::table! {
    others (id) {
        id -> Integer,
    }
}

/// A model that asks more of the database than its columns, and of a table that is called like the helper.
#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = others)]
struct WithAnExpression {
    id: i32,
    #[diesel(select_expression = sql::<Bool>("EXISTS (SELECT FROM wanted WHERE k0 = others.id + 1)"))]
    #[diesel(select_expression_type = SqlLiteral<Bool>)]
    next_is_wanted: bool,
}

/// R03.
#[test]
fn an_expression_of_a_model_sees_the_table_and_not_the_helper() {
    let arena = Arena::new();
    create(&arena, "wanted");
    arena.execute("CREATE TABLE others (id integer PRIMARY KEY); INSERT INTO others VALUES (1), (2), (5)");
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let expected = [(1, true), (5, false)].map(|(id, next_is_wanted)| WithAnExpression { id, next_is_wanted });
    let by_key = session.lock_set(LockSet::new().ids::<WithAnExpression>([5, 1])).unwrap();
    assert_eq!(by_key.rows::<WithAnExpression>(), expected);
    let query = others::table.filter(others::id.ne(2)).order(others::id).limit(2);
    let by_query = session.lock_set(LockSet::new().query::<WithAnExpression>(query)).unwrap();
    assert_eq!(by_query.rows::<WithAnExpression>(), expected);
    session.commit().unwrap();
}
