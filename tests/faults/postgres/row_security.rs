//! Row-level security: what a role may read and not lock is not held by anybody, and no verb says that it is.

use std::time::Duration;

use diesel::{prelude::*, sql_query};
use diesel_lockset::{error::LockObstacle, *};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Seat, Tag},
        schema::{accounts, seats},
    },
};

/// A role that every server has and that may do nothing: so none is left behind.
const ROLE: &str = "pg_signal_backend";

/// `ROLE` sees all rows of `accounts` and may change those with an odd number.
fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "DELETE FROM accounts; INSERT INTO accounts (id, owner, balance, v) SELECT i, 'Ada', 10, 0 FROM generate_series(1, 6) AS i;
         GRANT SELECT, UPDATE ON accounts TO {ROLE}; ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
         CREATE POLICY sees ON accounts FOR SELECT TO {ROLE} USING (true);
         CREATE POLICY changes ON accounts FOR UPDATE TO {ROLE} USING (id % 2 = 1)"
    ));
    arena
}

fn worker(arena: &Arena) -> Blocking {
    let mut session = Blocking::connect(arena.url());
    become_worker(&mut session);
    session
}

fn become_worker(session: &mut Blocking) {
    session.execute(&format!("SET ROLE {ROLE}")).unwrap();
}

#[track_caller]
fn refused(error: &LockError, keys: &[&str]) {
    let LockError::NotLockable { table, rows, reason, source } = error else { panic!("{error:?}") };
    assert_eq!(table, "\"accounts\"");
    assert_eq!(rows.iter().map(|row| row.key().to_string().replace('"', "")).collect::<Vec<_>>(), keys);
    assert_eq!(reason, &LockObstacle::RowSecurity { policies: Some("changes".to_owned()) });
    assert!(source.is_none() && !error.is_retryable() && !error.is_contended() && !error.transaction_is_lost());
}

fn ids(locked: &Locked) -> Vec<i32> {
    locked.rows::<Account>().iter().map(|row| row.id).collect()
}

#[test]
fn what_a_role_may_read_and_not_lock_is_named_as_such_by_every_set() {
    let arena = arena();
    let mut session = worker(&arena);
    type Set = fn() -> LockSet<'static, diesel::pg::Pg>;
    let sets: [(&str, Set, &[&str]); 6] = [
        ("a key", || LockSet::new().id::<Account>(2), &["2"]),
        ("keys", || LockSet::new().ids::<Account>([1, 2, 3, 4]), &["2", "4"]),
        ("allow_missing", || LockSet::new().ids::<Account>([1, 2, 77]).allow_missing(), &["2"]),
        ("holders", || LockSet::new().ids::<Account>([1, 2]).name_holders(), &["2"]),
        (
            "mixed",
            || LockSet::new().id::<Account>(2).query::<Account>(accounts::table.filter(accounts::id.eq(1))),
            &["2"],
        ),
        ("limited", || LockSet::new().query::<Account>(accounts::table.order(accounts::id).limit(4)), &["2", "4"]),
    ];
    for (what, set, keys) in sets {
        session.begin().unwrap();
        refused(&session.lock_set(set()).expect_err(what), keys);
        refused(&session.lock_set(set().no_wait()).expect_err(what), keys);
        if what != "limited" {
            refused(&session.lock_set(set().skip_locked()).expect_err(what), keys);
        }
        refused(&session.lock_set(set().timeout(Duration::from_secs(5))).expect_err(what), keys);
        refused(&session.lock_set(set().for_share()).expect_err(what), keys);
        assert_eq!(session.number("SELECT 1"), Ok(1), "{what}: the transaction goes on");
        session.rollback().unwrap();
    }
    session.begin().unwrap();
    refused(&session.lock_by_id::<Account>(2).unwrap_err(), &["2"]);
    let row = Account { id: 4, owner: String::new(), balance: 0, v: 0 };
    refused(&session.lock(&row).unwrap_err(), &["4"]);
    refused(&session.no_wait(&row).unwrap_err(), &["4"]);
    refused(&session.skip_locked(&row).unwrap_err(), &["4"]);
    refused(&session.with_lock(&row, |_, _| Ok::<_, LockError>(())).unwrap_err(), &["4"]);
    // A query that does not wait counts what it chose.
    let all = LockSet::new().query::<Account>(accounts::table).no_wait();
    refused(&session.lock_set(all).unwrap_err(), &["2", "4", "6"]);
    // What is not there is missing.
    assert!(matches!(session.lock_by_id::<Account>(77), Err(LockError::Missing { .. })));
    assert_eq!(session.lock_by_id::<Account>(1).unwrap().id, 1);
}

