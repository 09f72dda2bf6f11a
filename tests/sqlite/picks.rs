//! Picks and claims: each row goes to one worker, in the order of the query.

use std::{collections::BTreeSet, thread};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockError, LockTransaction, PickDsl, RunLockTransaction};

use crate::file::{File, Job, Journal, Seat, Tag, jobs, number, queues, seats, tags, with_each_journal};

#[test]
fn a_pick_takes_the_first_rows_and_makes_the_transaction_the_writer() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let query = || jobs::table.filter(jobs::status.eq("new")).order(jobs::priority);
        conn.transaction(|conn| {
            let next: Option<Job> = query().pick_next(conn)?;
            assert_eq!(next.unwrap().id, 2);
            assert!(file.has_writer());
            let two: Vec<Job> = query().into_boxed().pick(2, conn)?;
            assert_eq!(two.iter().map(|job| job.id).collect::<Vec<_>>(), [2, 3]);
            let joined: Vec<Job> = query().inner_join(queues::table).filter(queues::name.eq("mail")).pick(9, conn)?;
            assert_eq!(joined.iter().map(|job| job.id).collect::<Vec<_>>(), [2, 1]);
            let none: Vec<Job> = query().pick(0, conn)?;
            assert!(none.is_empty());
            Ok::<_, LockError>(())
        })
        .unwrap();
        let outside: Result<Option<Job>, _> = query().pick_next(conn);
        assert!(matches!(outside, Err(LockError::NotInTransaction)));
    });
}

#[test]
fn a_claim_changes_rows_and_returns_them_in_the_order_of_the_query() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let query = || jobs::table.filter(jobs::status.eq("new")).order(jobs::priority.desc());
        let taken: Vec<Job> = query().claim(2, jobs::status.eq("taken"), conn).unwrap();
        assert_eq!(taken.iter().map(|job| (job.id, &*job.status)).collect::<Vec<_>>(), [(1, "taken"), (3, "taken")]);
        assert!(!file.has_writer());
        conn.transaction(|conn| {
            let taken: Vec<Job> = query().claim(1, jobs::status.eq("taken"), conn)?;
            assert_eq!(taken[0].id, 2);
            assert!(file.has_writer());
            let none: Vec<Job> = query().claim(1, jobs::status.eq("taken"), conn)?;
            assert!(none.is_empty());
            Ok::<_, LockError>(())
        })
        .unwrap();
        assert_eq!(number(conn, "SELECT count(*) FROM jobs WHERE status = 'taken'"), 3);
    });
}

#[test]
fn claims_by_other_keys_and_over_joins() {
    let file = File::new(Journal::Wal);
    let conn = &mut file.connect();
    let free = || seats::table.filter(seats::holder.is_null()).order((seats::section.desc(), seats::number));
    let taken: Vec<Seat> = free().claim(2, seats::holder.eq(Some("ben")), conn).unwrap();
    assert_eq!(taken.iter().map(|seat| &*seat.section).collect::<Vec<_>>(), ["B", "A"]);
    let used: Vec<Tag> = tags::table.order(tags::uses.desc()).claim(1, tags::uses.eq(tags::uses + 10), conn).unwrap();
    assert_eq!((&*used[0].name, used[0].uses), ("Zig", 13));
    // A queue is joined with each of its jobs.
    let jobs: Vec<Job> = jobs::table
        .inner_join(queues::table)
        .filter(queues::name.eq("mail"))
        .order(jobs::id.desc())
        .claim(9, jobs::status.eq("held"), conn)
        .unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [4, 2, 1]);
}

#[test]
fn a_claim_that_a_trigger_refuses_is_an_error() {
    let file = File::new(Journal::Wal);
    let conn = &mut file.connect();
    conn.batch_execute("CREATE TRIGGER t BEFORE UPDATE ON jobs WHEN old.id <> 3 BEGIN SELECT RAISE(IGNORE); END")
        .unwrap();
    let query = || jobs::table.filter(jobs::status.eq("new")).order(jobs::id);
    for n in [1, 2] {
        let refused: Result<Vec<Job>, _> = query().claim(n, jobs::status.eq("taken"), conn);
        assert!(matches!(refused, Err(LockError::Unsupported { .. })), "{refused:?}");
    }
    let some: Vec<Job> = query().claim(3, jobs::status.eq("taken"), conn).unwrap();
    assert_eq!(some.iter().map(|job| job.id).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_claim_of_several_rows_cannot_change_the_key() {
    let file = File::new(Journal::Wal);
    let conn = &mut file.connect();
    let query = || jobs::table.order(jobs::id);
    let one: Vec<Job> = query().claim(1, jobs::id.eq(jobs::id + 100), conn).unwrap();
    assert_eq!(one[0].id, 101);
    let two: Result<Vec<Job>, _> = query().claim(2, jobs::id.eq(jobs::id + 100), conn);
    assert!(matches!(two, Err(LockError::Unsupported { .. })), "{two:?}");
    assert_eq!(number(conn, "SELECT min(id) FROM jobs"), 2);
}

#[test]
fn each_row_is_claimed_once() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        conn.batch_execute(
            "DELETE FROM jobs; WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO jobs SELECT i, 1, 'new', i FROM n",
        )
        .unwrap();
        let worker = |picks: bool| {
            let (mut conn, mut mine) = (file.connect(), Vec::new());
            loop {
                let query = jobs::table.filter(jobs::status.eq("new")).order(jobs::id);
                let taken: Vec<Job> = if picks {
                    LockTransaction::new()
                        .run(&mut conn, |conn| {
                            let query = jobs::table.filter(jobs::status.eq("new")).order(jobs::id);
                            let job: Option<Job> = query.pick_next(conn)?;
                            if let Some(job) = &job {
                                diesel::update(jobs::table.find(job.id)).set(jobs::status.eq("done")).execute(conn)?;
                            }
                            Ok::<_, LockError>(job.into_iter().collect())
                        })
                        .unwrap()
                } else {
                    query.claim(3, jobs::status.eq("taken"), &mut conn).unwrap()
                };
                if taken.is_empty() {
                    return mine;
                }
                mine.extend(taken.iter().map(|job| job.id));
            }
        };
        let all: Vec<i64> = thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|i| scope.spawn(move || worker(i % 2 == 0))).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (200, 200));
    });
}
