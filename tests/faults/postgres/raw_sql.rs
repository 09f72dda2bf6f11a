//! Raw SQL behind which the crate's own clauses would not count is refused before anything is sent; all other goes on working.

use std::time::Duration;

use diesel::{
    dsl::sql,
    expression::{SqlLiteral, ValidGrouping},
    pg::Pg,
    prelude::*,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::{Bool, Integer},
};
use diesel_lockset::{LockDsl, LockError, LockQueryDsl, LockSet, Lockable, PickDsl, RunLockQuery, RunLockSet};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Account,
    schema::{accounts, children, parents},
};

type Verb = (&'static str, fn(&str, &mut PgConnection) -> Result<Vec<i32>, LockError>);

fn ids(accounts: &[Account]) -> Vec<i32> {
    accounts.iter().map(|account| account.id).collect()
}

fn set(set: LockSet<'_, Pg>, conn: &mut PgConnection) -> Result<Vec<i32>, LockError> {
    set.lock(conn).map(|locked| ids(locked.rows::<Account>()))
}

/// Each with the fragment as its filter.
const FILTERED: [Verb; 17] = [
    ("set", |f, c| set(LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>(f))), c)),
    ("set, two conditions", |f, c| {
        let both = accounts::table.filter(accounts::id.gt(0)).filter(sql::<Bool>(f));
        set(LockSet::new().query::<Account>(both), c)
    }),
    ("set, boxed", |f, c| set(LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>(f)).into_boxed()), c)),
    ("set, limited", |f, c| {
        let limited = accounts::table.filter(sql::<Bool>(f)).order(accounts::id).limit(2);
        set(LockSet::new().id::<Account>(1).query::<Account>(limited), c)
    }),
    ("set that does not wait", |f, c| {
        let set = LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>(f))).no_wait();
        set.lock(c).map(|locked| ids(locked.rows::<Account>()))
    }),
    ("set with names of holders", |f, c| {
        set(LockSet::new().name_holders().query::<Account>(accounts::table.filter(sql::<Bool>(f))), c)
    }),
    ("pick", |f, c| accounts::table.filter(sql::<Bool>(f)).order(accounts::id).pick(9, c).map(|rows| ids(&rows))),
    ("pick, boxed", |f, c| accounts::table.into_boxed().filter(sql::<Bool>(f)).pick(9, c).map(|rows| ids(&rows))),
    ("pick with a clause", |f, c| {
        accounts::table.filter(sql::<Bool>(f)).for_no_key_update_of(accounts::table).pick(9, c).map(|rows| ids(&rows))
    }),
    ("claim", |f, c| {
        accounts::table.filter(sql::<Bool>(f)).order(accounts::id).claim(9, accounts::v.eq(7), c).map(|rows| ids(&rows))
    }),
    ("claim with a clause", |f, c| {
        let locked = accounts::table.filter(sql::<Bool>(f)).order(accounts::id).for_no_key_update_of(accounts::table);
        locked.claim(9, accounts::v.eq(7), c).map(|rows| ids(&rows))
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
    ("get_results", |f, c| {
        accounts::table.filter(sql::<Bool>(f)).for_key_share_of(accounts::table).get_results(c).map(|rows| ids(&rows))
    }),
];

/// Each with the fragment as its order.
const ORDERED: [Verb; 6] = [
    ("set, limited", |f, c| set(LockSet::new().query::<Account>(accounts::table.order(sql::<Integer>(f)).limit(2)), c)),
    ("set", |f, c| set(LockSet::new().query::<Account>(accounts::table.order(sql::<Integer>(f)).into_boxed()), c)),
    ("pick", |f, c| accounts::table.order(sql::<Integer>(f)).pick(2, c).map(|rows| ids(&rows))),
    ("claim", |f, c| accounts::table.order(sql::<Integer>(f)).claim(2, accounts::v.eq(7), c).map(|rows| ids(&rows))),
    ("load", |f, c| {
        accounts::table.order(sql::<Integer>(f)).limit(2).for_update_of(accounts::table).load(c).map(|rows| ids(&rows))
    }),
    ("load without a wait", |f, c| {
        let limited = accounts::table.into_boxed().order(sql::<Integer>(f)).limit(2);
        limited.for_update_of(accounts::table).no_wait().load(c).map(|rows| ids(&rows))
    }),
];

/// Nothing is sent, nothing is locked or changed, and the transaction goes on.
#[track_caller]
fn are_refused<'f>(verbs: &[Verb], fragments: impl IntoIterator<Item = &'f str>) {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
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
fn lock<'f>(verbs: &[Verb], fragments: impl IntoIterator<Item = &'f str>, wanted: &[i32]) {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    for fragment in fragments {
        for (verb, run) in verbs {
            session.begin().unwrap();
            let mut rows =
                run(fragment, session.conn()).unwrap_or_else(|error| panic!("{verb}, {fragment}: {error:?}"));
            rows.sort_unstable();
            assert_eq!(rows, wanted, "{verb}, {fragment}");
            let held: Vec<String> = wanted.iter().map(i32::to_string).collect();
            assert_eq!(arena.held_keys("accounts", "id"), held, "{verb}, {fragment}");
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
            "id < 3 /* due",
            "id < 3 /* a /* b */",
            "owner = 'ada",
            "owner = E'ada\\'",
            "owner = 'ada\\'",
            "owner LIKE 'a' ESCAPE '\\'",
            "owner = $$ada",
            "owner = $x$ada$$",
            "id < 3 AND \"v",
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
            "id < 3;",
            "id = 1 UNION SELECT * FROM accounts",
            "id=1.union select * from accounts",
            "id < 3 INTERSECT SELECT * FROM accounts",
            "id < 3 EXCEPT ALL SELECT * FROM accounts",
            "id < 3 LIMIT 1",
            "id < 3 OFFSET 1",
            "id < 3 FETCH FIRST ROW ONLY",
            "id < 3 GROUP BY id",
            "id < 3 HAVING true",
            "id < 3 FOR SHARE",
            "id < 3 FOR NO KEY UPDATE OF accounts SKIP LOCKED",
            "id < 3 for/**/key share",
            "id < 3 FOR READ ONLY",
            "id IN (SELECT id FROM accounts FOR UPDATE)",
        ],
    );
}