#[test]
fn a_transaction_with_a_limited_query_over_rows_that_cannot_be_locked_is_not_run_again() {
    let arena = arena();
    let mut session = worker(&arena);
    let mut tries = 0;
    let error = LockTransaction::new().retries(5).run(session.conn(), |conn| {
        tries += 1;
        LockSet::new().query::<Account>(accounts::table.order(accounts::id).limit(4)).lock(conn).map(drop)
    });
    refused(&error.unwrap_err(), &["2", "4"]);
    assert_eq!(tries, 1);
}

/// A set that locks by one plain query, a pick, a claim and a locking clause see what PostgreSQL's own clause sees: the rows that
/// the policies for `UPDATE` show.
#[test]
fn queries_and_picks_choose_among_the_rows_that_the_policies_show_to_a_lock() {
    let arena = arena();
    let mut session = worker(&arena);
    session.begin().unwrap();
    let set = session.lock_set(LockSet::new().query::<Account>(accounts::table)).unwrap();
    assert_eq!(ids(&set), [1, 3, 5]);
    let clause: Vec<Account> = accounts::table.for_update_of(accounts::table).load(session.conn()).unwrap();
    assert_eq!(clause.len(), 3);
    let picked: Vec<Account> = accounts::table.order(accounts::id).pick(6, session.conn()).unwrap();
    assert_eq!(picked.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 3, 5]);
    let even = || accounts::table.filter(accounts::id.eq_any([2, 4]));
    assert_eq!(even().pick_next::<Account>(session.conn()).unwrap(), None);
    assert_eq!(even().claim::<Account, _>(1, accounts::v.eq(1), session.conn()).unwrap(), []);
    let claimed: Vec<Account> =
        accounts::table.order(accounts::id).claim(6, accounts::v.eq(1), session.conn()).unwrap();
    assert_eq!(claimed.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 3, 5]);
}

