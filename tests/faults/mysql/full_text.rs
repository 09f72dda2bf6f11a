//! `MATCH .. AGAINST` in sets, picks and claims.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{Bool, Double, Text},
};
use diesel_lockset::{LockError, LockQueryDsl, LockSet, Lockable, PickDsl, RunLockQuery, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::ServerArena,
        driver::{MysqlBlocking, Session},
        mysql::MysqlFamily,
        server::Server,
    },
};

type Arena = ServerArena<MysqlFamily>;

diesel::table! {
    notes (id) {
        id -> Integer,
        n -> Integer,
        body -> Text,
    }
}

diesel::table! {
    topics (id) {
        id -> Integer,
        note_id -> Integer,
        title -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(notes, topics);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
struct Note {
    id: i32,
    n: i32,
    body: String,
}

const LEVELS: [&str; 2] = ["READ COMMITTED", "REPEATABLE READ"];

const MODES: [&str; 2] =
    ["MATCH(notes.body) AGAINST ('apple' IN BOOLEAN MODE)", "MATCH (body) AGAINST ('apple' IN NATURAL LANGUAGE MODE)"];

/// The notes 1, 3, 4 and 8 are about apples; many others are not.
fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE notes (id int PRIMARY KEY, n int NOT NULL, body text NOT NULL, FULLTEXT (body)) ENGINE=InnoDB; \
         CREATE TABLE topics (id int PRIMARY KEY, note_id int NOT NULL, title text NOT NULL, FULLTEXT (title)) ENGINE=InnoDB; \
         INSERT INTO notes VALUES (1, 9, 'red apple'), (2, 8, 'pear'), (3, 7, 'apple pie'), (4, 6, 'apple tart apple'), \
         (5, 5, 'plum'), (8, 2, 'apple juice'); \
         INSERT INTO topics VALUES (1, 1, 'fruit'), (2, 2, 'fruit'), (3, 3, 'cake')",
    );
    let others: Vec<String> = (20..200).map(|id| format!("({id}, {id}, 'filler {id}')")).collect();
    arena.execute(&format!("INSERT INTO notes VALUES {}", others.join(", ")));
    arena.analyze("notes");
    arena
}

fn ids(notes: &[Note]) -> Vec<i32> {
    notes.iter().map(|note| note.id).collect()
}

fn held(arena: &Arena) -> Vec<i32> {
    let mut held: Vec<i32> = arena.held_keys("notes", "id").iter().map(|id| id.parse().unwrap()).collect();
    held.sort_unstable();
    held
}

/// In each isolation level and mode, `run` returns these rows and locks no others.
#[track_caller]
fn takes(wanted: &[i32], run: impl Fn(&str, &mut MysqlConnection) -> Result<Vec<Note>, LockError>) {
    takes_under(&LEVELS, wanted, run);
}

/// The same under these levels: what is asked anew is believed under READ COMMITTED only.
#[track_caller]
fn takes_under(
    levels: &[&str],
    wanted: &[i32],
    run: impl Fn(&str, &mut MysqlConnection) -> Result<Vec<Note>, LockError>,
) {
    let arena = arena();
    for level in levels {
        for mode in MODES {
            let mut session = MysqlBlocking::connect(arena.url());
            session.execute(&MysqlFamily::isolate(level)).unwrap();
            session.begin().unwrap();
            let notes = run(mode, session.conn()).unwrap_or_else(|error| panic!("{level}, {mode}: {error:?}"));
            assert_eq!(ids(&notes), wanted, "{level}, {mode}");
            let mut sorted = wanted.to_vec();
            sorted.sort_unstable();
            assert_eq!(held(&arena), sorted, "{level}, {mode}");
            session.rollback().unwrap();
        }
    }
}

#[test]
fn a_set_locks_what_a_search_finds() {
    let set = |set: LockSet<'_, _>, conn: &mut MysqlConnection| Ok(set.lock(conn)?.rows::<Note>().to_vec());
    takes(&[1, 3, 4, 8], |mode, conn| set(LockSet::new().query::<Note>(notes::table.filter(sql::<Bool>(mode))), conn));
    takes(&[3, 4], |mode, conn| {
        let some = notes::table.filter(sql::<Bool>(mode)).filter(notes::n.between(6, 7));
        set(LockSet::new().query::<Note>(some.into_boxed()), conn)
    });
    takes(&[1, 2, 4, 8], |mode, conn| {
        let limited = notes::table.filter(sql::<Bool>(mode)).order(notes::n).limit(2);
        set(LockSet::new().ids::<Note>([1, 2]).query::<Note>(limited), conn)
    });
    takes_under(&["READ COMMITTED"], &[3], |mode, conn| {
        let joined = notes::table.inner_join(topics::table.on(topics::note_id.eq(notes::id)));
        set(LockSet::new().query::<Note>(joined.filter(sql::<Bool>(mode)).filter(topics::id.ge(2))), conn)
    });
}

