//! Each key that is asked for comes back, is missing, or is named as what else it is.

use diesel::{connection::SimpleConnection, pg::Pg, prelude::*};
use diesel_lockset::{LockError, LockSet, Lockable, Locked, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

diesel::table! {
    goods (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    words (word) {
        word -> Text,
        n -> Integer,
    }
}

diesel::table! {
    places (section, number) {
        section -> Integer,
        number -> Text,
        n -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = goods)]
struct Good {
    id: i32,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = goods)]
struct GoodId {
    id: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = words, primary_key(word))]
struct Word {
    word: String,
    n: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = places, primary_key(section, number))]
struct Place {
    section: i32,
    number: String,
    n: i32,
}

fn arena(words: &str) -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE goods (id int PRIMARY KEY, name text NOT NULL);
         INSERT INTO goods SELECT i, 'n' || i FROM generate_series(1, 5) AS i;
         CREATE TABLE words (word {words} PRIMARY KEY, n int NOT NULL);
         INSERT INTO words VALUES ('ada', 1), ('ben', 2), ('cyd', 3);
         CREATE TABLE places (section int, number text, n int NOT NULL, PRIMARY KEY (section, number));
         INSERT INTO places VALUES (1, 'a', 1), (1, 'b', 2), (2, 'a', 3)"
    ));
    arena
}

type Answer = Result<String, String>;

/// What a set answers that waits while another session does this and commits.
fn answer(arena: &Arena, meanwhile: &str, set: fn() -> LockSet<'static, Pg>, show: fn(Locked) -> String) -> Answer {
    let play = Play::<Blocking>::new(arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    let meanwhile = format!("BEGIN; {meanwhile}");
    holder.run("changes", move |s| s.conn().batch_execute(&meanwhile).unwrap());
    let asking = waiter.start("asks", move |s| {
        s.begin().unwrap();
        let answer = set().lock(s.conn()).map(show).map_err(|error| match error {
            LockError::LimitedRowsChanged { .. } => "moved".to_owned(),
            error => error.to_string(),
        });
        (answer, s.rollback().unwrap()).0
    });
    asking.blocked_by(&holder);
    holder.run("commits", |s| s.execute("COMMIT")).unwrap();
    asking.join()
}

fn goods(mut locked: Locked) -> String {
    let rows = locked.take_rows::<Good>().iter().map(|good| format!("{}={}", good.id, good.name)).collect::<Vec<_>>();
    shown(rows, &locked)
}

fn words(mut locked: Locked) -> String {
    let rows = locked.take_rows::<Word>().iter().map(|word| format!("{}={}", word.word.trim_end(), word.n)).collect();
    shown(rows, &locked)
}

fn places(mut locked: Locked) -> String {
    let row = |place: &Place| format!("{}{}={}", place.section, place.number, place.n);
    let rows = locked.take_rows::<Place>().iter().map(row).collect();
    shown(rows, &locked)
}

fn shown(rows: Vec<String>, locked: &Locked) -> String {
    let missing: Vec<_> = locked.missing().iter().map(|row| row.key().to_string()).collect();
    format!("{} | {}", rows.join(" "), missing.join(" "))
}

fn some_goods() -> LockSet<'static, Pg> {
    LockSet::new().ids::<Good>([2, 3, 77]).allow_missing()
}

/// F14.
#[test]
fn a_row_that_was_replaced_by_one_with_its_key_is_taken() {
    let arena = arena("text");
    for (meanwhile, expected) in [
        ("DELETE FROM goods WHERE id = 2; INSERT INTO goods VALUES (2, 'new')", "2=new 3=n3 | 77"),
        ("UPDATE goods SET id = id + 20 WHERE id = 2; UPDATE goods SET id = 2 WHERE id = 5", "2=n5 3=n3 | 77"),
        (
            "UPDATE goods SET id = 5 - id + 100 WHERE id IN (2, 3); UPDATE goods SET id = id - 100 WHERE id > 100",
            "2=n3 3=n2 | 77",
        ),
        ("DELETE FROM goods WHERE id = 2", "3=n3 | 2 77"),
        ("UPDATE goods SET id = 77 WHERE id = 2", "3=n3 77=n2 | 2"),
    ] {
        arena.execute("DELETE FROM goods; INSERT INTO goods SELECT i, 'n' || i FROM generate_series(1, 5) AS i");
        assert_eq!(answer(&arena, meanwhile, some_goods, goods).as_deref(), Ok(expected), "{meanwhile}");
    }
}