#[test]
fn a_clause_that_does_not_wait_tells_what_cannot_be_locked_from_what_is_held() {
    let arena = arena();
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    locker.run("becomes the worker", become_worker);
    locker.run("begins", |c| c.begin()).unwrap();
    let all = |c: &mut Blocking| accounts::table.for_update_of(accounts::table).no_wait().load::<Account>(c.conn());
    refused(&locker.run("locks all", all).unwrap_err(), &["2", "4", "6"]);
    let odd = |c: &mut Blocking| {
        let odd = accounts::table.filter(accounts::id.eq_any([1, 3]));
        odd.for_update_of(accounts::table).no_wait().load::<Account>(c.conn())
    };
    assert_eq!(locker.run("locks 1 and 3", odd).unwrap().len(), 2);
    locker.run("rolls back", |c| c.rollback()).unwrap();
    holder.run("begins", |c| c.begin()).unwrap();
    holder.run("locks 3", |c| c.execute("SELECT FROM accounts WHERE id = 3 FOR UPDATE")).unwrap();
    locker.run("begins", |c| c.begin()).unwrap();
    let error = locker.run("locks 1 and 3", odd).unwrap_err();
    let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_row_that_is_really_held_is_contended_or_skipped_under_row_security_too() {
    let arena = arena();
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    for hold in [
        "SELECT FROM accounts WHERE id = 3 FOR UPDATE",
        "UPDATE accounts SET v = 1 WHERE id = 3",
        "DELETE FROM accounts WHERE id = 3",
    ] {
        holder.run("begins", |c| c.begin()).unwrap();
        holder.run(hold, move |c| c.execute(hold)).unwrap();
        locker.run("becomes the worker", become_worker);
        locker.run("begins", |c| c.begin()).unwrap();
        let error = locker.run("no_wait", |c| c.lock_set(LockSet::new().ids::<Account>([1, 3]).no_wait())).unwrap_err();
        let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
        assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Account 3"]);
        let locked =
            locker.run("skip_locked", |c| c.lock_set(LockSet::new().ids::<Account>([1, 3]).skip_locked())).unwrap();
        assert_eq!((ids(&locked), locked.skipped()[0].to_string()), (vec![1], "Account 3".to_owned()));
        let first = || LockSet::new().query::<Account>(accounts::table.filter(accounts::id.eq_any([1, 3])).limit(2));
        let error = locker.run("a limited query", move |c| c.lock_set(first().no_wait())).unwrap_err();
        assert!(matches!(error, LockError::Contended { .. }), "{error:?}");
        // Of one that is held and one that cannot be locked, the second is what no waiting helps against.
        let error = locker.run("both", |c| c.lock_set(LockSet::new().ids::<Account>([2, 3]).no_wait())).unwrap_err();
        refused(&error, &["2"]);
        locker.run("rolls back", |c| c.rollback()).unwrap();
        holder.run("rolls back", |c| c.rollback()).unwrap();
    }
}

/// A row that leaves the policy while the set waits for it.
#[test]
fn a_row_that_leaves_the_policy_during_the_wait_cannot_be_locked() {
    let arena = arena();
    arena.execute("DROP POLICY changes ON accounts; CREATE POLICY changes ON accounts FOR UPDATE USING (v = 0)");
    let play = Play::<Blocking>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    holder.run("begins", |c| c.begin()).unwrap();
    holder.run("changes 3", |c| c.execute("UPDATE accounts SET v = 1 WHERE id = 3")).unwrap();
    locker.run("becomes the worker", become_worker);
    locker.run("begins", |c| c.begin()).unwrap();
    let waiting = locker.start("locks 3", |c| c.lock_by_id::<Account>(3));
    waiting.blocked_by(&holder);
    holder.run("commits", |c| c.commit()).unwrap();
    refused(&waiting.join().unwrap_err(), &["3"]);
}

#[test]
fn who_is_above_the_policies_locks_all_rows() {
    let arena = arena();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(ids(&session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap()), [1, 2]);
    session.rollback().unwrap();
    // The owner is, unless the table says that nobody is.
    arena.execute(&format!("GRANT CREATE ON SCHEMA public TO {ROLE}; ALTER TABLE accounts OWNER TO {ROLE}"));
    let mut session = worker(&arena);
    session.begin().unwrap();
    assert_eq!(ids(&session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap()), [1, 2]);
    session.rollback().unwrap();
    arena.execute("ALTER TABLE accounts FORCE ROW LEVEL SECURITY");
    session.begin().unwrap();
    refused(&session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap_err(), &["2"]);
    session.rollback().unwrap();
    // A role that asks not to be filtered is told by the server.
    session.execute("SET row_security = off").unwrap();
    session.begin().unwrap();
    let error = session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap_err();
    assert!(matches!(error, LockError::Query(_)), "{error:?}");
    session.rollback().unwrap();
}

#[test]
fn the_policies_that_apply_are_named_and_without_any_there_are_none() {
    let arena = arena();
    arena.execute("DROP POLICY changes ON accounts; CREATE POLICY \"of others\" ON accounts FOR UPDATE TO pg_monitor USING (true)");
    let mut session = worker(&arena);
    session.begin().unwrap();
    let error = session.lock_by_id::<Account>(1).unwrap_err();
    let LockError::NotLockable { reason: LockObstacle::RowSecurity { policies: None }, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(error.to_string().starts_with("Account 1 cannot be locked: row-level security"), "{error}");
    session.rollback().unwrap();
    arena.execute(
        "DROP POLICY sees ON accounts; CREATE POLICY \"Odd\" ON accounts USING (id % 2 = 1); CREATE POLICY more ON accounts FOR SELECT USING (true)",
    );
    session.begin().unwrap();
    let error = session.lock_by_id::<Account>(2).unwrap_err();
    let LockError::NotLockable { reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, &LockObstacle::RowSecurity { policies: Some("\"Odd\"".to_owned()) });
    session.rollback().unwrap();
    // A catalog that is closed to the role costs the names, and nothing else.
    arena.execute("REVOKE SELECT ON pg_catalog.pg_policy FROM public");
    session.begin().unwrap();
    let error = session.lock_by_id::<Account>(2).unwrap_err();
    let LockError::NotLockable { reason: LockObstacle::RowSecurity { policies: None }, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(session.number("SELECT 1"), Ok(1));
}

/// Texts, composite keys, partitions: whatever the keys are like.
#[test]
fn rows_with_keys_of_every_kind_are_told_apart() {
    let arena = Arena::new();
    arena.execute(&format!(
        "GRANT SELECT, UPDATE ON tags, seats TO {ROLE}; ALTER TABLE tags ENABLE ROW LEVEL SECURITY; ALTER TABLE seats ENABLE ROW LEVEL SECURITY;
         CREATE POLICY sees ON tags FOR SELECT USING (true); CREATE POLICY sees ON seats FOR SELECT USING (true);
         CREATE POLICY changes ON seats FOR UPDATE USING (false)"
    ));
    let tag: String = sql_query_text(&arena, "SELECT min(name) FROM tags");
    let mut session = worker(&arena);
    session.begin().unwrap();
    for outcome in [
        session.lock_by_id::<Tag>(&*tag).map(drop),
        session.lock_set(LockSet::new().id::<Tag>(&*tag).no_wait()).map(drop),
        session.lock_set(LockSet::new().id::<Tag>(&*tag).skip_locked()).map(drop),
    ] {
        assert!(matches!(outcome, Err(LockError::NotLockable { .. })), "{outcome:?}");
    }
    let seat: Seat = seats::table.order((seats::section, seats::number)).first(session.conn()).unwrap();
    for outcome in [
        session.lock(&seat).map(drop),
        session.no_wait(&seat).map(drop),
        session.skip_locked(&seat).map(drop),
        seats::table.for_update_of(seats::table).no_wait().load::<Seat>(session.conn()).map(drop),
    ] {
        assert!(matches!(outcome, Err(LockError::NotLockable { .. })), "{outcome:?}");
    }
}

fn sql_query_text(arena: &Arena, query: &str) -> String {
    #[derive(QueryableByName)]
    struct One {
        #[diesel(sql_type = diesel::sql_types::Text)]
        one: String,
    }
    sql_query(format!("SELECT ({query}) AS one")).get_result::<One>(&mut arena.connect()).unwrap().one
}

#[test]
fn a_policy_that_looks_at_the_session_is_asked_as_the_session_is_now() {
    let arena = arena();
    arena.execute(
        "DROP POLICY changes ON accounts;
         CREATE POLICY changes ON accounts FOR UPDATE USING (id = current_setting('app.mine', true)::int)",
    );
    let mut session = worker(&arena);
    session.begin().unwrap();
    for (mine, other) in [(1, "2"), (2, "1")] {
        session.execute(&format!("SET LOCAL app.mine = {mine}")).unwrap();
        let error = session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap_err();
        refused(&error, &[other]);
        refused(&session.lock_set(LockSet::new().ids::<Account>([1, 2]).no_wait()).unwrap_err(), &[other]);
    }
}

#[test]
fn a_role_that_may_only_read_is_told_so_by_every_verb() {
    let arena = Arena::new();
    arena.execute(&format!("GRANT SELECT ON accounts TO {ROLE}"));
    let mut session = worker(&arena);
    type Verb = fn(&mut PgConnection) -> Result<(), LockError>;
    let verbs: [Verb; 5] = [
        |conn| Account::lock_by_id(1, conn).map(drop),
        |conn| LockSet::new().for_key_share().query::<Account>(accounts::table.limit(1)).lock(conn).map(drop),
        |conn| accounts::table.pick_next::<Account>(conn).map(drop),
        |conn| accounts::table.claim::<Account, _>(1, accounts::v.eq(1), conn).map(drop),
        |conn| accounts::table.for_share_of(accounts::table).no_wait().load::<Account>(conn).map(drop),
    ];
    for verb in verbs {
        session.begin().unwrap();
        let error = verb(session.conn()).unwrap_err();
        let LockError::NotLockable { table, reason: LockObstacle::Privilege, .. } = &error else { panic!("{error:?}") };
        assert_eq!(table, "\"accounts\"");
        assert!(error.transaction_is_lost());
        session.rollback().unwrap();
    }
    // One column is enough.
    arena.execute(&format!("GRANT UPDATE (v) ON accounts TO {ROLE}"));
    session.begin().unwrap();
    session.lock_by_id::<Account>(1).unwrap();
    // A joined table that the role may not read is another matter.
    let joined = accounts::table.filter(accounts::id.eq_any(seats::table.select(seats::number)));
    let error = session.lock_set(LockSet::new().query::<Account>(joined)).unwrap_err();
    assert!(matches!(error, LockError::Query(_)), "{error:?}");
}
