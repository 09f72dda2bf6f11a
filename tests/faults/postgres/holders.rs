//! Naming the holders is a courtesy: it cannot abort the transaction, outlast the timeout or meet the user's own names.

use std::time::{Duration, Instant};

use diesel::{
    connection::{InstrumentationEvent, SimpleConnection as _},
    dsl::sql,
    prelude::*,
    sql_types::Bool,
};
use diesel_lockset::{AdvisoryLock, LockError, LockSet, RunAdvisoryLock, RunLockSet, error::Holder};

use crate::{
    isolation::{Actor, Play},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        postgres::Postgres,
        schema::accounts,
        server::Server as _,
    },
};

mod session {
    diesel::table! {
        session (id) { id -> Integer, v -> Integer, }
    }
    #[derive(Debug, diesel::Queryable, diesel::Selectable, diesel::Identifiable, diesel_lockset::Lockable)]
    #[diesel(table_name = session)]
    pub(super) struct Row {
        pub(super) id: i32,
    }
}

/// Names that the question has for itself, has had, or might have.
const NAMES: [&str; 18] = [
    "marked",
    "holder",
    "activity",
    "held",
    "asked",
    "listed",
    "among",
    "wanted",
    "locked",
    "seen",
    "lockset_session",
    "lockset_session_1",
    "lockset_marked",
    "lockset_activity",
    "lockset_held",
    "lockset_wanted",
    "lockset_holder",
    "pg_locks",
];

const SHORT: Duration = Duration::from_millis(100);
/// The question's own time, and what a busy machine may add.
const MORE: Duration = Duration::from_millis(250 + 5_000);

fn gives_up(s: &mut Blocking, set: LockSet<'_, diesel::pg::Pg>, timeout: Option<Duration>) -> LockError {
    match timeout {
        Some(timeout) => s.lock_set(set.timeout(timeout)).unwrap_err(),
        None => s.lock_set(set.no_wait()).unwrap_err(),
    }
}

fn holders(error: &LockError) -> Vec<i32> {
    let holders = match error {
        LockError::Contended { holders, .. } => holders,
        LockError::TimedOut { attempt: Some(attempt), .. } => attempt.holders(),
        error => panic!("{error:?}"),
    };
    holders.iter().map(Holder::session).collect()
}

fn begun(play: &Play<Blocking>, name: &str, statement: &'static str) -> Actor<Blocking> {
    let actor = play.session(name);
    actor
        .run("begins", move |s| {
            s.begin()?;
            s.execute(statement)
        })
        .unwrap();
    actor
}

/// It takes statements, its settings are as they were, and what it does is committed.
fn goes_on(s: &mut Blocking, limit: &str) {
    let setting = format!("SELECT count(*) FROM pg_settings WHERE name = 'statement_timeout' AND setting = '{limit}'");
    assert_eq!(s.number(&setting), Ok(1), "statement_timeout is {limit}");
    s.execute("UPDATE accounts SET v = v + 1 WHERE id = 5").unwrap();
    s.commit().unwrap();
}

#[test]
fn a_table_may_have_any_name() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = begun(&play, "holder", "UPDATE accounts SET v = 7 WHERE id = 1");
    for name in ["session"].into_iter().chain(NAMES) {
        arena.execute(&format!(
            "CREATE TABLE public.{name} (id int PRIMARY KEY, v int NOT NULL); INSERT INTO public.{name} VALUES (1, 1), (2, 2)"
        ));
        for timeout in [None, Some(SHORT)] {
            let mut s = Blocking::connect(arena.url());
            s.execute("SET search_path = public, pg_catalog").unwrap();
            s.begin().unwrap();
            let other =
                accounts::table.filter(sql::<Bool>(&format!("(accounts.id IN (SELECT {name}.id FROM {name}))")));
            let error = gives_up(&mut s, LockSet::new().query::<Account>(other).name_holders(), timeout);
            assert!(error.is_contended() && !error.transaction_is_lost(), "{name}: {error:?}");
            assert_eq!(holders(&error), [holder.pid()], "{name}: {error:?}");
            goes_on(&mut s, "0");
        }
        if name != "session" {
            arena.execute(&format!("DROP TABLE public.{name}"));
        }
    }
    // The table itself.
    let other = begun(&play, "other", "UPDATE session SET v = 7 WHERE id = 1");
    for timeout in [None, Some(SHORT)] {
        let mut s = Blocking::connect(arena.url());
        s.begin().unwrap();
        let error = gives_up(&mut s, LockSet::new().id::<session::Row>(1).name_holders(), timeout);
        assert_eq!(holders(&error), [other.pid()], "{error:?}");
        goes_on(&mut s, "0");
    }
}

