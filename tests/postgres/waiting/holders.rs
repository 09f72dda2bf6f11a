//! What PostgreSQL tells of the session that holds a row.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet, Lockable as _, RunLockSet, error::Holder};

use super::{beginner, holder, stale};
use crate::{
    isolation::{Actor, Play},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Parent},
    },
};

const SHORT: Duration = Duration::from_millis(50);

fn tries(actor: &Actor<Blocking>) -> Vec<Holder> {
    let error = actor.run("tries", |s| stale().no_wait().name_holders().lock(s.conn())).unwrap_err();
    let LockError::Contended { holders, .. } = error else { panic!("{error:?}") };
    holders
}

/// D01.
#[test]
fn a_holder_is_told_by_its_application_what_it_does_and_since_when() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let idle = play.session("idle");
    idle.run("locks 1 and does no more", |s| {
        s.execute("SET application_name = 'night shift'").unwrap();
        s.begin().unwrap();
        s.lock(&stale()).unwrap();
        s.number("SELECT 4711").unwrap();
    });
    let hasty = beginner(&play, "hasty");
    let [holder] = &tries(&hasty)[..] else { panic!("one holder") };
    assert_eq!(
        (holder.session(), holder.application(), holder.state()),
        (idle.pid(), "night shift", Some("idle in transaction"))
    );
    assert!(holder.statement().unwrap().contains("4711"), "{holder:?}");
    let first = holder.transaction_age().unwrap();
    assert!(first < Duration::from_secs(60), "{holder:?}");
    let text = holder.to_string();
    assert!(
        text.starts_with(&format!("held by session {} (\"night shift\"), idle in transaction", idle.pid())),
        "{text}"
    );
    assert!(!text.contains("4711") && format!("{holder:#}").contains("4711"), "{text}");
    assert!(holder.is_certain());
    let [later] = &tries(&hasty)[..] else { panic!("one holder") };
    assert!(later.transaction_age().unwrap() > first, "{later:?}");
}

/// D01.
#[test]
fn a_holder_that_waits_itself_is_told_by_what_it_waits_for() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let blocker = holder(&play, "blocker", |set| set.id::<Account>(2));
    let busy = holder(&play, "busy", |set| set.id::<Account>(1));
    let waiting = busy.start("waits for 2", |s| s.lock_by_id::<Account>(2));
    waiting.blocked_by(&blocker);
    let hasty = beginner(&play, "hasty");
    let [holder] = &tries(&hasty)[..] else { panic!("one holder") };
    assert_eq!((holder.session(), holder.state()), (busy.pid(), Some("active")));
    assert!(holder.statement().unwrap().contains("FOR UPDATE"), "{holder:?}");
    blocker.run("commits", |s| s.commit()).unwrap();
    waiting.join().unwrap();
}

/// D01.
#[test]
fn asked_again_in_the_same_transaction_who_holds_it_now_is_told() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let first = holder(&play, "first", |set| set.id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    let [holder] = &tries(&hasty)[..] else { panic!("one holder") };
    assert_eq!(holder.session(), first.pid());
    first.run("does something else", |s| s.number("SELECT 4711")).unwrap();
    let [holder] = &tries(&hasty)[..] else { panic!("one holder") };
    assert!(holder.statement().unwrap().contains("4711"), "yesterday's statement: {holder:?}");
    first.run("commits", |s| s.commit()).unwrap();
    let newcomer = super::holder(&play, "newcomer", |set| set.id::<Account>(1));
    let sessions: Vec<i32> = tries(&hasty).iter().map(Holder::session).collect();
    assert_eq!(sessions, [newcomer.pid()]);
}

/// G01.
#[test]
fn a_row_and_a_timeout_name_it_too() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let patient = beginner(&play, "patient");
    let error = patient.start("waits", |s| stale().timeout(SHORT).name_holders().lock(s.conn())).join().unwrap_err();
    let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    let [named] = attempt.holders() else { panic!("{error:?}") };
    assert_eq!((named.session(), named.state()), (holder.pid(), Some("idle in transaction")));
    assert!(named.statement().unwrap().contains("FOR UPDATE OF \"accounts\""), "{named:?}");
    patient.run("goes on", |s| s.lock_by_id::<Account>(2)).unwrap();
}

/// D01.
#[test]
fn without_special_rights_a_session_of_another_role_is_named_without_its_statement() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    // A role that every PostgreSQL has and that may look at nobody else's session.
    arena.execute("GRANT SELECT, UPDATE ON accounts TO pg_write_all_data");
    let hasty = beginner(&play, "hasty");
    hasty.run("becomes somebody else", |s| s.execute("SET LOCAL ROLE pg_write_all_data")).unwrap();
    let [named] = &tries(&hasty)[..] else { panic!("one holder") };
    assert_eq!(named.session(), holder.pid());
    assert_eq!((named.state(), named.transaction_age()), (None, None));
    assert!(named.statement().is_none_or(|statement| !statement.contains("SELECT")), "{named:?}");
}

/// D01, Q01.
#[test]
fn nobody_is_blamed_who_is_not_in_the_way() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _bystander = holder(&play, "bystander", |set| set.ids::<Account>([2, 3]).id::<Parent>(1));
    let gone = holder(&play, "gone", |set| set.id::<Account>(1));
    gone.run("rolls back and holds something else", |s| {
        s.rollback().unwrap();
        s.begin().unwrap();
        s.lock_by_id::<Account>(4).unwrap();
    });
    let culprit = holder(&play, "culprit", |set| set.id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    // It holds a row of the set itself.
    hasty.run("locks 5", |s| s.lock_by_id::<Account>(5)).unwrap();
    let set = |s: &mut Blocking| s.lock_set(LockSet::new().ids::<Account>([1, 5]).no_wait().name_holders());
    let error = hasty.run("tries", set).unwrap_err();
    let LockError::Contended { holders, .. } = &error else { panic!("{error:?}") };
    assert_eq!(holders.iter().map(Holder::session).collect::<Vec<_>>(), [culprit.pid()], "{error:?}");
}

/// A savepoint has a number of its own, and when it is released the server does not tell any more whose it was.
#[test]
fn who_locked_in_a_released_savepoint_is_certain_only_if_nobody_else_may_have() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let in_a_savepoint = |name: &str, id: i32| {
        let actor = beginner(&play, name);
        let set = move |s: &mut Blocking| {
            s.lock_set(LockSet::new().id::<Account>(id).timeout(Duration::from_secs(10)).name_holders()).map(drop)
        };
        actor.run("locks within a limit", set).unwrap();
        actor
    };
    let ada = in_a_savepoint("ada", 1);
    let hasty = beginner(&play, "hasty");
    let [only] = &tries(&hasty)[..] else { panic!("one holder") };
    assert_eq!((only.session(), only.is_certain()), (ada.pid(), true));
    let ben = in_a_savepoint("ben", 2);
    let perhaps = tries(&hasty);
    let mut sessions: Vec<_> = perhaps.iter().map(Holder::session).collect();
    sessions.sort_unstable();
    let mut all = [ada.pid(), ben.pid()];
    all.sort_unstable();
    assert_eq!(sessions, all);
    assert!(perhaps.iter().all(|holder| !holder.is_certain()), "{perhaps:?}");
    assert!(perhaps[0].to_string().starts_with("perhaps held by session "), "{}", perhaps[0]);
}