#[test]
fn an_order_is_looked_at_as_well() {
    let fragments = ["id -- oldest", "id /* oldest", "id LIMIT 1", "id FOR SHARE", "id) FROM (", "id; SELECT 1", "'"];
    are_refused(&ORDERED, fragments);
    lock(&ORDERED[..1], ["id /* oldest */", "id -- oldest\n", "id, (SELECT max(v) FROM accounts LIMIT 1)"], &[1, 2]);
    lock(&ORDERED[2..], ["id /* oldest */", "id -- oldest\n", "id, (SELECT max(v) FROM accounts LIMIT 1)"], &[1, 2]);
}

#[test]
fn raw_sql_that_swallows_nothing_goes_on_working() {
    lock(
        &FILTERED,
        [
            "id < 3 /* due */",
            "id < 3 -- due\n",
            "id < 3 /* outer /* inner; */ union ' */",
            "id < 3 AND owner <> 'it''s -- ('",
            "id < 3 AND owner <> E'it\\'s /*'",
            "id < 3 AND owner <> $q$ union ; limit ' -- $q$",
            "id IN (SELECT a.id FROM accounts a WHERE a.id < 3 UNION SELECT 1 ORDER BY 1 LIMIT 2)",
            "substring(owner FROM 1 FOR 3) <> 'limit' AND accounts.id < 3",
            "owner IS DISTINCT FROM 'union' AND \"id\" < 3",
        ],
        &[1, 2],
    );
}

/// Where one piece ends and the next begins is not in the text: what counts is that the clause is closed as a whole. What is
/// locked is what comes back.
#[test]
fn a_piece_that_regroups_the_conditions_of_its_own_query_locks_what_it_returns() {
    let regroups = "id < 3) OR (id = 3";
    are_refused(&FILTERED[..1], [regroups]);
    lock(&FILTERED[1..2], [regroups], &[1, 2, 3]);
}