#[test]
fn whoever_may_not_be_told_gets_the_error_all_the_same() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    arena.execute("GRANT ALL ON accounts TO pg_signal_backend");
    let _holder = begun(&play, "holder", "UPDATE accounts SET v = 7 WHERE id = 1");
    let advisory = play.session("advisory");
    advisory.run("locks a name", |s| {
        s.begin().unwrap();
        AdvisoryLock::named("n").acquire_for_transaction(s.conn()).unwrap();
    });
    for view in ["pg_catalog.pg_locks", "pg_catalog.pg_stat_activity"] {
        arena.execute(&format!("REVOKE SELECT ON {view} FROM PUBLIC"));
        for timeout in [None, Some(SHORT)] {
            for set in [
                || LockSet::new().id::<Account>(1).name_holders(),
                || LockSet::new().query::<Account>(accounts::table.filter(accounts::id.lt(3))).name_holders(),
                || LockSet::new().advisory(AdvisoryLock::named("n")).name_holders(),
            ] {
                let mut s = Blocking::connect(arena.url());
                s.execute("SET ROLE pg_signal_backend").unwrap();
                s.execute("SET statement_timeout = 60000").unwrap();
                s.begin().unwrap();
                let error = gives_up(&mut s, set(), timeout);
                assert!(error.is_contended() && !error.transaction_is_lost(), "{view}: {error:?}");
                assert_eq!(holders(&error), [0; 0]);
                goes_on(&mut s, "60000");
            }
        }
        arena.execute(&format!("GRANT SELECT ON {view} TO PUBLIC"));
    }
}

#[test]
fn a_table_that_is_locked_as_a_whole_does_not_make_the_question_wait() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let owner = begun(&play, "owner", "LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    // By the call's own time, and by the server's.
    for own in [true, false] {
        let patient = begun(&play, &format!("patient, own time: {own}"), "SELECT 1");
        let waiting = patient.start("locks", move |s| {
            let began = Instant::now();
            let set = LockSet::new().id::<Account>(1).name_holders();
            let error = if own {
                s.lock_set(set.timeout(Duration::from_millis(300))).unwrap_err()
            } else {
                s.execute("SET LOCAL lock_timeout = 300").unwrap();
                s.lock_set(set).unwrap_err()
            };
            (error, began.elapsed())
        });
        waiting.blocked_by(&owner);
        let (error, took) = waiting.join();
        assert!(matches!(&error, LockError::TimedOut { .. }) && !error.transaction_is_lost(), "{error:?}");
        assert!(took < Duration::from_millis(300) + MORE, "{took:?}");
        patient
            .run("goes on", |s| s.execute("UPDATE orders SET total = 1 WHERE id = 1").and_then(|_| s.commit()))
            .unwrap();
    }
    owner.run("commits", |s| s.commit()).unwrap();
}

