//! Shared advisory locks.

use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock, markers::Shared};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

fn report() -> AdvisoryLock {
    AdvisoryLock::named("report")
}

fn shared() -> AdvisoryLock<Shared> {
    report().shared()
}

/// L03.
#[test]
fn those_who_share_coexist_and_exclude_the_others() {
    let arena = Arena::new();
    let [mut one, mut two, mut three] = [(); 3].map(|()| Blocking::connect(arena.url()));
    {
        let _first = shared().acquire(one.conn()).unwrap();
        let _second = shared().try_acquire(two.conn()).unwrap().expect("shared with the first");
        assert!(report().try_acquire(three.conn()).unwrap().is_none());
        assert!(shared().try_acquire(three.conn()).unwrap().is_some());
        assert_eq!(report().holders(three.conn()).unwrap().len(), 2);
    }
    let _alone = report().acquire(one.conn()).unwrap();
    assert!(shared().try_acquire(two.conn()).unwrap().is_none());
    assert!(report().try_acquire(two.conn()).unwrap().is_none());
}

/// L01, L03.
#[test]
fn sharing_for_a_transaction_ends_with_it() {
    let arena = Arena::new();
    let (mut one, mut two) = (Blocking::connect(arena.url()), Blocking::connect(arena.url()));
    one.begin().unwrap();
    two.begin().unwrap();
    shared().acquire_for_transaction(one.conn()).unwrap();
    assert!(shared().try_acquire_for_transaction(two.conn()).unwrap());
    two.rollback().unwrap();
    assert!(report().try_hold(two.conn(), |_| Ok::<_, LockError>(())).unwrap().is_none());
    one.commit().unwrap();
    assert!(report().try_hold(two.conn(), |_| Ok::<_, LockError>(())).unwrap().is_some());
}
