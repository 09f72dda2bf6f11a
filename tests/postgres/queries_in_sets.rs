//! Queries that only PostgreSQL has, and conditions in raw SQL, as part of a lock set.

use diesel::{
    dsl::{OnlyDsl, TablesampleDsl, not, sql},
    prelude::*,
    sql_types::Bool,
};
use diesel_lockset::LockSet;

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Event, Job},
        schema::{accounts, events, jobs},
    },
};

/// I16.
#[test]
fn distinct_on_locks_the_first_row_of_each_group() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    arena.execute("UPDATE jobs SET queue = 'print' WHERE id > 2");
    let best = || jobs::table.distinct_on(jobs::queue).order((jobs::queue, jobs::priority));
    for set in [LockSet::new().query::<Job>(best()), LockSet::new().query::<Job>(best().into_boxed()).id::<Job>(2)] {
        session.begin().unwrap();
        let locked = session.lock_set(set).unwrap();
        assert_eq!(locked.rows::<Job>().iter().map(|job| job.id).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(arena.held_keys("jobs", "id"), ["2", "5"]);
        session.rollback().unwrap();
    }
}

/// I10.
#[test]
fn only_and_tablesample_choose_rows_of_the_table() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    let some = accounts::table.tablesample_system(100).filter(not(accounts::id.eq(3)));
    let locked = session.lock_set(LockSet::new().query::<Account>(some)).unwrap();
    assert_eq!(locked.rows::<Account>().iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2, 4, 5]);
    session.rollback().unwrap();

    session.begin().unwrap();
    let own = accounts::table.only();
    let locked = session.lock_set(LockSet::new().query::<Account>(own.filter(accounts::id.le(2)))).unwrap();
    assert_eq!(locked.rows::<Account>().len(), 2);
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
}

/// I02, I06.
#[test]
fn rows_of_a_table_in_parts_are_chosen_and_looked_at_again_part_by_part() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("moves an event into another part", |s| {
        s.begin().unwrap();
        s.execute("UPDATE events SET note = 'changed' WHERE (id, region) = (2, 'north')").unwrap();
        s.execute("UPDATE events SET note = 'no more' WHERE (id, region) = (1, 'north')").unwrap();
    });
    let waiting = locker.start("locks the events of two parts", |s| {
        s.begin().unwrap();
        let plain = events::table.filter(events::note.ne("no more")).filter(events::region.ne("elsewhere"));
        let locked = s.lock_set(LockSet::new().query::<Event>(plain).id::<Event>((3, "east".to_owned()))).unwrap();
        locked.rows::<Event>().iter().map(|event| (event.id, event.region.clone())).collect::<Vec<_>>()
    });
    waiting.blocked_by(&outsider);
    outsider.run("commits", |s| s.commit()).unwrap();
    let south = (1, "south".to_owned());
    assert_eq!(waiting.join(), [south, (2, "north".to_owned()), (3, "east".to_owned())]);
}

/// I06.
#[test]
fn a_changed_row_is_not_lost_behind_a_condition_in_raw_sql() {
    /// Which joins the planner may not use for the subselect.
    const PLANS: [&[&str]; 3] = [&[], &["hashjoin"], &["hashjoin", "mergejoin"]];
    let arena = Arena::new();
    let mut faults = Vec::new();
    for condition in [
        "id IN (SELECT id FROM accounts WHERE id < 3 UNION ALL SELECT 4)",
        "id in (select id from accounts where id < 3 union all select 4)",
        "exists (select from (select 1 as one union all select 2 union all select 4) as u where u.one = jobs.id)",
        "id in (values (1), (2), (4))",
    ] {
        for disabled in PLANS {
            let play = Play::<Blocking>::new(&arena);
            let (outsider, locker) = (play.session("outsider"), play.session("locker"));
            outsider.run("changes 2", |s| {
                s.begin().unwrap();
                s.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = 2").unwrap();
            });
            let waiting = locker.start(condition, move |s| {
                s.begin().unwrap();
                for join in disabled {
                    s.execute(&format!("SET LOCAL enable_{join} = off")).unwrap();
                }
                let set = LockSet::new().query::<Job>(jobs::table.filter(sql::<Bool>(condition)));
                let locked = s.lock_set(set).unwrap();
                locked.rows::<Job>().iter().map(|job| job.id).collect::<Vec<_>>()
            });
            waiting.blocked_by(&outsider);
            outsider.run("commits", |s| s.commit()).unwrap();
            let ids = waiting.join();
            if ids != [1, 2, 4] {
                faults.push(format!("{condition}: {ids:?} without {disabled:?}"));
            }
            locker.run("ends", |s| s.rollback()).unwrap();
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
