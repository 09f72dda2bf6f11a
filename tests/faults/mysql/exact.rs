//! What the conditions of a query read beside the row itself is as it is when the row is locked: under READ COMMITTED.

use diesel::{
    MysqlConnection,
    dsl::{exists, not, sql},
    mysql::Mysql,
    prelude::*,
    sql_types::{Bool, Integer},
};
use diesel_lockset::{LockError, LockSet, Lockable, PickDsl, RunLockSet};

use super::{Arena, Driver};
use crate::{isolation::Play, support::driver::Session};

diesel::table! {
    works (id) {
        id -> Integer,
        status -> Text,
    }
}

diesel::table! {
    taken (work_id) {
        work_id -> Integer,
    }
}

diesel::table! {
    beside (work_id) {
        work_id -> Integer,
    }
}

diesel::allow_tables_to_appear_in_same_query!(works, taken, beside);

diesel::define_sql_function! {
    /// Whether nobody has taken it.
    fn work_is_new(id: Integer) -> Bool;
}

diesel::define_sql_function! {
    /// One of another database, with the name of a function of the server's.
    #[sql_name = "lockset_elsewhere.lower"]
    fn lower_of_elsewhere(id: Integer) -> Bool;
}

diesel::define_sql_function! {
    /// Waits as long as somebody holds the name of the gate.
    fn passes_the_gate() -> Bool;
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = works)]
struct Work {
    id: i32,
    status: String,
}

fn new() -> works::BoxedQuery<'static, Mysql> {
    works::table.filter(works::status.eq("new")).order(works::id).into_boxed()
}

fn by_subquery() -> works::BoxedQuery<'static, Mysql> {
    new().filter(not(exists(taken::table.filter(taken::work_id.eq(works::id)))))
}

fn by_another_row() -> works::BoxedQuery<'static, Mysql> {
    let mates = diesel::alias!(works as mates);
    new().filter(exists(mates.filter(mates.field(works::id).eq(works::id + 10))))
}

fn by_rows_of_the_own_table() -> works::BoxedQuery<'static, Mysql> {
    let mates = diesel::alias!(works as mates);
    new().filter(works::id.eq_any(mates.select(mates.field(works::id) - 10)))
}

fn by_function() -> works::BoxedQuery<'static, Mysql> {
    new().filter(work_is_new(works::id))
}

fn by_function_in_a_calculation() -> works::BoxedQuery<'static, Mysql> {
    new().filter(works::id.gt(0).and(works::status.eq("old").or(work_is_new(works::id + 0).eq(true))))
}

fn by_function_of_another_database() -> works::BoxedQuery<'static, Mysql> {
    new().filter(lower_of_elsewhere(works::id))
}

#[diesel::dsl::auto_type]
fn by_raw_sql() -> _ {
    let is_new: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("status = 'old' OR work_is_new(works.id)");
    works::table.filter(is_new).order(works::id)
}

#[diesel::dsl::auto_type]
fn by_join() -> _ {
    let status: &'static str = "new";
    works::table
        .inner_join(beside::table.on(beside::work_id.eq(works::id)))
        .filter(works::status.eq(status))
        .order(works::id)
}

#[diesel::dsl::auto_type]
fn by_distinct_rows() -> _ {
    let status: &'static str = "new";
    works::table
        .inner_join(beside::table.on(beside::work_id.eq(works::id)))
        .filter(works::status.eq(status))
        .select(works::id)
        .distinct()
        .order(works::id)
}

