//! Locking one row around a closure in which the connection is lost.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::channel,
};

use super::{Arena, Driver, RESOLVES_FIRST, one_row::stale, with_lock::Refusal};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Account, probe::Held},
};

/// Runs `with_lock` and kills the session while the closure is in it; what came of it, with a panic as a text.
fn killed_inside(arena: &Arena, then: fn(Account) -> Result<(), Refusal>) -> Result<Result<(), Refusal>, &'static str> {
    let play = Play::<Driver>::new(arena);
    let session = play.session("session");
    let (is_in, entered) = channel();
    let (go_on, killed) = channel::<()>();
    let pending = session.start("is killed inside", move |s| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            s.with_lock(&stale(), move |account, _| {
                is_in.send(()).unwrap();
                killed.recv().unwrap();
                then(account)
            })
        }));
        outcome.map_err(|panic| *panic.downcast::<&str>().unwrap())
    });
    entered.recv().unwrap();
    session.kill();
    go_on.send(()).unwrap();
    pending.join()
}

/// A09, A21.
#[test]
fn an_error_of_the_closure_comes_back_also_when_the_connection_is_lost() {
    let arena = Arena::new();
    let refused = killed_inside(&arena, |account| Err(Refusal::TooPoor { has: account.balance, wants: 300 }));
    assert_eq!(refused, Ok(Err(Refusal::TooPoor { has: 10, wants: 300 })));
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}

/// A09, A21.
#[test]
fn a_panic_in_the_closure_unwinds_also_when_the_connection_is_lost() {
    let arena = Arena::new();
    let unwound = killed_inside(&arena, |_| panic!("on purpose"));
    assert_eq!(unwound, Err("on purpose"));
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}

/// A08, A21.
#[test]
fn a_closure_whose_connection_is_lost_is_not_told_that_all_went_well() {
    let arena = Arena::new();
    let lost = killed_inside(&arena, |_| Ok(()));
    // Where nothing is sent between the closure and the commit, the server does not say that there was none.
    let is_told = match &lost {
        Ok(Err(Refusal::Diesel(_))) => RESOLVES_FIRST,
        Ok(Err(Refusal::Locking(said))) => !RESOLVES_FIRST && said.starts_with("it is not known"),
        _ => false,
    };
    assert!(is_told, "{lost:?}");
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}
