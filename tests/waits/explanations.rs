//! What `explain` says is what is sent: compared with the statements that Diesel's instrumentation reports.

use std::time::Duration;

use diesel::{dsl::exists, mysql::Mysql, pg::Pg, prelude::*};
use diesel_lockset::{
    AdvisoryLock, ExplainPick, LockError, LockSet, LockTarget, Lockable, PickDsl, RunLockSet, bounds::LockingBackend,
    explanation::Explanation,
};

use crate::support::{
    arena::{Arena, ServerArena},
    driver::{Blocking, Direct, MysqlBlocking, Open, Session},
    models::{Account, Job, Seat},
    mysql::MysqlFamily,
    schema::{accounts, jobs, seats},
    statements::Statements,
};

/// The texts, without the values that the instrumentation adds.
fn texts(sent: Vec<String>) -> Vec<String> {
    sent.into_iter().map(|line| line.split(" -- binds").next().unwrap_or_default().to_owned()).collect()
}

fn told(explanation: &Explanation) -> Vec<String> {
    explanation.statements.iter().map(|statement| statement.sql.clone()).collect()
}

/// Explains and locks a set in a transaction of a session that knows the tables already. What is told is the beginning of what is sent.
#[track_caller]
fn sent_after<S: Session>(session: &mut S, set: impl Fn() -> LockSet<'static, S::Backend>) -> Vec<String>
where
    S::Backend: LockingBackend,
{
    session.begin().unwrap();
    session.lock_set(set()).unwrap();
    session.rollback().unwrap();
    session.begin().unwrap();
    let sent = session.overhear();
    session.lock_set(set()).unwrap();
    let mut sent = texts(sent.take());
    session.rollback().unwrap();
    let explanation = set().explain().unwrap();
    let rest = sent.split_off(explanation.statements.len().min(sent.len()));
    assert_eq!(told(&explanation), sent, "{explanation}");
    assert!(rest.is_empty() || !explanation.further.is_empty(), "{rest:?}\n{explanation}");
    rest
}

fn keys<C>()
where
    C: Open<Backend: LockingBackend>,
    Account: LockTarget<C::Backend>,
    Seat: LockTarget<C::Backend>,
{
    let arena = ServerArena::<C::Server>::new();
    let mut session = Direct::<C>::connect(arena.url());
    let nothing = Vec::<String>::new();
    assert_eq!(sent_after(&mut session, || LockSet::new().ids::<Account>([3, 1, 2])), nothing);
    assert_eq!(sent_after(&mut session, || LockSet::new().id::<Account>(1).id::<Seat>(("A".to_owned(), 1))), nothing);
    assert_eq!(sent_after(&mut session, LockSet::new), nothing);
    let many = sent_after(&mut session, || LockSet::new().ids::<Account>(1..=1_500).allow_missing());
    assert!(many.len() <= 1, "{many:?}");
    let again = LockSet::<C::Backend>::new().id::<Account>(1).explain().unwrap();
    assert_eq!(again, LockSet::new().id::<Account>(2).explain().unwrap());
}

#[test]
fn the_statements_of_keys() {
    keys::<PgConnection>();
}

#[test]
fn the_statements_of_keys_on_mysql_and_mariadb() {
    keys::<MysqlConnection>();
}

#[test]
fn the_statements_of_queries() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let rich = || accounts::table.filter(accounts::balance.gt(9));
    let nothing = Vec::<String>::new();
    let set = LockSet::new;
    assert_eq!(sent_after(&mut session, || set().query::<Account>(rich())), nothing);
    assert_eq!(sent_after(&mut session, || set().query::<Account>(rich()).ids::<Account>([1, 4])), nothing);
    assert_eq!(sent_after(&mut session, || set().query::<Account>(rich().order(accounts::v).limit(2))), nothing);
    assert_eq!(sent_after(&mut session, || set().advisory(AdvisoryLock::named("n")).id::<Account>(1)), nothing);
    assert_eq!(sent_after(&mut session, || set().for_share().id::<Account>(1)), nothing);
    // It is sent once more when its rows are locked.
    let joined = || accounts::table.filter(exists(seats::table.filter(seats::number.eq(accounts::id))));
    assert_eq!(sent_after(&mut session, || set().query::<Account>(joined())).len(), 1);
    session.begin().unwrap();
    let sent = session.overhear();
    session
        .conn()
        .transaction(|conn| RunLockSet::lock(set().id::<Account>(1).timeout(Duration::from_secs(9)), conn))
        .unwrap();
    let sent = texts(sent.take());
    session.rollback().unwrap();
    let limited = set().id::<Account>(1).timeout(Duration::from_secs(9)).explain().unwrap();
    let told = told(&limited);
    assert_eq!(told[0], sent[1], "{limited}");
    // Behind it the setting is put back.
    assert!(told.len() == 2 && sent[2].starts_with(&told[1]), "{limited}\n{sent:?}");
}