#[test]
fn the_changes_of_a_claim_are_looked_at_before_its_transaction_begins() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    for fragment in
        ["1 -- lease", "1 /* lease", "(1", "1 FROM (SELECT 1) x) UNION (SELECT 1", "1; SELECT 2", "'1", "$$"]
    {
        let first = || accounts::table.order(accounts::id);
        let claimed: Result<Vec<Account>, _> = first().claim(1, accounts::v.eq(sql(fragment)), &mut conn);
        assert!(matches!(claimed, Err(LockError::Unsupported { .. })), "{fragment}: {claimed:?}");
    }
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v <> 0"), 0);
    let taken: Vec<Account> =
        accounts::table.order(accounts::id).claim(1, accounts::v.eq(sql("1 + 1 /* lease */")), &mut conn).unwrap();
    assert_eq!((taken[0].id, taken[0].v), (1, 2));
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v <> 0"), 1);
}

/// A node of the user's own that does not tell Diesel that its text is not determined by its type.
#[derive(Debug, Clone, Copy, QueryId, ValidGrouping)]
struct Comment;

impl Expression for Comment {
    type SqlType = Bool;
}

impl<QS> SelectableExpression<QS> for Comment {}
impl<QS> AppearsOnTable<QS> for Comment {}

impl QueryFragment<Pg> for Comment {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("true -- all");
        Ok(())
    }
}

mod odd {
    diesel::define_sql_function! {
        #[sql_name = "/* abs"]
        fn open_comment(x: diesel::sql_types::Integer) -> diesel::sql_types::Bool;
    }
    diesel::infix_operator!(UnionAll, " UNION ALL ", diesel::sql_types::Bool);
    diesel::postfix_operator!(Shared, " FOR SHARE", diesel::sql_types::Bool);
}

#[test]
fn text_that_a_type_determines_is_looked_at_as_well() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    macro_rules! refused {
        ($($filter:expr),+ $(,)?) => {$(
            for _ in 0..2 {
                let results: [Result<Vec<Account>, LockError>; 4] = [
                    accounts::table.filter($filter).pick(1, session.conn()),
                    accounts::table.filter($filter).claim(1, accounts::v.eq(7), session.conn()),
                    accounts::table.filter($filter).for_update_of(accounts::table).load(session.conn()),
                    LockSet::new().query::<Account>(accounts::table.filter($filter)).lock(session.conn()).map(|_| vec![]),
                ];
                for result in results {
                    assert!(matches!(result, Err(LockError::Unsupported { .. })), "{}: {result:?}", stringify!($filter));
                }
            }
        )+};
    }
    refused!(
        Comment,
        odd::open_comment(accounts::id),
        odd::UnionAll::new(accounts::id.eq(1), accounts::id.eq(2)),
        odd::Shared::new(accounts::id.eq(1)),
        accounts::id.eq_any(parents::table.select(parents::id).for_update()),
    );
    assert_eq!(sent.take(), [""; 0]);
}

