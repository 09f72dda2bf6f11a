//! Raw SQL behind which the crate's own clauses would not count is refused before anything is sent; all other goes on working.

use std::time::Duration;

use diesel::{
    dsl::sql,
    mysql::Mysql,
    prelude::*,
    sql_types::{Bool, Integer},
};
use diesel_lockset::{LockDsl, LockError, LockQueryDsl, LockSet, Lockable, PickDsl, RunLockQuery, RunLockSet};

use crate::support::{
    arena::ServerArena,
    driver::{MysqlBlocking, Session},
    models::Account,
    mysql::MysqlFamily,
    schema::accounts,
};

type Arena = ServerArena<MysqlFamily>;
type Verb = (&'static str, fn(&str, &mut MysqlConnection) -> Result<Vec<i32>, LockError>);

fn ids(accounts: &[Account]) -> Vec<i32> {
    accounts.iter().map(|account| account.id).collect()
}

fn set(set: LockSet<'_, Mysql>, conn: &mut MysqlConnection) -> Result<Vec<i32>, LockError> {
    set.lock(conn).map(|locked| ids(locked.rows::<Account>()))
}

/// Each with the fragment as its filter, and as its first verbs those that lock nothing but what matches.
const FILTERED: [Verb; 13] = [
    ("set", |f, c| set(LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>(f))), c)),
    ("set, two conditions", |f, c| {
        let both = accounts::table.filter(accounts::id.gt(0)).filter(sql::<Bool>(f));
        set(LockSet::new().query::<Account>(both), c)
    }),
    ("set, boxed, limited", |f, c| {
        let limited = accounts::table.filter(sql::<Bool>(f)).order(accounts::id).limit(2).into_boxed();
        set(LockSet::new().id::<Account>(1).query::<Account>(limited), c)
    }),
    ("set that does not wait", |f, c| {
        let set = LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>(f))).no_wait();
        set.lock(c).map(|locked| ids(locked.rows::<Account>()))
    }),
    ("pick", |f, c| accounts::table.filter(sql::<Bool>(f)).order(accounts::id).pick(9, c).map(|rows| ids(&rows))),
    ("pick, boxed", |f, c| accounts::table.into_boxed().filter(sql::<Bool>(f)).pick(9, c).map(|rows| ids(&rows))),
    ("claim", |f, c| {
        accounts::table.filter(sql::<Bool>(f)).order(accounts::id).claim(9, accounts::v.eq(7), c).map(|rows| ids(&rows))
    }),
    ("pick with a clause", |f, c| {
        accounts::table.filter(sql::<Bool>(f)).for_share_of(accounts::table).pick(9, c).map(|rows| ids(&rows))
    }),
    ("load", |f, c| accounts::table.filter(sql::<Bool>(f)).for_update_of(accounts::table).load(c).map(|r| ids(&r))),
    ("load, boxed, limited", |f, c| {
        let limited = accounts::table.filter(sql::<Bool>(f)).limit(5).offset(0).into_boxed();
        limited.for_share_of(accounts::table).load(c).map(|rows| ids(&rows))
    }),
    ("load, skipping", |f, c| {
        let skipping = accounts::table.filter(sql::<Bool>(f)).for_update_of(accounts::table).skip_locked();
        skipping.load(c).map(|rows| ids(&rows))
    }),
    ("load without a wait", |f, c| {
        accounts::table.filter(sql::<Bool>(f)).for_update_of(accounts::table).no_wait().load(c).map(|rows| ids(&rows))
    }),
    ("load in time", |f, c| {
        let time = Duration::from_secs(9);
        let timed = accounts::table.filter(sql::<Bool>(f)).into_boxed().for_update_of(accounts::table).timeout(time);
        timed.load(c).map(|rows| ids(&rows))
    }),
];

/// How many of them lock by key.
const BY_KEY: usize = 7;

