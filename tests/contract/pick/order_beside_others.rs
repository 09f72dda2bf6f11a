//! Which row is picked while others hold rows: the next one that is free.

use diesel::prelude::*;

use super::{Arena, Driver, ids, new_mail, pick_id, verbs::PickDsl};
use crate::support::{driver::Session, models::Job, schema::jobs, server::numbers};

/// J20.
#[test]
fn a_filter_chosen_at_run_time_picks_the_first_row_and_then_the_second() {
    let arena = Arena::new();
    arena.execute(
        "UPDATE jobs SET queue = 'mail/bulk' WHERE id IN (1, 2); UPDATE jobs SET queue = 'print' WHERE id = 3",
    );
    let next = |queues: &[&str], prefix: Option<&str>| {
        let mut query = jobs::table.filter(jobs::status.eq("NEW")).into_boxed();
        if !queues.is_empty() {
            query = query.filter(jobs::queue.eq_any(queues.iter().map(|&queue| queue.to_owned()).collect::<Vec<_>>()));
        }
        if let Some(prefix) = prefix {
            query = query.filter(jobs::queue.like(format!("{prefix}%")));
        }
        query.order((jobs::priority, jobs::id))
    };
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    for (queues, prefix, first, second) in [
        (&[][..], None, 4, Some(3)),
        (&["mail/bulk", "print"][..], None, 3, Some(2)),
        (&[][..], Some("mail"), 4, Some(2)),
        (&["print"][..], Some("pr"), 3, None),
    ] {
        one.begin().unwrap();
        two.begin().unwrap();
        let picked: Option<Job> = next(queues, prefix).pick_next(one.conn()).unwrap();
        assert_eq!(picked.map(|job| job.id), Some(first), "{queues:?} {prefix:?}");
        assert_eq!(arena.held_keys("jobs", "id"), [first.to_string()]);
        let picked: Option<Job> = next(queues, prefix).pick_next(two.conn()).unwrap();
        assert_eq!(picked.map(|job| job.id), second, "{queues:?} {prefix:?}");
        one.rollback().unwrap();
        two.rollback().unwrap();
    }
}

/// J11, E01.
#[test]
fn several_rows_are_at_most_so_many_in_order_and_nobody_gets_the_same() {
    let arena = Arena::new();
    arena.execute(&format!(
        "UPDATE jobs SET status = 'OLD'; INSERT INTO jobs (id, priority) SELECT n, 100 - n FROM {}",
        numbers(11, 20)
    ));
    let mut workers = [(); 3].map(|()| Driver::connect(arena.url()));
    let picked = workers.each_mut().map(|worker| {
        worker.begin().unwrap();
        ids(&new_mail().pick::<Job>(5, worker.conn()).unwrap())
    });
    assert_eq!(picked, [vec![20, 19, 18, 17, 16], vec![15, 14, 13, 12, 11], vec![]]);
    assert_eq!(arena.held_keys("jobs", "id").len(), 10);
}

/// E04.
#[test]
fn rows_that_this_transaction_holds_are_picked_again() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    one.begin().unwrap();
    two.begin().unwrap();
    assert_eq!((pick_id(&mut one), pick_id(&mut one)), (Some(4), Some(4)));
    assert_eq!(pick_id(&mut two), Some(3));
    assert_eq!(ids(&new_mail().pick::<Job>(2, one.conn()).unwrap()), [4, 2]);
}