/// F14.
#[test]
fn two_keys_that_were_swapped_come_in_their_order() {
    let swap = "UPDATE words SET word = '?' WHERE word = 'ada'; UPDATE words SET word = 'ada' WHERE word = 'cyd';
                UPDATE words SET word = 'cyd' WHERE word = '?'";
    for kind in ["text", "text COLLATE \"C\"", "varchar(5)", "char(5)", "citext"] {
        let arena = arena(kind);
        let set = || LockSet::new().ids::<Word>(["ada", "ben", "cyd"].map(String::from));
        assert_eq!(answer(&arena, swap, set, words).as_deref(), Ok("ada=3 ben=2 cyd=1 | "), "{kind}");
    }
    let arena = arena("text");
    let swap = "UPDATE places SET section = 9 WHERE n = 1; UPDATE places SET (section, number) = (1, 'a') WHERE n = 3;
                UPDATE places SET section = 2 WHERE n = 1";
    let set = || LockSet::new().ids::<Place>([(2, "a"), (1, "a"), (1, "b")].map(|(s, n)| (s, n.to_owned())));
    assert_eq!(answer(&arena, swap, set, places).as_deref(), Ok("1a=3 1b=2 2a=1 | "));
}

/// F14.
#[test]
fn a_key_in_other_letters_is_that_of_the_row_that_replaced_its_own() {
    let replace = "DELETE FROM words WHERE n = 1; INSERT INTO words VALUES ('Ada', 9)";
    let arena = arena("citext");
    let set = || LockSet::new().ids::<Word>(["ADA", "zoe", "BEN"].map(String::from)).allow_missing();
    let show = |mut locked: Locked| {
        assert_eq!(locked.id::<Word>("ADA").unwrap().n, 9);
        assert_eq!(locked.id::<Word>("Ada").unwrap().n, 9);
        words_of(&mut locked)
    };
    assert_eq!(answer(&arena, replace, set, show).as_deref(), Ok("Ada=9 ben=2 | \"zoe\""));
    let arena = arena_of_one_letter();
    let set = || LockSet::new().ids::<Word>(["ADA".to_owned()]);
    assert_eq!(answer(&arena, replace, set, words).as_deref(), Ok("Ada=9 | "));
}

fn words_of(locked: &mut Locked) -> String {
    let rows = locked.take_rows::<Word>().iter().map(|word| format!("{}={}", word.word, word.n)).collect();
    shown(rows, locked)
}

fn arena_of_one_letter() -> Arena {
    arena("citext")
}

/// F14.
#[test]
fn each_key_of_each_model_of_one_table_ends_in_one_class() {
    let arena = arena("text");
    let replace = "DELETE FROM goods WHERE id IN (2, 4); INSERT INTO goods VALUES (2, 'new')";
    let set = || LockSet::new().ids::<Good>([1, 2, 4]).ids::<GoodId>([2, 3, 4]).allow_missing();
    let show = |mut locked: Locked| {
        let ids: Vec<_> = locked.take_rows::<GoodId>().iter().map(|good| good.id).collect();
        format!("{ids:?} {}", goods(locked))
    };
    assert_eq!(answer(&arena, replace, set, show).as_deref(), Ok("[2, 3] 1=n1 2=new | 4 4"));
}