/// Functions and operators of the user's that are found before the server's own.
#[test]
fn what_the_user_calls_as_the_server_does_is_not_called() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let fails = |signature: &str, result: &str| {
        format!(
            "CREATE FUNCTION mine.{signature} RETURNS {result} LANGUAGE plpgsql AS 'BEGIN RAISE ''called: {}''; END'; ",
            signature.replace('\'', "")
        )
    };
    let mut script = "CREATE SCHEMA mine; ".to_owned();
    for (signature, result) in [
        ("pg_stat_clear_snapshot()", "void"),
        ("pg_backend_pid()", "int"),
        ("statement_timestamp()", "timestamptz"),
        ("current_database()", "name"),
        ("to_regclass(text)", "regclass"),
        ("set_config(text, text, boolean)", "text"),
        ("current_setting(text)", "text"),
    ] {
        script += &fails(signature, result);
    }
    for (name, left, operator, right) in [
        ("x", "xid", "=", "xid"),
        ("o", "oid", "=", "oid"),
        ("n", "name", "=", "name"),
        ("t", "text", "=", "text"),
        ("ne", "text", "<>", "text"),
        ("ni", "int", "<>", "int"),
        ("s", "smallint", "=", "int"),
        ("b", "bigint", "=", "bigint"),
        ("sh", "bigint", "<<", "int"),
        ("or", "bigint", "|", "bigint"),
    ] {
        script += &fails(
            &format!("{name}({left}, {right})"),
            if matches!(operator, "<<" | "|") { "bigint" } else { "boolean" },
        );
        script += &format!(
            "CREATE OPERATOR mine.{operator} (FUNCTION = mine.{name}, LEFTARG = {left}, RIGHTARG = {right}); "
        );
    }
    script += &fails("minus(timestamptz, timestamptz)", "interval");
    script += "CREATE OPERATOR mine.- (FUNCTION = mine.minus, LEFTARG = timestamptz, RIGHTARG = timestamptz); ";
    // As would a type of that name.
    script += "CREATE DOMAIN mine.float8 AS double precision CHECK (VALUE < -1); CREATE TABLE mine.pg_locks (); CREATE TABLE mine.pg_stat_activity ()";
    arena.execute(&script);
    let holder = begun(&play, "holder", "UPDATE accounts SET v = 7 WHERE id = 1");
    holder.run("locks a name", |s| AdvisoryLock::named("n").acquire_for_transaction(s.conn())).unwrap();
    for timeout in [None, Some(SHORT)] {
        for set in [
            || LockSet::new().id::<Account>(1).name_holders(),
            || LockSet::new().advisory(AdvisoryLock::named("n")).name_holders(),
        ] {
            let mut s = Blocking::connect(arena.url());
            s.execute("SET search_path = mine, pg_catalog, public").unwrap();
            s.begin().unwrap();
            let error = gives_up(&mut s, set(), timeout);
            assert_eq!(holders(&error), [holder.pid()], "{error:?}");
            s.commit().unwrap();
        }
    }
}

#[test]
fn whoever_holds_an_advisory_lock_is_asked_without_waiting_or_aborting() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = play.session("holder");
    holder.run("locks", |s| std::mem::forget(AdvisoryLock::named("n").acquire(s.conn()).unwrap()));
    let mut s = Blocking::connect(arena.url());
    assert_eq!(AdvisoryLock::named("n").holders(s.conn()).unwrap().len(), 1);
    arena.execute("REVOKE SELECT ON pg_catalog.pg_locks FROM PUBLIC");
    s.execute("SET ROLE pg_signal_backend").unwrap();
    s.begin().unwrap();
    // Here the question is the call, and its error is the answer; the transaction goes on.
    AdvisoryLock::named("n").holders(s.conn()).unwrap_err();
    assert_eq!(s.number("SELECT 1"), Ok(1));
    s.commit().unwrap();
}

/// The sessions that are named, and whether they are certain.
fn named(error: &LockError) -> Vec<(i32, bool)> {
    let LockError::Contended { holders, .. } = error else { panic!("{error:?}") };
    holders.iter().map(|holder| (holder.session(), holder.is_certain())).collect()
}

fn tries(conn: &mut PgConnection, ids: &[i32]) -> LockError {
    conn.transaction(|conn| {
        let set = LockSet::new().ids::<Account>(ids.iter().copied()).no_wait().name_holders();
        Ok::<_, LockError>(set.lock(conn).unwrap_err())
    })
    .unwrap()
}

/// A session that holds nothing but this row.
fn bystander(arena: &Arena, id: i32) -> (PgConnection, i32) {
    let mut conn = arena.pg();
    conn.batch_execute(&format!("BEGIN; SELECT FROM accounts WHERE id = {id} FOR UPDATE")).unwrap();
    let number = Postgres::session_number(&mut conn);
    (conn, number)
}