/// Each with the fragment as its order.
const ORDERED: [Verb; 4] = [
    ("set, limited", |f, c| set(LockSet::new().query::<Account>(accounts::table.order(sql::<Integer>(f)).limit(2)), c)),
    ("pick", |f, c| accounts::table.order(sql::<Integer>(f)).pick(2, c).map(|rows| ids(&rows))),
    ("claim", |f, c| accounts::table.order(sql::<Integer>(f)).claim(2, accounts::v.eq(7), c).map(|rows| ids(&rows))),
    ("load", |f, c| {
        accounts::table.order(sql::<Integer>(f)).limit(2).for_update_of(accounts::table).load(c).map(|rows| ids(&rows))
    }),
];

/// Nothing is sent, nothing is locked or changed, and the transaction goes on.
#[track_caller]
fn are_refused<'f>(verbs: &[Verb], fragments: impl IntoIterator<Item = &'f str>) {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    for fragment in fragments {
        for (verb, run) in verbs {
            let refused = run(fragment, session.conn());
            let sent = sent.take();
            assert!(
                matches!(refused, Err(LockError::Unsupported { .. })) && sent.is_empty(),
                "{verb}, {fragment}: {refused:?}, sent: {sent:?}, held: {:?}",
                arena.held_keys("accounts", "id")
            );
        }
    }
    assert!(arena.held_keys("accounts", "id").is_empty());
    session.lock_by_id::<Account>(1).unwrap();
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 7"), 0);
}

#[track_caller]
fn lock<'f>(verbs: &[Verb], fragments: impl IntoIterator<Item = &'f str>, exactly: bool) {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    for fragment in fragments {
        for (verb, run) in verbs {
            session.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
            let mut rows =
                run(fragment, session.conn()).unwrap_or_else(|error| panic!("{verb}, {fragment}: {error:?}"));
            rows.sort_unstable();
            assert_eq!(rows, [1, 2], "{verb}, {fragment}");
            let held = arena.held_keys("accounts", "id");
            assert!(held.starts_with(&["1".to_owned(), "2".to_owned()]), "{verb}, {fragment}: {held:?}");
            assert!(!exactly || held.len() == 2, "{verb}, {fragment}: {held:?}");
            session.rollback().unwrap();
        }
    }
}

#[test]
fn a_filter_that_swallows_what_stands_behind_it_is_refused() {
    are_refused(
        &FILTERED,
        [
            "id < 3 -- due",
            "id < 3 --",
            "id < 3 # due",
            "id < 3 /* due",
            "id < 3 /*! due",
            "id < 3 /*!80001 or 1 */",
            "id < 3 /*M! or 1 */",
            "owner = 'ada",
            "owner = \"ada",
            "owner = 'ada\\'",
            "owner = 'it\\'s'",
            "id < 3 AND `v",
        ],
    );
}

#[test]
fn a_filter_that_changes_what_the_clauses_mean_is_refused() {
    are_refused(
        &FILTERED,
        [
            "(id < 3",
            "id < 3)",
            "id < 3; DELETE FROM accounts",
            "id = 1 UNION SELECT 2, 'x', 0, 0",
            "id = 1.union select 2, 'x', 0, 0",
            "id < 3 EXCEPT SELECT 2, 'x', 0, 0",
            "id < 3 LIMIT 1",
            "id < 3 INTO @x",
            "id < 3 PROCEDURE ANALYSE()",
            "id < 3 GROUP BY v",
            "id < 3 FOR SHARE",
            "id < 3 lock in share mode /*",
            "id < 3 LOCK IN SHARE MODE",
            "id IN (SELECT x.id FROM accounts x FOR UPDATE)",
        ],
    );
}

/// It would close the `EXISTS` that the crate puts around the filter.
#[test]
fn a_parenthesis_that_a_filter_has_not_opened_is_not_closed_by_it() {
    let closes = "id < 3) OR EXISTS (SELECT 1";
    are_refused(&FILTERED[..1], [closes]);
    are_refused(&FILTERED[2..], [closes]);
}

