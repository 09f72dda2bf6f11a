//! Queries without a limit: a row that no longer matches does not come back, one that still does is fresh.

use diesel::{dsl::exists, prelude::*};
use diesel_lockset::LockSet;

use super::{
    Driver, Scene, does,
    stale::{account, job_ids},
};
use crate::support::{
    driver::Session,
    models::{Event, Job, Order, Seat},
    schema::{customers, events, jobs, order_items, orders, seats},
};

type Set = LockSet<'static, <Driver as Session>::Backend>;
type Form = (&'static str, fn(Set) -> Set);

/// Queries of every form for the same rows: the jobs that are NEW, 1 to 4.
const FORMS: [Form; 6] = [
    ("alone", |set| set.query::<Job>(jobs::table.filter(jobs::status.eq("NEW")))),
    ("boxed", |set| set.query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).into_boxed())),
    ("ordered", |set| set.query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).order(jobs::priority.desc()))),
    ("distinct", |set| set.query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).distinct())),
    ("with a subquery", |set| {
        let same = diesel::alias!(jobs as same);
        let new = same.filter(same.field(jobs::status).eq("NEW")).select(same.field(jobs::id));
        set.query::<Job>(jobs::table.filter(jobs::id.eq_any(new)).filter(jobs::status.eq("NEW")))
    }),
    ("twice", |set| {
        let new = || jobs::table.filter(jobs::status.eq("NEW"));
        set.query::<Job>(new().filter(jobs::id.lt(3))).query::<Job>(new().filter(jobs::id.gt(1)))
    }),
];

fn lock(form: fn(Set) -> Set) -> impl FnOnce(&mut Driver) -> Vec<(i64, String)> {
    move |s| {
        let jobs = s.lock_set(form(LockSet::new())).unwrap().take_rows::<Job>();
        jobs.into_iter().map(|job| (job.id, job.payload)).collect()
    }
}

fn ids(jobs: &[(i64, String)]) -> Vec<i64> {
    jobs.iter().map(|(id, _)| *id).collect()
}

/// F02, I06.
#[test]
fn a_row_that_no_longer_matches_does_not_come_back() {
    let scene = Scene::of("jobs");
    for (form, query) in FORMS {
        let jobs = scene.after("UPDATE jobs SET status = 'DONE' WHERE id = 2", lock(query));
        assert_eq!(ids(&jobs), [1, 3, 4], "{form}");
    }
}

/// F01.
#[test]
fn a_changed_row_that_still_matches_comes_back_fresh() {
    let scene = Scene::of("jobs");
    for (form, query) in FORMS {
        let jobs = scene.after("UPDATE jobs SET payload = 'fresh', priority = 99 WHERE id = 2", lock(query));
        assert_eq!(ids(&jobs), [1, 2, 3, 4], "{form}");
        assert_eq!(jobs[1].1, "fresh", "{form}");
        assert_eq!(scene.held("jobs", "id"), ["1", "2", "3", "4"], "{form}");
    }
}

/// F04.
#[test]
fn a_deleted_row_does_not_come_back_unless_the_deletion_is_undone() {
    let scene = Scene::of("jobs");
    for (form, query) in FORMS {
        assert_eq!(ids(&scene.after("DELETE FROM jobs WHERE id = 2", lock(query))), [1, 3, 4], "{form}");
        let undone = scene.after_undoing("DELETE FROM jobs WHERE id = 2", lock(query));
        assert_eq!(ids(&undone), [1, 2, 3, 4], "{form}");
    }
}

/// F02.
#[test]
fn a_change_that_was_undone_was_none() {
    let scene = Scene::of("jobs");
    for (form, query) in FORMS {
        let jobs = scene.after_undoing("UPDATE jobs SET status = 'DONE' WHERE id = 2", lock(query));
        assert_eq!(ids(&jobs), [1, 2, 3, 4], "{form}");
        assert_eq!(scene.held("jobs", "id"), ["1", "2", "3", "4"], "{form}");
    }
}

/// F02, H02.
#[test]
fn a_row_that_begins_to_match_meanwhile_is_not_locked_behind_the_order() {
    let scene = Scene::of("jobs");
    for (form, query) in FORMS {
        // 0 would come before all that are held by then, 5 after.
        let change = "UPDATE jobs SET status = 'DONE' WHERE id = 2; UPDATE jobs SET status = 'NEW' WHERE id = 5; \
                      INSERT INTO jobs (id) VALUES (0)";
        assert_eq!(ids(&scene.after(change, lock(query))), [1, 3, 4], "{form}");
        let held = scene.held("jobs", "id");
        assert!(!held.contains(&"0".to_owned()) && !held.contains(&"5".to_owned()), "{form}: {held:?}");
    }
}

/// F02.
#[test]
fn several_rows_that_change_one_after_the_other_are_all_looked_at() {
    let scene = Scene::of("jobs");
    let third = scene.play.session("third");
    for (form, query) in FORMS {
        scene.begin();
        does(&third, "UPDATE jobs SET status = 'DONE' WHERE id = 3; DELETE FROM jobs WHERE id = 4");
        does(&scene.holder, "UPDATE jobs SET status = 'DONE' WHERE id = 1");
        let waiting = scene.locker.start("locks", move |s| {
            s.begin().unwrap();
            lock(query)(s)
        });
        waiting.blocked_by(&scene.holder);
        scene.holder.run("commits", |s| s.commit().unwrap());
        waiting.blocked_by(&third);
        third.run("commits", |s| s.commit().unwrap());
        assert_eq!(ids(&waiting.join()), [2], "{form}");
    }
}

fn open_orders(s: &mut Driver) -> Vec<Order> {
    let open = orders::table.filter(orders::status.eq("open"));
    s.lock_set(LockSet::new().query::<Order>(open.inner_join(customers::table).filter(customers::name.eq("Ada"))))
        .unwrap()
        .take_rows()
}