#[test]
fn a_search_in_a_joined_table_chooses_rows() {
    takes_under(&["READ COMMITTED"], &[1, 2], |mode, conn| {
        let fruit = mode.replace("notes.body", "topics.title").replace("body", "title").replace("apple", "fruit");
        let joined = notes::table.inner_join(topics::table.on(topics::note_id.eq(notes::id)));
        let set = LockSet::new().query::<Note>(joined.filter(sql::<Bool>(&fruit)));
        Ok(set.lock(conn)?.rows::<Note>().to_vec())
    });
}

#[test]
fn an_order_by_relevance_chooses_the_rows_of_a_limit() {
    let by_relevance = |mode: &str| notes::table.order(sql::<Double>(mode).desc()).limit(1);
    takes(&[4], |mode, conn| Ok(LockSet::new().query::<Note>(by_relevance(mode)).lock(conn)?.rows::<Note>().to_vec()));
    takes(&[4], |mode, conn| notes::table.filter(sql::<Bool>(mode)).order(sql::<Double>(mode).desc()).pick(1, conn));
}

#[test]
fn a_pick_and_a_claim_take_what_a_search_finds() {
    takes(&[8, 4, 3], |mode, conn| notes::table.filter(sql::<Bool>(mode)).order(notes::n).pick(3, conn));
    takes(&[1], |mode, conn| notes::table.filter(sql::<Bool>(mode)).order(notes::id).into_boxed().pick(1, conn));
    takes(&[8, 4], |mode, conn| {
        notes::table.filter(sql::<Bool>(mode)).order(notes::n).claim(2, notes::n.eq(notes::n + 100), conn)
    });
}

#[test]
fn a_search_for_a_value_that_is_bound_works_too() {
    let arena = arena();
    let mut session = MysqlBlocking::connect(arena.url());
    session.begin().unwrap();
    let search = || sql::<Bool>("MATCH (body) AGAINST (").bind::<Text, _>("pie").sql(" IN BOOLEAN MODE)");
    let set = LockSet::new().query::<Note>(notes::table.filter(search()).filter(notes::n.lt(50)));
    assert_eq!(ids(set.lock(session.conn()).unwrap().rows::<Note>()), [3]);
    let picked: Vec<Note> = notes::table.filter(search()).pick(9, session.conn()).unwrap();
    assert_eq!(ids(&picked), [3]);
    let loaded: Vec<Note> = notes::table.filter(search()).for_update_of(notes::table).load(session.conn()).unwrap();
    assert_eq!(ids(&loaded), [3]);
}

/// What the set waits for is looked at again: by its other conditions, and by what the full-text index says then.
#[test]
fn a_row_that_leaves_the_search_while_it_is_waited_for_does_not_come() {
    for level in LEVELS {
        for change in ["n = 100", "body = 'cherry'"] {
            for mode in MODES {
                let arena = arena();
                let play = Play::<MysqlBlocking>::new(&arena);
                let (holder, waiter) = (play.session("holder"), play.session("waiter"));
                holder.run("begins", |s| s.begin()).unwrap();
                holder.run("changes", move |s| s.execute(&format!("UPDATE notes SET {change} WHERE id = 3"))).unwrap();
                waiter.run("begins", move |s| s.execute(&MysqlFamily::isolate(level)).and_then(|_| s.begin())).unwrap();
                let got = waiter.start("locks", move |s| {
                    let search = notes::table.filter(sql::<Bool>(mode)).filter(notes::n.lt(50));
                    s.lock_set(LockSet::new().query::<Note>(search)).map(|locked| ids(locked.rows::<Note>()))
                });
                got.blocked_by(&holder);
                holder.run("commits", |s| s.commit()).unwrap();
                let got = got.join();
                if level == "REPEATABLE READ" && arena.fails_on_stale_rows() {
                    assert!(matches!(got, Err(LockError::Serialization { .. })), "{change}, {mode}: {got:?}");
                } else {
                    assert_eq!(got.unwrap(), [1, 4, 8], "{level}, {change}, {mode}");
                }
            }
        }
    }
}
