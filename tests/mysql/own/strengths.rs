//! Shared and exclusive locks, in words that each of the two servers understands, and what they keep others from.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet};

use super::{
    Arena, Driver,
    stock::{Item, arena_of, stock},
    verbs::{PickDsl, RunLockQuery},
};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Child, Parent},
        probe::Held,
        schema::{children, parents},
    },
};

/// B02, C03.
#[test]
fn shared_locks_are_shared_and_keep_writers_out() {
    let arena = arena_of(5);
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    one.begin().unwrap();
    one.lock_set(LockSet::new().for_share().id::<Item>(1)).unwrap();
    assert_eq!((arena.probe_share("stock", "id = 1"), arena.probe("stock", "id = 1")), (Held::Free, Held::Held));
    two.begin().unwrap();
    let shared = two.lock_set(LockSet::new().for_share().ids::<Item>([1, 2]).no_wait()).unwrap();
    assert_eq!(shared.rows::<Item>().len(), 2);
    let exclusive = two.lock_set(LockSet::new().id::<Item>(1).no_wait());
    assert!(matches!(exclusive, Err(LockError::Contended { .. })), "{exclusive:?}");
    let query = stock::table.filter(stock::id.eq(3)).for_share_of(stock::table);
    assert_eq!(RunLockQuery::load::<Item>(query, one.conn()).unwrap().len(), 1);
    assert_eq!((arena.probe_share("stock", "id = 3"), arena.probe("stock", "id = 3")), (Held::Free, Held::Held));
}

/// B03.
#[test]
fn a_share_that_does_not_wait_names_what_is_held_or_leaves_it_out() {
    let arena = arena_of(5);
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    one.begin().unwrap();
    one.lock_set(LockSet::new().id::<Item>(1)).unwrap();
    two.begin().unwrap();
    let both = || LockSet::new().for_share().ids::<Item>([1, 2]);
    let error = two.lock_set(both().no_wait()).unwrap_err();
    let LockError::Contended { rows, .. } = error else { panic!("{error:?}") };
    assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Item 1"]);
    let locked = two.lock_set(both().skip_locked()).unwrap();
    assert_eq!(locked.rows::<Item>().iter().map(|item| item.id).collect::<Vec<_>>(), [2]);
    let all = || stock::table.filter(stock::id.lt(3)).order(stock::id).for_share_of(stock::table);
    let held = RunLockQuery::load::<Item>(all().no_wait(), two.conn());
    assert!(matches!(&held, Err(LockError::Contended { rows, .. }) if rows.len() == 1), "{held:?}");
    let free: Vec<Item> = all().skip_locked().load(two.conn()).unwrap();
    assert_eq!(free.iter().map(|item| item.id).collect::<Vec<_>>(), [2]);
}

/// E10, E11.
#[test]
fn a_row_that_is_held_is_skipped_whatever_way_leads_to_it() {
    // Not SERIALIZABLE: there every plain read is a locking one, and so is the look for the keys of a query.
    for level in ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ"] {
        let level = format!("ISOLATION LEVEL {level}");
        let arena = arena_of(30);
        let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
        let by_key = || LockSet::new().ids::<Item>([10, 12, 14]);
        let by_shelf = || LockSet::new().query::<Item>(stock::table.filter(stock::shelf.eq(1)));
        let ids =
            |locked: &diesel_lockset::Locked| locked.rows::<Item>().iter().map(|item| item.id).collect::<Vec<_>>();
        one.begin_as(&level).unwrap();
        one.lock_set(by_key()).unwrap();
        two.begin_as(&level).unwrap();
        let free = two.lock_set(by_shelf().skip_locked()).unwrap();
        assert_eq!(ids(&free), [11, 13, 15, 16, 17, 18, 19], "{level}");
        let held = one.lock_set(LockSet::new().ids::<Item>([10, 11, 13, 20]).skip_locked()).unwrap();
        assert_eq!(ids(&held), [10, 20], "{level}");
        one.rollback().unwrap();
        two.rollback().unwrap();
    }
}

/// Q03.
#[test]
fn a_held_parent_keeps_children_of_its_own_from_being_inserted() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, other) = (play.session("holder"), play.session("other"));
    holder
        .run("locks parent 1", |s| {
            s.begin()?;
            s.lock_set(LockSet::new().id::<Parent>(1)).map(drop)
        })
        .unwrap();
    other.run("a child of 2", |s| s.execute("INSERT INTO children (id, parent_id) VALUES (90, 2)")).unwrap();
    let waiting = other.start("a child of 1", |s| s.execute("INSERT INTO children (id, parent_id) VALUES (91, 1)"));
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), Ok(1));
}

/// A set and a pick lock by key, so that a join locks nothing of the other table on either server.
///
/// N07.
#[test]
fn of_a_join_only_the_models_table_is_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let of_one = || children::table.inner_join(parents::table).filter(parents::data.eq("one")).order(children::id);
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().query::<Child>(of_one())).unwrap();
    assert_eq!(locked.rows::<Child>().len(), 2);
    assert_eq!(
        (arena.held_keys("children", "id"), arena.held_keys("parents", "id")),
        (vec!["10".into(), "11".into()], vec![])
    );
    session.rollback().unwrap();
    session.begin().unwrap();
    let next: Option<Child> = of_one().pick_next(session.conn()).unwrap();
    assert_eq!(next.map(|child| child.id), Some(10));
    assert_eq!((arena.held_keys("children", "id"), arena.held_keys("parents", "id")), (vec!["10".to_owned()], vec![]));
    session.rollback().unwrap();
}
