//! What a query of a set returns when its rows change while the set waits for them.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Driver, Form, job_ids};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::Session,
        models::{Child, Job, Parent},
        probe::Held,
        schema::{children, jobs, parents},
    },
};

/// The new jobs, asked for in every way that makes a statement of another kind.
const NEW_JOBS: [Form; 6] = [
    ("alone", || LockSet::new().query::<Job>(jobs::table.filter(jobs::status.eq("NEW")))),
    ("boxed", || LockSet::new().query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).into_boxed())),
    ("beside a key", || LockSet::new().query::<Job>(jobs::table.filter(jobs::status.eq("NEW"))).id::<Job>(1)),
    ("two queries", || {
        LockSet::new()
            .query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).filter(jobs::priority.gt(10)))
            .query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).filter(jobs::priority.le(10)))
    }),
    ("limited", || LockSet::new().query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(99))),
    ("through a subselect", || {
        let again = diesel::alias!(jobs as again);
        let new = again.select(again.field(jobs::id)).filter(again.field(jobs::status).eq("NEW"));
        LockSet::new().query::<Job>(jobs::table.filter(jobs::id.eq_any(new)))
    }),
];

/// I06.
#[test]
fn only_rows_that_match_when_they_are_locked_are_returned() {
    let arena = Arena::new();
    for (form, set) in NEW_JOBS {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("sets 2 to DONE", |s| {
            s.begin().unwrap();
            s.execute("UPDATE jobs SET status = 'DONE' WHERE id = 2").unwrap();
        });
        let waiting = locker.start(form, move |s| {
            s.begin().unwrap();
            let locked = s.lock_set(set()).unwrap();
            job_ids(&locked)
        });
        waiting.blocked_by(&outsider);
        outsider.run("commits", |s| s.commit()).unwrap();
        assert_eq!(waiting.join(), [1, 3, 4], "{form}");
        assert_eq!(arena.probe("jobs", "id = 4"), Held::Held, "{form}");
        locker.run("ends", |s| s.rollback()).unwrap();
        arena.execute("UPDATE jobs SET status = 'NEW' WHERE id = 2");
    }
}

/// I06.
#[test]
fn a_row_that_changed_and_still_matches_is_returned_as_it_is_now() {
    let arena = Arena::new();
    for (form, set) in NEW_JOBS {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("changes 2, and sets 5 to NEW", |s| {
            s.begin().unwrap();
            s.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = 2").unwrap();
            s.execute("UPDATE jobs SET status = 'NEW' WHERE id = 5").unwrap();
        });
        let waiting = locker.start(form, move |s| {
            s.begin().unwrap();
            let locked = s.lock_set(set()).unwrap();
            (job_ids(&locked), locked.id::<Job>(2).unwrap().attempts)
        });
        waiting.blocked_by(&outsider);
        outsider.run("commits", |s| s.commit()).unwrap();
        let (ids, attempts) = waiting.join();
        let before = arena.number("SELECT attempts FROM jobs WHERE id = 2") - 1;
        assert_eq!(i64::from(attempts), before + 1, "{form}");
        if form == "limited" {
            // Asked again as a whole, because what a limit takes depends on all rows.
            assert_eq!(ids, [1, 2, 3, 4, 5], "{form}");
        } else {
            assert_eq!(ids, [1, 2, 3, 4], "{form}");
            assert_eq!(arena.probe("jobs", "id = 5"), Held::Free, "{form}: it began to match too late");
        }
        locker.run("ends", |s| s.rollback()).unwrap();
        arena.execute("UPDATE jobs SET status = 'DONE' WHERE id = 5");
    }
}

/// I06.
#[test]
fn a_joined_query_asks_its_own_table_again() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("changes the notes of 10 and 11", |s| {
        s.begin().unwrap();
        s.execute("UPDATE children SET note = 'no longer' WHERE id = 10").unwrap();
        s.execute("UPDATE children SET note = note || ', changed' WHERE id = 11").unwrap();
    });
    let waiting = locker.start("locks children of one by their notes", |s| {
        s.begin().unwrap();
        let of_one = children::table
            .inner_join(parents::table)
            .filter(parents::data.eq("one"))
            .filter(children::note.like("% of %"))
            .order(parents::data);
        let locked = s.lock_set(LockSet::new().query::<Child>(of_one).query::<Parent>(parents::table.find(1))).unwrap();
        locked.rows::<Child>().iter().map(|child| (child.id, child.note.clone())).collect::<Vec<_>>()
    });
    waiting.blocked_by(&outsider);
    outsider.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), [(11, "second of one, changed".to_owned())]);
}