/// F01, F02, F04.
#[test]
fn a_row_of_a_join_is_looked_at_again() {
    // What others reference cannot be put back for each act: one change leads to the next.
    let scene = Scene::new();
    let orders = scene.after("UPDATE orders SET total = 999 WHERE id = 1", open_orders);
    assert_eq!(orders.iter().map(|order| (order.id, order.total)).collect::<Vec<_>>(), [(1, 999), (2, 250)]);
    assert_eq!(scene.held("orders", "id"), ["1", "2"]);
    assert_eq!(scene.held("customers", "id"), Vec::<String>::new());
    let orders = scene.after("UPDATE orders SET status = 'paid' WHERE id = 1", open_orders);
    assert_eq!(orders.iter().map(|order| order.id).collect::<Vec<_>>(), [2]);
    let delete = "DELETE FROM order_items WHERE order_id = 2; DELETE FROM orders WHERE id = 2";
    assert_eq!(scene.after(delete, open_orders), []);
}

/// F02.
#[test]
fn a_row_that_lost_its_partner_in_a_join_does_not_come_back() {
    let scene = Scene::new();
    let orders = scene.after("UPDATE orders SET customer_id = 2 WHERE id = 1", open_orders);
    assert_eq!(orders.iter().map(|order| order.id).collect::<Vec<_>>(), [2]);
}

/// F01, F02.
#[test]
fn a_row_that_a_join_repeats_comes_back_once() {
    let scene = Scene::new();
    for (change, expected) in [
        ("UPDATE orders SET total = 999 WHERE id = 1", vec![(1, 999), (2, 250), (3, 40)]),
        ("UPDATE orders SET status = 'paid' WHERE id = 1", vec![(2, 250), (3, 40)]),
    ] {
        let orders = scene.after(change, |s| {
            let open = orders::table.inner_join(order_items::table).filter(orders::status.eq("open"));
            s.lock_set(LockSet::new().query::<Order>(open)).unwrap().take_rows::<Order>()
        });
        assert_eq!(orders.iter().map(|order| (order.id, order.total)).collect::<Vec<_>>(), expected);
    }
}

/// F01, F02.
#[test]
fn a_row_chosen_by_a_correlated_subquery_is_looked_at_again() {
    let scene = Scene::new();
    let lock = |s: &mut Driver| {
        let lamps =
            order_items::table.filter(order_items::order_id.eq(orders::id)).filter(order_items::product.eq("lamp"));
        let with_lamps = orders::table.filter(exists(lamps)).filter(orders::status.eq("open"));
        let orders = s.lock_set(LockSet::new().query::<Order>(with_lamps)).unwrap().take_rows::<Order>();
        orders.into_iter().map(|order| (order.id, order.total)).collect::<Vec<_>>()
    };
    assert_eq!(scene.after("UPDATE orders SET total = 999 WHERE id = 1", lock), [(1, 999), (2, 250)]);
    assert_eq!(scene.after("UPDATE orders SET status = 'paid' WHERE id = 1", lock), [(2, 250)]);
}

fn free_seats(s: &mut Driver) -> Vec<(String, i32)> {
    let free = seats::table.filter(seats::holder.is_null());
    let seats = s.lock_set(LockSet::new().query::<Seat>(free)).unwrap().take_rows::<Seat>();
    seats.into_iter().map(|seat| (seat.section, seat.number)).collect()
}

/// F02, F04, H14.
#[test]
fn rows_with_composite_keys_are_looked_at_again() {
    let scene = Scene::of("seats");
    let free = scene.after("UPDATE seats SET holder = 'x' WHERE section = 'A' AND number = 2", free_seats);
    assert_eq!(free.len(), 4);
    assert!(!free.contains(&("A".to_owned(), 2)), "{free:?}");
    assert_eq!(scene.after("DELETE FROM seats WHERE section = 'B' AND number = 1", free_seats).len(), 4);
    let unchanged = "UPDATE seats SET holder = NULL WHERE section = 'B' AND number = 1";
    assert_eq!(scene.after(unchanged, free_seats).len(), 5);
}

/// F01, F02.
#[test]
fn rows_of_partitions_are_looked_at_again() {
    let lock = |s: &mut Driver| {
        // The second form chooses first and is checked afterwards.
        let blank = || events::table.filter(events::note.eq(""));
        let set = LockSet::new().query::<Event>(blank()).query::<Event>(blank().filter(events::id.lt(2)));
        let events = s.lock_set(set).unwrap().take_rows::<Event>();
        events.into_iter().map(|event| (event.id, event.region)).collect::<Vec<_>>()
    };
    let scene = Scene::of("events");
    let left = scene.after("UPDATE events SET note = 'x' WHERE id = 1 AND region = 'south'", lock);
    assert_eq!(left, [(1, "north".to_owned()), (2, "north".to_owned()), (3, "east".to_owned())]);
    let all = scene.after("UPDATE events SET note = '' WHERE id = 1 AND region = 'south'", lock);
    assert_eq!(all.len(), 4);
    assert_eq!(scene.held("events", "(id, region)").len(), 4);
}

/// F02.
#[test]
fn a_query_on_a_later_table_sees_what_the_holder_of_an_earlier_one_did() {
    let scene = Scene::new();
    let change = "UPDATE accounts SET v = 1 WHERE id = 1; UPDATE jobs SET status = 'DONE' WHERE id = 1";
    let jobs = scene.after(change, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW"));
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new).row(&account(1))).unwrap())
    });
    assert_eq!(jobs, [2, 3, 4]);
    assert_eq!(scene.held("jobs", "id"), ["2", "3", "4"]);
}
