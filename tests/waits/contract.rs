//! Who waits for whom, on every server. Included once for each driver.

use std::collections::BTreeSet;

use diesel_lockset::{
    AdvisoryLock,
    waits::{LockKind, LockWait, LockWaits},
};

use super::{Driver, snapshot, verbs::RunAdvisoryLock as _};
use crate::{
    isolation::{Actor, Pending, Play},
    support::{arena::ServerArena, driver::Session, patience::until, server::Observer},
};

type Arena = ServerArena<<Driver as Session>::Server>;
type Waiting = Pending<()>;

/// Locks account `id`, in the words of every server.
fn lock(id: i32) -> String {
    format!("SELECT balance FROM accounts WHERE id = {id} FOR UPDATE")
}

/// A session that has begun and holds the accounts `ids`.
fn holder(play: &Play<Driver>, name: &str, ids: &'static [i32]) -> Actor<Driver> {
    let holder = play.session(name);
    holder.run("begins", |s| s.begin()).unwrap();
    for id in ids {
        holder.run("locks", move |s| s.execute(&lock(*id))).unwrap();
    }
    holder
}

/// Has a session wait for account `id`; it may fail when the test ends.
fn wait_for(actor: &Actor<Driver>, id: i32) -> Waiting {
    actor.start("locks", move |s| drop(s.execute(&lock(id))))
}

/// The first snapshot that is as it is `wanted`.
#[track_caller]
fn seen(observer: &mut Driver, wanted: impl Fn(&LockWaits) -> bool) -> LockWaits {
    let mut last = None;
    let found = until(|| {
        let waits = snapshot(observer.conn()).unwrap();
        if wanted(&waits) {
            return Some(waits);
        }
        last = Some(waits);
        None
    });
    found.unwrap_or_else(|| panic!("{}\n{last:#?}", last.as_ref().unwrap()))
}

/// The number of a session in a snapshot.
fn pid(actor: &Actor<Driver>) -> i64 {
    actor.pid().into()
}

fn wait_of(waits: &LockWaits, session: i64) -> Option<&LockWait> {
    waits.waits.iter().find(|wait| wait.waiter == session)
}

fn blockers(wait: &LockWait) -> BTreeSet<i64> {
    wait.holders.iter().chain(&wait.ahead).copied().collect()
}

/// Compares all waits of these sessions with what the server says when it is asked about each.
#[track_caller]
fn assert_as_the_server_says(arena: &Arena, waits: &LockWaits, sessions: &[&Actor<Driver>]) {
    let mut other = arena.connect();
    for session in sessions {
        let told: BTreeSet<i64> = other.blocked_by(session.pid()).into_iter().map(i64::from).collect();
        let shown = wait_of(waits, pid(session)).map(blockers).unwrap_or_default();
        assert_eq!(shown, told, "{} ({}):\n{waits}", session.name(), pid(session));
    }
}

#[test]
fn nobody_waits() {
    let arena = Arena::new();
    let mut observer = Driver::connect(arena.url());
    let pid = i64::from(observer.pid());
    let waits = snapshot(observer.conn()).unwrap();
    assert!(wait_of(&waits, pid).is_none() && waits.session(pid).is_none(), "{waits}");
}

