//! What a long queue costs, of which much is held.

use diesel_lockset::LockSet;

use super::{Arena, Driver, ids, new_mail, verbs::PickDsl};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Job, server::numbers},
};

/// T07, J10.
#[test]
fn a_thousand_held_rows_at_the_head_of_a_long_queue_cost_no_statement_more() {
    let arena = Arena::new();
    arena.execute(&format!("INSERT INTO jobs (id, priority) SELECT n, n FROM {}", numbers(101, 100_000)));
    arena.analyze("jobs");
    let play = Play::<Driver>::new(&arena);
    let (holder, worker) = (play.session("holder"), play.session("worker"));
    let held = holder.run("takes a thousand", |s| {
        s.begin().unwrap();
        new_mail().pick::<Job>(1_000, s.conn()).unwrap().len()
    });
    assert_eq!(held, 1_000);
    let (picked, sent) = worker.run("picks two hundred, one by one", |s| {
        s.begin().unwrap();
        // What a session asks once about a table does not count.
        assert!(new_mail().pick_next::<Job>(s.conn()).unwrap().is_some());
        let sent = s.overhear();
        let picked: Vec<_> = (0..200)
            .map(|_| {
                let job: Job = new_mail().pick_next(s.conn()).unwrap().unwrap();
                s.execute(&format!("UPDATE jobs SET status = 'DONE' WHERE id = {}", job.id)).unwrap();
                job.id
            })
            .collect();
        let sent = sent.take().len();
        s.commit().unwrap();
        (picked, sent)
    });
    // A thousand candidates are held: where they are looked up by key, the look is taken at more and more of them.
    let each = if super::super::RESOLVES_FIRST { 6 } else { 2 };
    assert_eq!(sent, each * picked.len());
    assert_eq!(
        (picked[0], picked[199]),
        (1_097, 1_296),
        "the first free ones in the order: 4 jobs of the fixtures are held"
    );
    let (locked, sent) = worker.run("locks ten thousand", |s| {
        s.begin().unwrap();
        let sent = s.overhear();
        let locked = s.lock_set(LockSet::new().ids::<Job>(50_001..=60_000_i64)).unwrap();
        (ids(locked.rows()).len(), sent.take().len())
    });
    assert_eq!(locked, 10_000);
    super::super::assert_sent(sent, 1, "ten thousand");
}