/// F14.
#[test]
fn a_replaced_row_of_a_set_with_a_query_is_taken_too() {
    let arena = arena("text");
    let replace = "DELETE FROM goods WHERE id = 2; INSERT INTO goods VALUES (2, 'new')";
    let set = || LockSet::new().ids::<Good>([2]).query::<Good>(goods::table.filter(goods::id.gt(3)));
    assert_eq!(answer(&arena, replace, set, goods).as_deref(), Ok("2=new 4=n4 5=n5 | "));
    let set = || LockSet::new().ids::<Good>([2]).query::<Good>(goods::table.order(goods::id.desc()).limit(1));
    assert_eq!(answer(&arena, replace, set, goods).as_deref(), Ok("2=new 5=n5 | "));
}

/// F14.
#[test]
fn a_replaced_row_that_somebody_holds_is_out_of_turn_and_never_missing() {
    let arena = arena("text");
    let play = Play::<Blocking>::new(&arena);
    let (holder, next, last, waiter) =
        (play.session("holder"), play.session("next"), play.session("last"), play.session("waiter"));
    last.run("holds row 3", |s| s.conn().batch_execute("BEGIN; SELECT FROM goods WHERE id = 3 FOR UPDATE").unwrap());
    let replace = "BEGIN; UPDATE goods SET id = 20 WHERE id = 2; UPDATE goods SET id = 2 WHERE id = 5";
    holder.run("replaces row 2 by row 5", move |s| s.conn().batch_execute(replace).unwrap());
    let taking = next.start("takes row 5", |s| {
        s.conn().batch_execute("BEGIN; SELECT FROM goods WHERE name = 'n5' FOR UPDATE").unwrap()
    });
    taking.blocked_by(&holder);
    let asking = waiter.start("asks", |s| {
        s.begin().unwrap();
        let error = LockSet::new().ids::<Good>([2, 3]).allow_missing().lock(s.conn()).map(goods).unwrap_err();
        let goes_on = s.execute("SELECT 1").is_ok();
        s.rollback().unwrap();
        (matches!(error, LockError::LimitedRowsChanged { .. }), error.is_retryable(), goes_on)
    });
    asking.blocked_by(&holder);
    holder.run("commits", |s| s.execute("COMMIT")).unwrap();
    taking.join();
    asking.blocked_by(&last);
    last.run("commits", |s| s.execute("COMMIT")).unwrap();
    assert_eq!(asking.join(), (true, true, true));
}

diesel::define_sql_function! {
    /// Waits as long as somebody holds advisory lock 1.
    fn gate_is_open() -> Bool;
}

/// F18.
#[test]
fn each_limited_query_of_a_set_that_skips_goes_on_to_the_next_row() {
    let arena = arena("text");
    arena.execute(
        "CREATE FUNCTION gate_is_open() RETURNS bool STABLE LANGUAGE plpgsql AS
           $$BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END$$;
         UPDATE goods SET name = CASE id % 2 WHEN 1 THEN 'a' ELSE 'b' END",
    );
    let play = Play::<Blocking>::new(&arena);
    let (gate, worker) = (play.session("gate"), play.session("worker"));
    gate.run("closes the gate", |s| s.execute("SELECT pg_advisory_lock(1)")).unwrap();
    let asking = worker.start("asks", |s| {
        let named = |name: &'static str| goods::table.filter(gate_is_open()).filter(goods::name.eq(name)).limit(1);
        s.begin().unwrap();
        let set =
            LockSet::new().query::<Good>(named("a").order(goods::id)).query::<GoodId>(named("b").order(goods::id));
        let mut locked = set.skip_locked().lock(s.conn()).unwrap();
        s.rollback().unwrap();
        let ids: Vec<_> = locked.take_rows::<GoodId>().iter().map(|good| good.id).collect();
        format!("{ids:?} {}", goods(locked))
    });
    asking.blocked_by(&gate);
    arena.execute("UPDATE goods SET name = 'x' WHERE id IN (1, 2)");
    gate.run("opens the gate", |s| s.execute("SELECT pg_advisory_unlock(1)")).unwrap();
    assert_eq!(asking.join(), "[4] 3=a | ");
}