#[test]
fn a_chain_of_four() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let root = holder(&play, "root", &[1]);
    let names = ["first", "second", "third", "fourth"];
    let held: [&[i32]; 4] = [&[2], &[3], &[4], &[]];
    let chain: Vec<Actor<Driver>> = (0..4).map(|i| holder(&play, names[i], held[i])).collect();
    let all: Vec<&Actor<Driver>> = [&root].into_iter().chain(&chain).collect();
    let mut pending = Vec::new();
    for (i, session) in chain.iter().enumerate() {
        let waiting = wait_for(session, i as i32 + 1);
        waiting.blocked_by(all[i]);
        pending.push(waiting);
    }
    let mut observer = Driver::connect(arena.url());
    let pids: Vec<i64> = all.iter().map(|actor| pid(actor)).collect();
    let waits = seen(&mut observer, |waits| pids[1..].iter().all(|pid| wait_of(waits, *pid).is_some()));
    assert_as_the_server_says(&arena, &waits, &all);
    for (i, pid) in pids[1..].iter().enumerate() {
        let wait = wait_of(&waits, *pid).unwrap();
        assert_eq!(
            (&wait.kind, &wait.holders[..], &wait.ahead[..]),
            (&LockKind::Row, &[pids[i]][..], &[][..]),
            "{waits}"
        );
        assert!(wait.table.as_ref().is_some_and(|table| table.contains("accounts")), "{wait:?}");
        assert!(wait.key.is_some() && wait.mode.is_some() && wait.waited.is_some(), "{wait:?}");
        let session = waits.session(*pid).unwrap();
        assert!(session.statement.as_ref().is_some_and(|text| text.contains("FOR UPDATE")), "{session:?}");
        assert!(session.transaction_age >= wait.waited.filter(|_| false), "{session:?}");
        assert!(!session.is_idle_in_transaction(), "{session:?}");
    }
    let roots: Vec<i64> = waits.roots().iter().map(|root| root.id).filter(|id| pids.contains(id)).collect();
    assert_eq!(roots, [pid(&root)]);
    let first = waits.session(pid(&root)).unwrap();
    assert!(
        first.is_idle_in_transaction() && first.transaction_age.is_some() && first.state_age.is_some(),
        "{first:?}"
    );
    root.kill();
}

#[test]
fn a_tree_of_ten() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let root = holder(&play, "root", &[1, 2]);
    let middle = holder(&play, "middle", &[3, 4]);
    let low = holder(&play, "low", &[5]);
    let waiting_for_middle = wait_for(&middle, 1);
    waiting_for_middle.blocked_by(&root);
    let waiting_for_low = wait_for(&low, 3);
    waiting_for_low.blocked_by(&middle);
    let leaves: Vec<(Actor<Driver>, i32, &Actor<Driver>)> = [1, 2, 2, 3, 4, 4, 5, 5]
        .into_iter()
        .zip(["a", "b", "c", "d", "e", "f", "g", "h"])
        .map(|(id, name)| (holder(&play, name, &[]), id, [&root, &root, &middle, &middle, &low][id as usize - 1]))
        .collect();
    let mut pending = vec![waiting_for_middle, waiting_for_low];
    for (leaf, id, _) in &leaves {
        let waiting = wait_for(leaf, *id);
        assert!(waiting.still_blocked(), "{} for {id}", leaf.name());
        pending.push(waiting);
    }
    let all: Vec<&Actor<Driver>> =
        [&root, &middle, &low].into_iter().chain(leaves.iter().map(|(leaf, ..)| leaf)).collect();
    let mut observer = Driver::connect(arena.url());
    let waits = seen(&mut observer, |waits| all[1..].iter().all(|actor| wait_of(waits, pid(actor)).is_some()));
    assert_as_the_server_says(&arena, &waits, &all);
    for (leaf, id, by) in &leaves {
        // Whoever came first is in the way of those that came later, and is itself kept by the holder.
        let mut way = vec![pid(leaf)];
        while let Some(wait) = wait_of(&waits, *way.last().unwrap()) {
            let next = blockers(wait).into_iter().find(|next| !way.contains(next)).unwrap();
            way.push(next);
        }
        assert!(way.contains(&pid(by)), "{} for {id}: {way:?}\n{waits}", leaf.name());
    }
    let roots: BTreeSet<i64> = waits.roots().iter().map(|root| root.id).collect();
    assert!(roots.contains(&pid(&root)) && !all[1..].iter().any(|actor| roots.contains(&pid(actor))), "{waits}");
    let chart = waits.to_mermaid();
    for actor in &all {
        assert_eq!(chart.matches(&format!(" s{}[\"session {}", pid(actor), pid(actor))).count(), 1, "{chart}");
        let lines = waits.to_string();
        let shown = lines.lines().filter(|line| line.contains(&format!("session {} ", pid(actor))));
        assert_eq!(shown.count(), 1, "{lines}");
    }
    root.kill();
}

