//! What the conditions of a query read beside the row itself is as it is when the row is locked, not as it was when the statement began.

use diesel::{
    PgConnection,
    dsl::{exists, not, sql},
    pg::Pg,
    prelude::*,
    sql_types::{Bool, Integer},
};
use diesel_lockset::{LockError, LockSet, Lockable, PickDsl, RunLockSet};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

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
    /// The same, by its whole name.
    #[sql_name = "public.work_is_new"]
    fn work_is_new_in_public(id: Integer) -> Bool;
}

diesel::define_sql_function! {
    /// Waits as long as somebody holds advisory lock 1.
    fn passes_the_gate() -> Bool;
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = works)]
struct Work {
    id: i32,
    status: String,
}

diesel::postfix_operator!(IsNewAsCast, "::verdict = 'new'", Bool, backend: Pg);
diesel::infix_operator!(IsNewBeside, " ==> ", Bool, backend: Pg);

fn new() -> works::BoxedQuery<'static, Pg> {
    works::table.filter(works::status.eq("new")).order(works::id).into_boxed()
}

#[diesel::dsl::auto_type]
fn by_function() -> _ {
    let status: &'static str = "new";
    works::table.filter(works::status.eq(status)).filter(work_is_new(works::id)).order(works::id)
}

fn by_function_in_its_schema() -> works::BoxedQuery<'static, Pg> {
    new().filter(work_is_new_in_public(works::id))
}

fn by_function_in_a_calculation() -> works::BoxedQuery<'static, Pg> {
    new().filter(works::id.gt(0).and(works::status.eq("old").or(work_is_new(works::id + 0).eq(true))))
}

fn by_operator() -> works::BoxedQuery<'static, Pg> {
    new().filter(IsNewBeside::new(works::id, works::id))
}

fn by_cast() -> works::BoxedQuery<'static, Pg> {
    new().filter(IsNewAsCast::new(works::id))
}

#[diesel::dsl::auto_type]
fn by_raw_sql_in_a_join() -> _ {
    let is_new: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("beside.work_id = works.id AND lower(works.id)");
    works::table.inner_join(beside::table.on(is_new)).order(works::id)
}

fn by_another_row() -> works::BoxedQuery<'static, Pg> {
    let mates = diesel::alias!(works as mates);
    let mate = mates.filter(mates.field(works::id).eq(works::id + 10));
    new().filter(passes_the_gate()).filter(exists(mate))
}

#[diesel::dsl::auto_type]
fn by_raw_sql() -> _ {
    let is_new: diesel::expression::SqlLiteral<Bool> = sql::<Bool>("status = 'new' AND work_is_new(works.id)");
    works::table.filter(is_new).order(works::id)
}

#[diesel::dsl::auto_type]
fn by_subquery() -> _ {
    let status: &'static str = "new";
    works::table
        .filter(works::status.eq(status))
        .filter(passes_the_gate())
        .filter(not(exists(taken::table.filter(taken::work_id.eq(works::id)))))
        .order(works::id)
}

type Ask = fn(&mut PgConnection) -> Result<Vec<Work>, LockError>;

macro_rules! by_every_verb {
    ($($query:ident),*) => {
        [$(
            (concat!("set, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query()).lock(conn)?.take_rows())
            }),
            (concat!("limited set, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query().limit(3)).lock(conn)?.take_rows())
            }),
            (concat!("set that skips, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query()).skip_locked().lock(conn)?.take_rows())
            }),
            (concat!("set that does not wait, ", stringify!($query)), |conn| {
                Ok(LockSet::new().query::<Work>($query()).no_wait().lock(conn)?.take_rows())
            }),
            (concat!("pick, ", stringify!($query)), |conn| $query().pick(3, conn)),
            (concat!("claim, ", stringify!($query)), |conn| $query().claim(3, works::status.eq("new"), conn)),
        )*]
    };
}

#[test]
fn what_a_function_or_a_subquery_reads_is_read_again_under_the_lock() {
    let ways: [(&str, Ask); 54] = by_every_verb!(
        by_function,
        by_function_in_its_schema,
        by_function_in_a_calculation,
        by_operator,
        by_cast,
        by_raw_sql,
        by_raw_sql_in_a_join,
        by_subquery,
        by_another_row
    );
    for (way, ask) in ways {
        let arena = Arena::new();
        arena.execute(
            "CREATE TABLE works (id int PRIMARY KEY, status text NOT NULL); CREATE TABLE taken (work_id int PRIMARY KEY);
             INSERT INTO works SELECT i, 'new' FROM generate_series(1, 3) AS i;
             INSERT INTO works SELECT i, 'mate' FROM generate_series(11, 13) AS i;
             CREATE FUNCTION passes_the_gate() RETURNS bool STABLE LANGUAGE plpgsql AS
               $$BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END$$;
             CREATE FUNCTION work_is_new(work int) RETURNS bool STABLE LANGUAGE plpgsql AS
               $$BEGIN PERFORM pg_advisory_xact_lock_shared(1);
                 RETURN NOT EXISTS (SELECT FROM taken WHERE work_id = work); END$$;
             CREATE FUNCTION work_is_new(work int, beside int) RETURNS bool STABLE LANGUAGE sql AS
               $$SELECT work_is_new(work)$$;
             CREATE FUNCTION lower(work int) RETURNS bool STABLE LANGUAGE sql AS $$SELECT work_is_new(work)$$;
             CREATE TABLE beside (work_id int PRIMARY KEY); INSERT INTO beside VALUES (1), (2), (3);
             CREATE TYPE verdict AS ENUM ('new', 'taken');
             CREATE FUNCTION to_verdict(work int) RETURNS verdict STABLE LANGUAGE sql AS
               $$SELECT CASE WHEN work > 10 THEN 'taken' WHEN work_is_new(work) THEN 'new' ELSE 'taken' END::verdict$$;
             CREATE CAST (int AS verdict) WITH FUNCTION to_verdict(int);
             CREATE OPERATOR ==> (LEFTARG = int, RIGHTARG = int, FUNCTION = work_is_new);",
        );
        let play = Play::<Blocking>::new(&arena);
        let (gate, worker) = (play.session("gate"), play.session(way));
        gate.run("closes the gate", |s| s.execute("SELECT pg_advisory_lock(1)")).unwrap();
        let asking = worker.start(way, move |s| {
            s.begin().unwrap();
            let rows = ask(s.conn()).map(|rows| rows.into_iter().map(|work| work.id).collect::<Vec<_>>());
            s.rollback().unwrap();
            rows.map_err(|error| error.to_string())
        });
        asking.blocked_by(&gate);
        arena.execute("INSERT INTO taken VALUES (2); DELETE FROM works WHERE id = 12");
        gate.run("opens the gate", |s| s.execute("SELECT pg_advisory_unlock(1)")).unwrap();
        assert_eq!(asking.join(), Ok(vec![1, 3]), "{way}");
    }
}