/// The third of these works is the mate of the second.
fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE works (id int PRIMARY KEY, status varchar(9) NOT NULL) ENGINE = InnoDB; \
         CREATE TABLE taken (work_id int PRIMARY KEY) ENGINE = InnoDB; \
         CREATE TABLE beside (work_id int PRIMARY KEY) ENGINE = InnoDB; \
         INSERT INTO works VALUES (1, 'new'), (2, 'new'), (3, 'new'), (11, 'mate'), (12, 'mate'), (13, 'mate'); \
         INSERT INTO beside VALUES (1), (2), (3); \
         CREATE FUNCTION work_is_new(work int) RETURNS bool READS SQL DATA \
           RETURN work < 10 AND NOT EXISTS (SELECT 1 FROM taken WHERE work_id = work); \
         CREATE FUNCTION passes_the_gate() RETURNS bool READS SQL DATA \
           RETURN IF(GET_LOCK(LEFT(SHA2(DATABASE(), 256), 40), 30), RELEASE_LOCK(LEFT(SHA2(DATABASE(), 256), 40)), 0)",
    );
    arena
}

/// By each way, work 2 is not chosen any more.
const CHANGES: [&str; 3] =
    ["INSERT INTO taken VALUES (2)", "DELETE FROM works WHERE id = 12", "DELETE FROM beside WHERE work_id = 2"];

const LEVEL: &str = "ISOLATION LEVEL READ COMMITTED";

type Ask = fn(&mut MysqlConnection) -> Result<Vec<Work>, LockError>;

macro_rules! sets {
    ($($query:ident),*) => {
        [$(
            (concat!("set, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query()).lock(conn)?.take_rows())
            }),
            (concat!("limited set, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query().limit(2)).lock(conn)?.take_rows())
            }),
            (concat!("set beside a key, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query()).id::<Work>(1).lock(conn)?.take_rows())
            }),
        )*]
    };
}

/// F1, F2, F4.
#[test]
fn a_set_asks_again_what_its_query_reads_beside_the_row() {
    let ways: [(&str, Ask); 24] = sets!(
        by_subquery,
        by_another_row,
        by_rows_of_the_own_table,
        by_function,
        by_function_in_a_calculation,
        by_raw_sql,
        by_join,
        by_distinct_rows
    );
    for (way, ask) in ways {
        let arena = arena();
        let play = Play::<Driver>::new(&arena);
        let (holder, asker) = (play.session("holder"), play.session(way));
        holder
            .run("holds 2", |s| s.begin().and_then(|()| s.execute("SELECT 1 FROM works WHERE id = 2 FOR UPDATE")))
            .unwrap();
        let asking = asker.start(way, move |s| {
            s.begin_as(LEVEL).unwrap();
            let rows = ask(s.conn()).map(|rows| rows.into_iter().map(|work| work.id).collect::<Vec<_>>());
            s.rollback().unwrap();
            rows.map_err(|error| error.to_string())
        });
        asking.blocked_by(&holder);
        for change in CHANGES {
            holder.run(change, move |s| s.execute(change)).unwrap();
        }
        holder.run("commits", |s| s.commit()).unwrap();
        assert_eq!(asking.join(), Ok(vec![1, 3]), "{way}");
    }
}

macro_rules! picks {
    ($($query:ident),*) => {
        [$(
            (concat!("pick, ", stringify!($query)), |conn| $query().filter(passes_the_gate()).pick(3, conn)),
            (concat!("claim, ", stringify!($query)), |conn| {
                $query().filter(passes_the_gate()).claim(3, works::status.eq("new"), conn)
            }),
        )*]
    };
}

/// F1, F2, F4.
#[test]
fn a_pick_and_a_claim_ask_again_what_their_query_reads_beside_the_row() {
    let ways: [(&str, Ask); 14] = picks!(
        by_subquery,
        by_another_row,
        by_rows_of_the_own_table,
        by_function,
        by_function_in_a_calculation,
        by_raw_sql,
        by_join
    );
    for (way, ask) in ways {
        let arena = arena();
        let play = Play::<Driver>::new(&arena);
        let (gate, worker) = (play.session("gate"), play.session(way));
        gate.run("closes the gate", |s| s.execute("SELECT GET_LOCK(LEFT(SHA2(DATABASE(), 256), 40), 1)")).unwrap();
        let asking = worker.start(way, move |s| {
            s.begin_as(LEVEL).unwrap();
            let rows = ask(s.conn()).map(|rows| rows.into_iter().map(|work| work.id).collect::<Vec<_>>());
            s.rollback().unwrap();
            rows.map_err(|error| error.to_string())
        });
        asking.blocked_by(&gate);
        CHANGES.iter().for_each(|change| arena.execute(change));
        gate.run("opens the gate", |s| s.execute("SELECT RELEASE_LOCK(LEFT(SHA2(DATABASE(), 256), 40))")).unwrap();
        assert_eq!(asking.join(), Ok(vec![1, 3]), "{way}");
    }
}