#[test]
fn a_transaction_goes_on_after_a_snapshot() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", &[1]);
    let waiter = play.session("waiter");
    let waiting = wait_for(&waiter, 1);
    waiting.blocked_by(&holder);
    let mut observer = Driver::connect(arena.url());
    observer.begin().unwrap();
    observer.execute("UPDATE accounts SET v = 1 WHERE id = 2").unwrap();
    let waits = seen(&mut observer, |waits| wait_of(waits, pid(&waiter)).is_some());
    assert_eq!(wait_of(&waits, pid(&waiter)).unwrap().holders, [pid(&holder)]);
    observer.execute("UPDATE accounts SET v = 1 WHERE id = 3").unwrap();
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "3"]);
    observer.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
    holder.run("commits", |s| s.commit()).unwrap();
    waiting.join();
}

#[test]
fn a_snapshot_leaves_no_transaction_open() {
    let arena = Arena::new();
    let mut observer = Driver::connect(arena.url());
    let sent = observer.overhear();
    let _ = snapshot(observer.conn()).unwrap();
    let sent = sent.take();
    let begun = sent.iter().filter(|line| line.starts_with("BEGIN")).count();
    let ended = sent.iter().filter(|line| line.starts_with("ROLLBACK")).count();
    assert_eq!(begun, ended, "{sent:?}");
    observer.begin().unwrap();
    observer.commit().unwrap();
}

#[test]
fn advisory_locks_have_the_names_that_they_are_given() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let name = || AdvisoryLock::named("a report");
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    holder.run("takes", move |s| name().acquire(s.conn()).map(std::mem::forget)).unwrap();
    let waiting = waiter.start("takes", move |s| drop(name().acquire(s.conn()).map(std::mem::forget)));
    let mut observer = Driver::connect(arena.url());
    let waits = seen(&mut observer, |waits| wait_of(waits, pid(&waiter)).is_some());
    let wait = wait_of(&waits, pid(&waiter)).unwrap();
    assert_eq!(wait.kind, LockKind::Advisory);
    assert!(wait.advisory_lock.is_none() && wait.table.is_none() && wait.ahead.is_empty());
    if wait.key.is_none() {
        // MariaDB tells neither.
        assert!(
            wait.holders.is_empty() && waits.limits.iter().any(|limit| limit.contains("AdvisoryLock::holders")),
            "{waits}"
        );
        assert!(waits.to_string().contains(", held by a session that is not reported"), "{waits}");
    } else {
        let key = [name().name().key().to_string(), name().name().key_in(arena.name())];
        assert!(wait.key.as_ref().is_some_and(|shown| key.contains(shown)), "{wait:?}");
        assert_eq!(wait.holders, [pid(&holder)]);
        let others = AdvisoryLock::named("another");
        let named = waits.named([others.name(), name().name()]);
        assert_eq!(wait_of(&named, pid(&waiter)).unwrap().advisory_lock.as_deref(), Some("|a report"));
        assert!(named.to_string().contains("\"|a report\""), "{named}");
    }
    holder.kill();
    waiting.join();
}

#[test]
fn a_table_that_is_altered_is_waited_for() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", &[1]);
    let altering = play.session("altering");
    let altered = altering.start("alters", |s| drop(s.execute("ALTER TABLE accounts ADD COLUMN more INTEGER")));
    let mut observer = Driver::connect(arena.url());
    let waits = seen(&mut observer, |waits| wait_of(waits, pid(&altering)).is_some());
    let behind = play.session("behind");
    let reading = behind.start("reads", |s| drop(s.execute("SELECT balance FROM accounts")));
    let both = seen(&mut observer, |waits| wait_of(waits, pid(&behind)).is_some());
    let (first, second) = (wait_of(&waits, pid(&altering)).unwrap(), wait_of(&both, pid(&behind)).unwrap());
    assert_eq!((&first.kind, &second.kind), (&LockKind::Table, &LockKind::Table));
    if first.table.is_none() {
        // MariaDB tells neither.
        assert!(
            first.holders.is_empty() && waits.limits.iter().any(|limit| limit.contains("METADATA_LOCK_INFO")),
            "{waits}"
        );
    } else {
        assert!(first.table.as_ref().is_some_and(|table| table.contains("accounts")), "{first:?}");
        assert_eq!((&first.holders[..], &second.ahead[..]), (&[pid(&holder)][..], &[pid(&altering)][..]), "{both}");
    }
    holder.run("commits", |s| s.commit()).unwrap();
    altered.join();
    reading.join();
}