#[test]
fn the_statements_of_queries_on_mysql_and_mariadb() {
    let arena = ServerArena::<MysqlFamily>::new();
    let mut session = MysqlBlocking::connect(arena.url());
    let rich = || accounts::table.filter(accounts::balance.gt(9));
    // The rows are locked.
    assert_eq!(sent_after(&mut session, || LockSet::new().query::<Account>(rich())).len(), 1);
    let joined = || accounts::table.filter(exists(seats::table.filter(seats::number.eq(accounts::id))));
    // The rows are locked, and the query is sent once more.
    assert_eq!(sent_after(&mut session, || LockSet::new().query::<Account>(joined())).len(), 2);
}

#[test]
fn the_statements_of_one_row_a_pick_and_a_claim() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let account: Account = accounts::table.find(1).first(session.conn()).unwrap();
    let sent = session.overhear();
    account.skip_locked().lock(session.conn()).unwrap();
    assert_eq!(told(&account.skip_locked().explain::<Pg>().unwrap()), texts(sent.take()));
    let open = || jobs::table.filter(jobs::status.eq("new")).order(jobs::id);
    let _: Vec<Job> = PickDsl::pick(open(), 2, session.conn()).unwrap();
    assert_eq!(told(&open().explain_pick::<Job, Pg>(2).unwrap()), texts(sent.take()));
    let _: Vec<Job> = open().claim(2, jobs::status.eq("run"), session.conn()).unwrap();
    assert_eq!(told(&open().explain_claim::<Job, Pg, _>(2, jobs::status.eq("run")).unwrap()), texts(sent.take()));
    session.rollback().unwrap();

    let arena = ServerArena::<MysqlFamily>::new();
    let mut session = MysqlBlocking::connect(arena.url());
    session.begin().unwrap();
    let _: Vec<Job> = PickDsl::pick(open(), 2, session.conn()).unwrap();
    let sent = session.overhear();
    let _: Vec<Job> = PickDsl::pick(open(), 2, session.conn()).unwrap();
    assert_eq!(told(&open().explain_pick::<Job, Mysql>(2).unwrap())[0], texts(sent.take())[0]);
    session.rollback().unwrap();
}

#[test]
fn what_would_be_refused_is_refused() {
    let twice = LockSet::<Pg>::new()
        .query::<Account>(accounts::table.filter(diesel::dsl::sql::<diesel::sql_types::Bool>("true --")));
    assert!(matches!(twice.explain(), Err(LockError::Unsupported { .. })));
}

#[test]
fn an_explanation_is_sql_with_comments() {
    let text = LockSet::<Pg>::new().name_holders().ids::<Account>([1, 2]).no_wait().explain().unwrap().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "-- 1. locks and reads the rows of \"accounts\" in the order of their key; leaves out those that other sessions hold"
    );
    assert!(lines[1].ends_with("ORDER BY \"accounts\".\"id\" FOR UPDATE OF \"accounts\" SKIP LOCKED;"), "{text}");
    assert!(lines[2..].iter().all(|line| line.starts_with("-- ")), "{text}");
    assert_eq!(lines.last(), Some(&"-- if the call fails: a query for the sessions that hold what it wanted"));
    assert_eq!(LockSet::<Pg>::new().explain().unwrap().to_string(), "-- nothing is sent");
}

#[cfg(feature = "sqlite")]
#[test]
fn the_statements_on_sqlite() {
    use diesel::{connection::SimpleConnection, sqlite::Sqlite};

    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    conn.batch_execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT, balance INTEGER, v INTEGER)")
        .unwrap();
    conn.batch_execute("INSERT INTO accounts VALUES (1, 'ada', 10, 0), (2, 'ben', 10, 0)").unwrap();
    let heard = Statements::default();
    conn.set_instrumentation(heard.listener());
    let sets: [fn() -> LockSet<'static, Sqlite>; 2] = [
        || LockSet::new().ids::<Account>([1, 2]),
        || LockSet::new().id::<Account>(1).query::<Account>(accounts::table.filter(accounts::balance.gt(9))),
    ];
    for set in sets {
        conn.transaction(|conn| RunLockSet::lock(set(), conn).map(drop)).unwrap();
        let mut sent = texts(heard.take());
        // `BEGIN` and `COMMIT`.
        sent.remove(0);
        sent.pop();
        let explanation = set().explain().unwrap();
        assert_eq!(told(&explanation), sent, "{explanation}");
    }
}