/// Every job is handed out once, however many workers there are.
///
/// F1, F2, F4.
#[test]
fn no_job_is_handed_out_twice() {
    type Next = fn(&mut MysqlConnection) -> Result<Vec<Work>, LockError>;
    let ways: [(&str, Next); 4] = [
        ("pick, by_subquery", |conn| by_subquery().pick(1, conn)),
        ("claim, by_function", |conn| by_function().claim(1, works::status.eq("new"), conn)),
        ("claim, by_rows_of_the_own_table", |conn| {
            let mates = diesel::alias!(works as mates);
            let open = mates.filter(mates.field(works::status).eq("new")).select(mates.field(works::id));
            works::table.filter(works::id.eq_any(open)).claim(1, works::status.eq("done"), conn)
        }),
        ("pick, by_join", |conn| by_join().order(works::id.desc()).pick(1, conn)),
    ];
    for (way, next) in ways {
        let arena = arena();
        let jobs: Vec<String> = (100..200).map(|id| format!("({id}, 'new')")).collect();
        arena.execute(&format!("INSERT INTO works VALUES {}", jobs.join(", ")));
        arena.execute(
            "CREATE TABLE handed_out (work_id int NOT NULL) ENGINE = InnoDB; \
             INSERT INTO beside SELECT id FROM works WHERE id >= 100; \
             DROP FUNCTION work_is_new; CREATE FUNCTION work_is_new(work int) RETURNS bool READS SQL DATA \
             RETURN NOT EXISTS (SELECT 1 FROM taken WHERE work_id = work)",
        );
        let workers: Vec<_> = (0..5)
            .map(|_| {
                let url = arena.url().to_owned();
                std::thread::spawn(move || {
                    let mut session = Driver::connect(&url);
                    loop {
                        session.begin_as(LEVEL).unwrap();
                        let works = match next(session.conn()) {
                            Ok(works) => works,
                            Err(error) if error.is_retryable() => {
                                session.rollback().unwrap();
                                continue;
                            }
                            Err(error) => panic!("{way}: {error}"),
                        };
                        let Some(work) = works.first() else { return session.rollback().unwrap() };
                        for change in ["INSERT INTO handed_out VALUES", "INSERT IGNORE INTO taken VALUES"] {
                            session.execute(&format!("{change} ({})", work.id)).unwrap();
                        }
                        session.execute(&format!("DELETE FROM beside WHERE work_id = {}", work.id)).unwrap();
                        session.commit().unwrap();
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        let twice =
            "SELECT COUNT(*) FROM (SELECT work_id FROM handed_out GROUP BY work_id HAVING COUNT(*) > 1) AS twice";
        assert_eq!(arena.number(twice), 0, "{way}");
        assert!(arena.number("SELECT COUNT(*) FROM handed_out") >= 100, "{way}");
    }
}

/// F4.
#[test]
fn a_function_of_another_database_is_asked_again_whatever_its_name() {
    let arena = arena();
    arena.execute(
        "CREATE DATABASE IF NOT EXISTS lockset_elsewhere; \
         CREATE TABLE IF NOT EXISTS lockset_elsewhere.taken (work_id int PRIMARY KEY) ENGINE = InnoDB; \
         DELETE FROM lockset_elsewhere.taken; DROP FUNCTION IF EXISTS lockset_elsewhere.lower; \
         CREATE FUNCTION lockset_elsewhere.lower(work int) RETURNS bool READS SQL DATA \
         RETURN NOT EXISTS (SELECT 1 FROM lockset_elsewhere.taken WHERE work_id = work)",
    );
    let play = Play::<Driver>::new(&arena);
    let (holder, asker) = (play.session("holder"), play.session("asker"));
    holder
        .run("holds 2", |s| s.begin().and_then(|()| s.execute("SELECT 1 FROM works WHERE id = 2 FOR UPDATE")))
        .unwrap();
    let asking = asker.start("asks", |s| {
        s.begin_as(LEVEL).unwrap();
        let set = LockSet::new().query::<Work>(by_function_of_another_database());
        s.lock_set(set).map(|mut locked| locked.take_rows::<Work>().len()).map_err(|error| error.to_string())
    });
    asking.blocked_by(&holder);
    holder.run("takes 2", |s| s.execute("INSERT INTO lockset_elsewhere.taken VALUES (2)")).unwrap();
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(asking.join(), Ok(2));
}

/// F11.
#[test]
fn what_is_asked_again_locks_no_more() {
    let arena = arena();
    let mut session = Driver::connect(arena.url());
    let mut holder = Driver::connect(arena.url());
    holder.begin().unwrap();
    holder.execute("SELECT 1 FROM works WHERE id = 3 FOR UPDATE").unwrap();
    let asks: [Ask; 4] = [
        |conn| Ok(LockSet::new().query::<Work>(by_another_row().filter(works::id.le(2))).lock(conn)?.take_rows()),
        |conn| Ok(LockSet::new().query::<Work>(by_join().filter(works::id.le(2))).no_wait().lock(conn)?.take_rows()),
        |conn| {
            Ok(LockSet::new().query::<Work>(by_rows_of_the_own_table().limit(2)).skip_locked().lock(conn)?.take_rows())
        },
        |conn| by_another_row().pick(2, conn),
    ];
    for ask in asks {
        session.begin_as(LEVEL).unwrap();
        assert_eq!(ask(session.conn()).unwrap().len(), 2);
        let mut held = arena.held_keys("works", "id");
        held.sort();
        assert_eq!(held, ["1", "2", "3"]);
        session.rollback().unwrap();
    }
}

/// F15.
#[test]
fn a_key_that_another_model_locks_later_counts_for_all_that_asked_for_it() {
    #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
    #[diesel(table_name = works)]
    struct WorkId {
        id: i32,
    }
    let arena = arena();
    let play = Play::<Driver>::new(&arena);
    let (holder, asker) = (play.session("holder"), play.session("asker"));
    holder
        .run("holds 3", |s| s.begin().and_then(|()| s.execute("SELECT 1 FROM works WHERE id = 3 FOR UPDATE")))
        .unwrap();
    arena.execute("DELETE FROM works WHERE id = 2");
    let asking = asker.start("asks", |s| {
        s.begin_as(LEVEL).unwrap();
        let first = works::table.filter(works::status.eq("new")).order(works::id).limit(2);
        let set = LockSet::new().ids::<WorkId>([2, 3]).query::<Work>(first).allow_missing();
        let mut locked = s.lock_set(set).map_err(|error| error.to_string())?;
        let works: Vec<i32> = locked.take_rows::<Work>().iter().map(|work| work.id).collect();
        let ids: Vec<i32> = locked.take_rows::<WorkId>().iter().map(|work| work.id).collect();
        Ok::<_, String>((ids, works, locked.missing().len()))
    });
    asking.blocked_by(&holder);
    holder.run("inserts 2", |s| s.execute("INSERT INTO works VALUES (2, 'new')")).unwrap();
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(asking.join(), Ok((vec![2, 3], vec![1, 2], 0)));
}