#[test]
fn joins_and_select_lists_are_looked_at_as_well() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let conn = session.conn();
    let joined = |on: &str| parents::table.inner_join(children::table.on(sql::<Bool>(on))).select(parents::id);
    for on in ["parents.id = parent_id -- x", "parents.id = parent_id) UNION (SELECT 1", "true /*"] {
        let results: [Result<Vec<i32>, LockError>; 2] = [
            joined(on).for_update_of(parents::table).load(conn),
            joined(on).for_update_of(parents::table).pick(1, conn),
        ];
        for result in results {
            assert!(matches!(result, Err(LockError::Unsupported { .. })), "{on}: {result:?}");
        }
    }
    for list in ["id -- x", "id INTO t", "id FROM accounts UNION SELECT 1", "(id", "'"] {
        let selected = || accounts::table.select(sql::<Integer>(list));
        let results: [Result<Vec<i32>, LockError>; 3] = [
            selected().for_update_of(accounts::table).load(conn),
            selected().into_boxed().for_update_of(accounts::table).skip_locked().load(conn),
            selected().for_update_of(accounts::table).pick(1, conn),
        ];
        for result in results {
            assert!(matches!(result, Err(LockError::Unsupported { .. })), "{list}: {result:?}");
        }
        // Folded: distinct queries keep their select list.
        let distinct = LockSet::new().query::<Account>(selected().distinct()).lock(conn).map(|_| ());
        assert!(matches!(distinct, Err(LockError::Unsupported { .. })), "{list}: {distinct:?}");
    }
    assert_eq!(sent.take(), [""; 0]);
    // A set writes its own.
    let own =
        LockSet::new().query::<Account>(accounts::table.select(sql::<Integer>("id -- x")).filter(accounts::id.eq(1)));
    assert_eq!(ids(own.lock(session.conn()).unwrap().rows::<Account>()), [1]);
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
#[allow(dead_code, reason = "read by nobody")]
struct OpenAccount {
    id: i32,
    #[diesel(select_expression = sql::<Bool>("v > 0 -- positive"), select_expression_type = SqlLiteral<Bool>)]
    positive: bool,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
#[allow(dead_code, reason = "read by nobody")]
struct ClosedAccount {
    id: i32,
    #[diesel(select_expression = sql::<Bool>("v > 0 /* positive */"), select_expression_type = SqlLiteral<Bool>)]
    positive: bool,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
#[allow(dead_code, reason = "read by nobody")]
struct CommentedAccount {
    id: i32,
    #[diesel(select_expression = Comment, select_expression_type = Comment)]
    positive: bool,
}

#[test]
fn the_columns_of_a_model_are_looked_at_as_well() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    macro_rules! runs {
        ($model:ty) => {
            [
                <$model>::lock_by_id(1, session.conn()).map(drop),
                LockSet::new().id::<Account>(1).id::<$model>(1).lock(session.conn()).map(drop),
                LockSet::new().query::<$model>(accounts::table).lock(session.conn()).map(drop),
                accounts::table.pick_next::<$model>(session.conn()).map(drop),
                accounts::table.claim::<$model, _>(1, accounts::v.eq(7), session.conn()).map(drop),
                <$model>::lock_by_id(1, session.conn()).and_then(|row| row.no_wait().lock(session.conn())).map(drop),
            ]
        };
    }
    for (i, result) in runs!(OpenAccount).into_iter().chain(runs!(CommentedAccount)).enumerate() {
        assert!(matches!(result, Err(LockError::Unsupported { .. })), "{i}: {result:?}");
    }
    assert_eq!(sent.take(), [""; 0]);
    for result in runs!(ClosedAccount) {
        result.unwrap();
    }
}

diesel::table! {
    #[sql_name = "it's -- a /* \"table\" (;"]
    hostile (id) {
        id -> Integer,
        #[sql_name = "union ' -- /* ; limit"]
        v -> Integer,
    }
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
    let table = r#""it's -- a /* ""table"" (;""#;
    arena.execute(&format!(
        "CREATE TABLE {table} (id int PRIMARY KEY, \"union ' -- /* ; limit\" int NOT NULL); INSERT INTO {table} VALUES (1, 1), (2, 2)"
    ));
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let conn = session.conn();
    assert_eq!(Hostile::lock_by_id(1, conn).unwrap().id, 1);
    let two = || hostile::table.filter(hostile::v.eq(2));
    assert_eq!(LockSet::new().query::<Hostile>(two()).lock(conn).unwrap().rows::<Hostile>().len(), 1);
    assert_eq!(LockSet::new().query::<Hostile>(two().limit(1)).lock(conn).unwrap().rows::<Hostile>().len(), 1);
    assert_eq!(two().pick_next::<Hostile>(conn).unwrap().map(|row| row.id), Some(2));
    assert_eq!(two().for_update_of(hostile::table).load::<Hostile>(conn).unwrap().len(), 1);
    assert_eq!(two().claim::<Hostile, _>(1, hostile::v.eq(3), conn).unwrap()[0].v, 3);
    session.commit().unwrap();
}
