//! Sets: which rows come back, in which order, and which are missing.

use std::time::Duration;

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockError, LockSet, Locked, RunLockSet};

use crate::file::{Account, File, Job, Journal, Seat, Tag, accounts, jobs, queues, seats, tags};

fn lock(conn: &mut SqliteConnection, set: LockSet<'_, diesel::sqlite::Sqlite>) -> Locked {
    conn.transaction(|conn| set.lock(conn)).unwrap()
}

fn new() -> (File, SqliteConnection) {
    let file = File::new(Journal::Wal);
    let conn = file.connect();
    (file, conn)
}

#[test]
fn instances_keys_and_queries_of_several_tables_are_merged() {
    let (_file, conn) = &mut new();
    let ada: Account = accounts::table.find(1).select(Account::as_select()).first(conn).unwrap();
    let set = LockSet::new()
        .ids::<Account>([3, 3])
        .row(&ada)
        .query::<Account>(accounts::table.filter(accounts::balance.ge(20)))
        .query::<Job>(jobs::table.inner_join(queues::table).filter(queues::name.eq("mail")).into_boxed())
        .query::<Job>(jobs::table.order(jobs::priority.desc()).limit(1))
        .query::<Job>(jobs::table.filter(jobs::status.eq("done")).distinct())
        .ids::<Seat>([("B".to_owned(), 1), ("A".to_owned(), 1)]);
    let locked = lock(conn, set);
    let ids: Vec<_> = locked.rows::<Account>().iter().map(|account| account.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(locked.rows::<Job>().iter().map(|job| job.id).collect::<Vec<_>>(), [1, 2, 4]);
    let places: Vec<_> = locked.rows::<Seat>().iter().map(|seat| (&*seat.section, seat.number)).collect();
    assert_eq!(places, [("A", 1), ("B", 1)]);
}

#[test]
fn missing_rows_are_named_all_at_once() {
    let (_file, conn) = &mut new();
    let set = || LockSet::new().ids::<Account>([7, 1]).ids::<Tag>(["none", "sql"]).ids::<Seat>([("C".to_owned(), 1)]);
    let error = conn.transaction(|conn| set().lock(conn)).unwrap_err();
    let LockError::Missing { rows } = error else { panic!("{error:?}") };
    assert_eq!(
        rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["Account 7", "Seat (\"C\", 1)", "Tag \"none\""]
    );
    assert_eq!(lock(conn, set().allow_missing()).missing().len(), 3);
}

/// "RUST" is the key of the row "Rust".
#[test]
fn keys_that_are_equal_to_sqlite_are_found() {
    let (_file, conn) = &mut new();
    let mut locked = lock(conn, LockSet::new().ids::<Tag>(["zig", "RUST", "rust"]).ids::<Account>([2]));
    let names: Vec<_> = locked.rows::<Tag>().iter().map(|tag| &*tag.name).collect();
    assert_eq!(names, ["Rust", "Zig"]);
    assert_eq!(locked.id::<Tag>("rust").unwrap().uses, 1);
    assert_eq!(locked.take_id::<Tag>("RUST").unwrap().uses, 1);
}

#[test]
fn any_number_of_integer_keys_and_of_queries_is_locked_in_order() {
    let (_file, conn) = &mut new();
    conn.batch_execute(
        "WITH RECURSIVE n (i) AS (VALUES (4) UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO accounts SELECT i, 'x', i FROM n",
    )
    .unwrap();
    let locked = lock(conn, LockSet::new().ids::<Account>((1..=40_000).rev()));
    assert!(locked.rows::<Account>().iter().map(|account| account.id).eq(1..=40_000));
    let queries = (0..600).rev().fold(LockSet::new().ids::<Account>([4, 2]), |set, i| {
        set.query::<Account>(accounts::table.filter(accounts::balance.eq(i + 100)).limit(1))
    });
    let locked = lock(conn, queries);
    assert!(locked.rows::<Account>().iter().map(|account| account.id).eq([2, 4].into_iter().chain(100..700)));
}

#[test]
fn many_text_keys_are_put_in_order_by_sqlite_or_refused() {
    let (_file, conn) = &mut new();
    conn.batch_execute(
        "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
         INSERT INTO tags SELECT CASE i % 2 WHEN 0 THEN 't' ELSE 'T' END || (10000 + i), i FROM n",
    )
    .unwrap();
    let names: Vec<String> = (1..=2000).rev().map(|i| format!("t{}", 10_000 + i)).collect();
    // Beside a query the keys are read in several statements.
    let set = LockSet::new().ids::<Tag>(&names).query::<Tag>(tags::table.filter(tags::uses.eq(1)));
    let locked = lock(conn, set);
    let uses: Vec<_> = locked.rows::<Tag>().iter().map(|tag| tag.uses).collect();
    assert_eq!((uses.len(), uses[0], &*locked.rows::<Tag>()[0].name), (2001, 1, "Rust"));
    assert!(uses[1..].iter().copied().eq(1..=2000));
    let many = (0..20_000).map(|i| i.to_string());
    assert_eq!(lock(conn, LockSet::new().ids::<Tag>(many).allow_missing()).missing().len(), 20_000);
    conn.batch_execute(
        "WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 19999)
         INSERT INTO tags SELECT i, i FROM n",
    )
    .unwrap();
    let many = (0..20_000).map(|i| i.to_string());
    let refused = conn.transaction(|conn| LockSet::new().ids::<Tag>(many).lock(conn));
    assert!(matches!(refused, Err(LockError::Unsupported { .. })), "{refused:?}");
}

#[test]
fn a_set_over_two_files_locks_both() {
    let (file, other) = (File::new(Journal::Wal), File::new(Journal::Rollback));
    let conn = &mut file.connect();
    conn.batch_execute(&format!("ATTACH '{}' AS other", other.path())).unwrap();
    conn.transaction(|conn| {
        let locked = LockSet::new().id::<Account>(1).id::<OtherTag>("sql").lock(conn)?;
        assert_eq!(locked.rows::<OtherTag>()[0].uses, 2);
        assert!(file.has_writer() && other.has_writer());
        Ok::<_, LockError>(())
    })
    .unwrap();
    assert!(!file.has_writer() && !other.has_writer());
}

#[test]
fn rows_of_a_free_file_are_not_blamed_for_one_that_is_held() {
    let (file, other) = (File::new(Journal::Wal), File::new(Journal::Rollback));
    let conn = &mut file.connect();
    conn.batch_execute(&format!("ATTACH '{}' AS other", other.path())).unwrap();
    let _writer = other.writer();
    conn.transaction(|conn| {
        let set = || LockSet::new().id::<Account>(1).id::<OtherTag>("sql");
        let error = set().no_wait().lock(conn).unwrap_err();
        let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
        assert!(rows.is_empty(), "{error}");
        let error = set().timeout(Duration::from_millis(30)).lock(conn).unwrap_err();
        let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
        assert_eq!((attempt.table(), attempt.rows().len()), ("`other`.`tags`", 0));
        assert_eq!(set_of_one(conn), 10);
        Ok::<_, LockError>(())
    })
    .unwrap();
}

fn set_of_one(conn: &mut SqliteConnection) -> i32 {
    LockSet::new().id::<Account>(1).lock(conn).unwrap().rows::<Account>()[0].balance
}

diesel::table! {
    #[sql_name = "tags"]
    other.other_tags (name) {
        name -> Text,
        uses -> Integer,
    }
}

#[derive(Debug, Queryable, Selectable, diesel_lockset::Lockable)]
#[diesel(table_name = other_tags, primary_key(name))]
struct OtherTag {
    name: String,
    uses: i32,
}

#[test]
fn raw_sql_that_would_swallow_what_follows_is_refused() {
    use diesel::{dsl::sql, sql_types::Bool};
    let (_file, conn) = &mut new();
    conn.transaction(|conn| {
        for text in ["balance > 0 -- due", "balance > 0 /* due", "[' ] union select 2 --' ]"] {
            let set = LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>(text)));
            assert!(matches!(set.lock(conn), Err(LockError::Unsupported { .. })), "{text}");
        }
        let set = LockSet::new().query::<Account>(accounts::table.filter(sql::<Bool>("[owner] <> 'it\\'")));
        assert_eq!(set.lock(conn)?.rows::<Account>().len(), 3);
        let seats = LockSet::new().query::<Seat>(seats::table.filter(seats::holder.is_null()).order(seats::number));
        assert_eq!(seats.lock(conn)?.rows::<Seat>().len(), 2);
        Ok::<_, LockError>(())
    })
    .unwrap();
}