#[test]
fn an_order_is_looked_at_as_well() {
    are_refused(
        &ORDERED,
        ["id -- oldest", "id # oldest", "id /* oldest", "id LIMIT 1", "id FOR SHARE", "id; SELECT 1", "'"],
    );
    lock(&ORDERED, ["id /* oldest */", "id -- oldest\n", "id # oldest\n"], false);
}

#[test]
fn raw_sql_that_swallows_nothing_goes_on_working() {
    let fragments = [
        "id < 3 /* due */",
        "id < 3 -- due\n",
        "id < 3 # due\n",
        "id < 3 AND owner <> 'it''s -- (' AND owner <> \"/* # \"",
        "id < 3 AND owner NOT LIKE 'x\\_%' ESCAPE '\\\\'",
        "substring(owner FROM 1 FOR 3) <> 'limit' AND accounts.id < 3",
        "`id` < 3 AND 1 --1",
    ];
    lock(&FILTERED[..BY_KEY], fragments, true);
    lock(&FILTERED[BY_KEY..], fragments, false);
}

#[test]
fn the_changes_of_a_claim_are_looked_at_before_its_transaction_begins() {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    let sent = session.overhear();
    let conn = session.conn();
    for fragment in ["1 -- lease", "1 # lease", "1 /* lease", "(1", "1; SELECT 2", "'1", "1 LIMIT 1", "1 /*! + 1 */"] {
        let claimed: Result<Vec<Account>, _> =
            accounts::table.order(accounts::id).claim(1, accounts::v.eq(sql(fragment)), conn);
        assert!(matches!(claimed, Err(LockError::Unsupported { .. })), "{fragment}: {claimed:?}");
    }
    assert_eq!(sent.take(), [""; 0]);
    let taken: Vec<Account> =
        accounts::table.order(accounts::id).claim(1, accounts::v.eq(sql("1 + 1 /* lease */")), session.conn()).unwrap();
    assert_eq!((taken[0].id, taken[0].v), (1, 2));
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v <> 0"), 1);
}

diesel::table! {
    #[sql_name = "it's -- a # `table` (;"]
    hostile (id) {
        id -> Integer,
        #[sql_name = "union ', # /* ; limit"]
        v -> Integer,
    }
}

/// Another column is read along, so that the key does not cover what is read.
#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = hostile)]
struct HostileKey {
    id: i32,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = hostile)]
struct Hostile {
    id: i32,
    #[allow(dead_code, reason = "read by nobody")]
    v: i32,
}

#[test]
fn names_are_names_whatever_is_in_them() {
    let arena = Arena::new();
    let table = "`it's -- a # ``table`` (;`";
    let create =
        format!("CREATE TABLE {table} (id int PRIMARY KEY, `union ', # /* ; limit` int NOT NULL) ENGINE=InnoDB");
    diesel::sql_query(create).execute(&mut arena.connect()).unwrap();
    diesel::sql_query(format!("INSERT INTO {table} VALUES (1, 1), (2, 2)")).execute(&mut arena.connect()).unwrap();
    let mut session = MysqlBlocking::connect(arena.url());
    session.begin().unwrap();
    let conn = session.conn();
    assert_eq!(Hostile::lock_by_id(1, conn).unwrap().id, 1);
    assert_eq!(HostileKey::lock_by_id(1, conn).unwrap().id, 1);
    let two = || hostile::table.filter(hostile::v.eq(2));
    assert_eq!(LockSet::new().query::<Hostile>(two()).lock(conn).unwrap().rows::<Hostile>().len(), 1);
    assert_eq!(LockSet::new().query::<Hostile>(two().limit(1)).lock(conn).unwrap().rows::<Hostile>().len(), 1);
    assert_eq!(two().pick_next::<Hostile>(conn).unwrap().map(|row| row.id), Some(2));
    assert_eq!(two().for_update_of(hostile::table).load::<Hostile>(conn).unwrap().len(), 1);
    assert_eq!(two().claim::<Hostile, _>(1, hostile::v.eq(3), conn).unwrap()[0].v, 3);
    session.commit().unwrap();
}
