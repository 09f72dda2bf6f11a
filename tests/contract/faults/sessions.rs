//! Sessions that are ended and statements that are cancelled by an administrator: who waits and on who holds.

use diesel_lockset::{LockError, Locked};

use super::{Arena, Driver, FIXTURES, GOES_ON, STEPS, Step, all};
use crate::{
    isolation::{Actor, Pending, Play},
    support::{driver::Session, probe::Held, server::Observer},
};

/// A call that waits at a step, and whom it waits for.
struct Scene {
    holder: Actor<Driver>,
    waiter: Actor<Driver>,
    waiting: Pending<Result<Locked, LockError>>,
}

fn scene(play: &Play<Driver>, arena: &Arena, step: &'static Step) -> Scene {
    arena.execute(FIXTURES);
    let actor = |role: &str| play.session(&format!("{role} of {}", step.name));
    let (holder, waiter) = (actor("holder"), actor("waiter"));
    holder.run("holds", |s| s.begin().and_then(|()| s.execute(step.held))).unwrap();
    waiter.run("begins", |s| s.begin()).unwrap();
    let waiting = waiter.start("locks", step.call);
    waiting.blocked_by(&holder);
    Scene { holder, waiter, waiting }
}

/// The call has succeeded and holds everything; it and its transaction go on.
fn has_everything(arena: &Arena, step: &Step, waiter: &Actor<Driver>, outcome: &Result<Locked, LockError>) {
    assert!(outcome.is_ok(), "{}: {outcome:?}", step.name);
    all(arena, step, Held::Held);
    waiter.run("commits", |s| s.commit()).unwrap();
    all(arena, step, Held::Free);
}

/// P08, G12.
#[test]
fn whoever_waits_and_is_terminated_has_lost_its_connection() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    for step in &STEPS {
        let Scene { holder, waiter, waiting } = scene(&play, &arena, step);
        waiter.kill();
        let error = waiting.join().unwrap_err();
        assert!(matches!(error, LockError::ConnectionLost(_)), "{}: {error:?}", step.name);
        assert!(error.transaction_is_lost() && !error.is_retryable(), "{}: {error:?}", step.name);
        // It says so again, and does not hang.
        let again = waiter.run("tries again", step.call).unwrap_err();
        assert!(matches!(again, LockError::ConnectionLost(_)), "{}, again: {again:?}", step.name);
        holder.run("commits", |s| s.commit()).unwrap();
        all(&arena, step, Held::Free);
    }
}

/// P08, G12, O10.
#[test]
fn whoever_waits_and_is_cancelled_is_told_so_and_can_go_on() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    for step in &STEPS {
        let Scene { holder, waiter, waiting } = scene(&play, &arena, step);
        arena.connect().cancel(waiter.pid());
        let error = waiting.join().unwrap_err();
        let LockError::Canceled { attempt: Some(attempt), .. } = &error else { panic!("{}: {error:?}", step.name) };
        // Where the server has undone the statement, there is no savepoint to roll back to.
        assert_eq!(attempt.rolled_back(), step.rolls_back && !GOES_ON, "{}", step.name);
        let goes_on = step.rolls_back || GOES_ON;
        assert_eq!(error.transaction_is_lost(), !goes_on, "{}", step.name);
        let usable = waiter.run("goes on", |s| s.execute("SELECT 1")).is_ok();
        assert_eq!(usable, goes_on, "{}", step.name);
        waiter.run("rolls back and begins", |s| s.rollback().and_then(|()| s.begin())).unwrap();
        holder.run("rolls back", |s| s.rollback()).unwrap();
        all(&arena, step, Held::Free);
        let outcome = waiter.run("locks at last", step.call);
        has_everything(&arena, step, &waiter, &outcome);
    }
}

/// P08, F01.
#[test]
fn when_the_holder_is_terminated_whoever_waits_gets_everything() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    for step in &STEPS {
        let Scene { holder, waiter, waiting } = scene(&play, &arena, step);
        holder.kill();
        let outcome = waiting.join();
        has_everything(&arena, step, &waiter, &outcome);
        assert_eq!(arena.number("SELECT max(v) FROM accounts"), 0, "what the holder did is undone");
    }
}

/// P08, F01.
#[test]
fn when_the_holder_is_cancelled_whoever_waits_gets_everything_as_soon_as_its_rows_are_free() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let third = play.session("third");
    third.run("locks", |s| s.begin().and_then(|()| s.execute("SELECT 1 FROM tickets FOR UPDATE"))).unwrap();
    for step in &STEPS {
        let Scene { holder, waiter, waiting } = scene(&play, &arena, step);
        let busy = holder.start("waits for the third", |s| s.execute("SELECT 1 FROM tickets FOR UPDATE"));
        busy.blocked_by(&third);
        arena.connect().cancel(holder.pid());
        busy.join().unwrap_err();
        // Either the transaction of the holder is aborted, which frees its rows, although nobody has rolled it back yet, or
        // it goes on, and so does the wait.
        if GOES_ON {
            waiting.blocked_by(&holder);
            holder.run("rolls back", |s| s.rollback()).unwrap();
        }
        let outcome = waiting.join();
        has_everything(&arena, step, &waiter, &outcome);
        if !GOES_ON {
            holder.run("rolls back", |s| s.rollback()).unwrap();
        }
    }
}
