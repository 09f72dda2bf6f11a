//! `skip_locked` on instances and keys: what is held is left out and named, and told from what is missing.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, beginner, goes_on_and_commits, holder, keys, names, stale};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, AccountSummary, Order, Seat},
    },
};

/// Account `id`, as somebody loaded it long ago.
fn account(id: i32) -> Account {
    Account { id, ..stale() }
}

/// The accounts that came back, and the names of what was left out.
fn skips<const N: usize>(s: &mut Driver, ids: [i32; N]) -> (Vec<i32>, Vec<String>) {
    let locked = s.lock_set(LockSet::new().ids::<Account>(ids).skip_locked()).unwrap();
    (keys::<Account>(&locked), names(locked.skipped()))
}

/// E01.
#[test]
fn held_rows_are_left_out_and_named_and_the_others_are_locked() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.ids::<Account>([3, 1]));
    let skipper = beginner(&play, "skipper");
    let (got, skipped) = skipper.run("takes four", |s| skips(s, [4, 3, 2, 1, 3]));
    assert_eq!((got, skipped), (vec![2, 4], vec!["Account 1".to_owned(), "Account 3".to_owned()]));
    holder.run("rolls back", |s| s.rollback()).unwrap();
    assert_eq!(arena.held_keys("accounts", "id"), ["2", "4"]);
    assert_eq!(skipper.run("takes four again", |s| skips(s, [1, 2, 3, 4])), (vec![1, 2, 3, 4], vec![]));
    skipper.run("goes on", goes_on_and_commits);
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 5"), 1);
}

/// E02.
#[test]
fn if_everything_is_held_there_is_nothing_and_no_error() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>(1..=4));
    let skipper = beginner(&play, "skipper");
    let (got, skipped) = skipper.run("takes four", |s| skips(s, [1, 2, 3, 4]));
    assert_eq!((got, skipped.len()), (vec![], 4));
    skipper.run("goes on", goes_on_and_commits);
}

/// E03, A03.
#[test]
fn one_row_is_there_or_held_or_missing() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let skipper = beginner(&play, "skipper");
    assert_eq!(skipper.run("a held one", |s| s.skip_locked(&account(1))).unwrap(), None);
    assert_eq!(skipper.run("a free one", |s| s.skip_locked(&account(2))).unwrap().unwrap().balance, 20);
    let missing = skipper.run("a missing one", |s| s.skip_locked(&account(99)));
    let Err(LockError::Missing { rows }) = missing else { panic!("{missing:?}") };
    assert_eq!(names(&rows), ["Account 99"]);
    skipper.run("goes on", goes_on_and_commits);
}

/// E01, E03.
#[test]
fn a_skipped_row_is_told_from_a_missing_one() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1).id::<Seat>(("A".to_owned(), 1)));
    let skipper = beginner(&play, "skipper");
    let set = || {
        LockSet::new()
            .ids::<Seat>([("A", 1), ("A", 2), ("Z", 1)].map(|(section, number)| (section.to_owned(), number)))
            .ids::<Account>([99, 2, 1, 98])
    };
    let refused = skipper.run("takes all or nothing", move |s| s.lock_set(set().skip_locked()));
    let Err(LockError::Missing { rows }) = refused else { panic!("{refused:?}") };
    assert_eq!(names(&rows), ["Account 99", "Account 98", "Seat (\"Z\", 1)"]);
    let locked = skipper.run("takes what is there", move |s| s.lock_set(set().allow_missing().skip_locked())).unwrap();
    assert_eq!(names(locked.skipped()), ["Account 1", "Seat (\"A\", 1)"]);
    assert_eq!(names(locked.missing()), ["Account 99", "Account 98", "Seat (\"Z\", 1)"]);
    assert_eq!((keys::<Account>(&locked), locked.rows::<Seat>().len()), (vec![2], 1));
    let skipped = locked.row(&account(1)).unwrap_err();
    assert_eq!(super::busy(Err::<(), _>(skipped)), ["Account 1"]);
    let missing = locked.id::<Account>(99).unwrap_err();
    assert!(matches!(missing, LockError::Missing { .. }), "{missing:?}");
    let never = locked.id::<Account>(3).unwrap_err();
    assert!(matches!(never, LockError::NotInSet { .. }), "{never:?}");
}

/// E01.
#[test]
fn each_of_two_models_of_one_table_names_what_was_left_out() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>([1, 2]).id::<Order>(1));
    let skipper = beginner(&play, "skipper");
    let set = LockSet::new().ids::<AccountSummary>([2, 3]).ids::<Account>([1, 2, 4]).ids::<Order>([1, 2]);
    let locked = skipper.run("takes", move |s| s.lock_set(set.skip_locked())).unwrap();
    let mut skipped = names(locked.skipped());
    skipped.sort();
    assert_eq!(skipped, ["Account 1", "Account 2", "AccountSummary 2", "Order 1"]);
    assert_eq!((keys::<Account>(&locked), keys::<AccountSummary>(&locked)), (vec![4], vec![3]));
    assert_eq!(keys::<Order>(&locked), [2]);
}

/// E04.
#[test]
fn what_this_transaction_holds_is_not_skipped() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (beginner(&play, "first"), beginner(&play, "second"));
    for _ in 0..2 {
        assert_eq!(first.run("takes 1 and 2", |s| skips(s, [1, 2])), (vec![1, 2], vec![]));
        assert!(first.run("takes 1", |s| s.skip_locked(&account(1))).unwrap().is_some());
        first.run("changes it in a nested transaction", |s| {
            s.begin().unwrap();
            s.execute("UPDATE accounts SET v = v + 1 WHERE id = 1").unwrap();
        });
    }
    let rest = (vec![3], vec!["Account 1".to_owned(), "Account 2".to_owned()]);
    assert_eq!(second.run("takes the rest", |s| skips(s, [1, 2, 3])), rest);
}

/// E05.
#[test]
fn shared_rows_are_not_skipped_by_those_who_share() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (beginner(&play, "first"), beginner(&play, "second"));
    let share = |s: &mut Driver| s.lock_set(LockSet::new().for_share().ids::<Account>(1..=3).skip_locked());
    for session in [&first, &second] {
        let locked = session.run("shares", share).unwrap();
        assert_eq!((keys::<Account>(&locked), locked.skipped().len()), (vec![1, 2, 3], 0));
    }
    let alone = beginner(&play, "alone").run("wants them alone", |s| skips(s, [1, 2, 3, 4]));
    assert_eq!((alone.0, alone.1.len()), (vec![4], 3));
}

/// E07.
#[test]
fn a_row_with_a_queue_is_skipped_and_the_queue_keeps_its_order() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let (queued, skipper) = (beginner(&play, "queued"), beginner(&play, "skipper"));
    let waiting = queued.start("locks", |s| s.lock(&stale()));
    waiting.blocked_by(&holder);
    let rest = (vec![2], vec!["Account 1".to_owned()]);
    assert_eq!(skipper.run("takes", |s| skips(s, [1, 2])), rest);
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    waiting.join().unwrap();
    assert_eq!(skipper.run("takes again", |s| skips(s, [1, 2])), rest);
}