/// It has no session that could be named.
#[test]
fn nobody_is_certain_where_a_prepared_transaction_may_be_the_holder() {
    let arena = Arena::new();
    if arena.number("SELECT setting::bigint FROM pg_settings WHERE name = 'max_prepared_transactions'") == 0 {
        eprintln!("skipped: max_prepared_transactions is 0");
        return;
    }
    let gid = arena.name();
    arena.execute(&format!("BEGIN; UPDATE accounts SET v = 7 WHERE id = 1; PREPARE TRANSACTION '{gid}'"));
    let (_other, number) = bystander(&arena, 2);
    let named = named(&tries(&mut arena.pg(), &[1]));
    arena.execute(&format!("ROLLBACK PREPARED '{gid}'"));
    assert_eq!(named, [(number, false)]);
}

#[test]
fn nobody_is_certain_when_the_holder_has_ended_before_it_is_asked_for() {
    let arena = Arena::new();
    for end in ["COMMIT", "ROLLBACK"] {
        let (mut holder, _) = bystander(&arena, 1);
        let (_other, number) = bystander(&arena, 2);
        let mut conn = arena.pg();
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                if query.to_string().contains("pg_stat_activity") {
                    holder.batch_execute(end).unwrap();
                }
            }
        });
        // The other row is the call's own by then.
        let named = named(&tries(&mut conn, &[1, 5]));
        assert!(named.is_empty() || named == [(number, false)], "{end}: {named:?}");
    }
}

/// The call waits for the table, behind one that waits for whoever has locked another row.
#[test]
fn who_locked_another_row_is_not_certain_where_the_table_is_waited_for() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let other = begun(&play, "other", "SELECT FROM accounts WHERE id = 2 FOR UPDATE");
    let alters = play.session("alters");
    let altering = alters.start("alters", |s| s.execute("ALTER TABLE accounts ADD COLUMN note text"));
    altering.blocked_by(&other);
    let mut s = Blocking::connect(arena.url());
    s.begin().unwrap();
    let error = gives_up(&mut s, LockSet::new().id::<Account>(1).name_holders(), Some(SHORT));
    let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    assert!(attempt.holders().iter().all(|holder| !holder.is_certain()), "{error:?}");
    s.rollback().unwrap();
    other.run("commits", |s| s.commit()).unwrap();
    altering.join().unwrap();
}

/// Whoever locks a row by the name of its part has no lock on the whole table.
#[test]
fn who_locked_a_part_of_the_table_is_named_too() {
    let arena = Arena::new();
    for script in [
        "ALTER TABLE accounts RENAME TO accounts_of_old; \
         CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL, v int NOT NULL) PARTITION BY RANGE (id); \
         CREATE TABLE part PARTITION OF accounts FOR VALUES FROM (0) TO (2); CREATE TABLE rest PARTITION OF accounts DEFAULT; \
         INSERT INTO accounts VALUES (1, 'a', 1, 1), (2, 'b', 1, 1)",
        "DROP TABLE accounts; CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL, v int NOT NULL); \
         CREATE TABLE part () INHERITS (accounts); INSERT INTO part VALUES (1, 'a', 1, 1); INSERT INTO accounts VALUES (2, 'b', 1, 1)",
    ] {
        arena.execute(script);
        let mut holder = arena.pg();
        let number = Postgres::session_number(&mut holder);
        // The number of a savepoint that was released tells nobody.
        holder.batch_execute("BEGIN; SAVEPOINT s; SELECT FROM part FOR UPDATE; RELEASE s").unwrap();
        assert_eq!(named(&tries(&mut arena.pg(), &[1])), [(number, true)], "{script}");
        let (_other, bystander) = bystander(&arena, 2);
        let mut all = [(number, false), (bystander, false)];
        all.sort_unstable();
        assert_eq!(named(&tries(&mut arena.pg(), &[1])), all, "{script}");
    }
}
