//! A server that crashes while a call waits. Each family says how; `cargo xtask test` brings a server for that, and starts it
//! again on the same port and data.

#![allow(dead_code, reason = "there is one server to crash in each family, so one driver does it")]

use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use diesel::Connection;
use diesel_lockset::LockError;

use super::{Arena, Driver, FIXTURES, STEPS, Step, all};
use crate::support::{
    driver::Session,
    patience::{DEADLINE, until},
    probe::Held,
    server::{Observer, Server},
};

type Kind = <Driver as Session>::Server;
type Connected = <Kind as Server>::Conn;

/// Crashes the server; is told who holds and who waits.
type Crash = fn(&mut Connected, i32, i32);

/// At every step of a call.
pub(crate) fn every_step(arena: &Arena, who: &str, crash: Crash) {
    for step in &STEPS {
        let error = at(arena, step, crash);
        assert!(matches!(error, LockError::ConnectionLost(_)), "{who}, {}: {error:?}", step.name);
        assert!(error.transaction_is_lost() && !error.is_retryable(), "{who}, {}: {error:?}", step.name);
        // Nobody holds anything any more, and the same call goes through.
        all(arena, step, Held::Free);
        let mut session = Driver::connect(arena.url());
        session.begin().unwrap();
        (step.call)(&mut session).unwrap();
        all(arena, step, Held::Held);
        session.commit().unwrap();
    }
}

/// What the call says that waited at `step`, as soon as the server is back.
fn at(arena: &Arena, step: &'static Step, crash: Crash) -> LockError {
    arena.execute(FIXTURES);
    let connect = || Driver::connect(arena.url());
    let (mut holder, mut waiter, mut observer) = (connect(), connect(), arena.connect());
    let (holder_pid, waiter_pid) = (holder.pid(), waiter.pid());
    holder.begin().unwrap();
    holder.execute(step.held).unwrap();
    waiter.begin().unwrap();
    let (report, outcome) = channel();
    let thread = thread::spawn(move || {
        let outcome = (step.call)(&mut waiter);
        // The connection is dropped before anybody hears of it.
        drop(waiter);
        let _ = report.send(outcome);
    });
    until(|| observer.blocked_by(waiter_pid).contains(&holder_pid).then_some(()))
        .expect("the call waits for the holder");
    crash(&mut observer, holder_pid, waiter_pid);
    until(|| Kind::number(&mut observer, "SELECT 1").err()).expect("a crash");
    let outcome = outcome.recv_timeout(DEADLINE + Duration::from_secs(5)).expect("the call returns");
    thread.join().unwrap();
    // The server ends one session after the other; the first that is gone is not the last.
    until(|| holder.execute("SELECT 1").err()).expect("its session is gone");
    comes_back(arena.url());
    outcome.expect_err("the session is gone, and its locks with it")
}

/// Returns when the server takes connections again.
fn comes_back(url: &str) {
    let began = Instant::now();
    let back = until(|| Connected::establish(url).ok());
    back.unwrap_or_else(|| panic!("the server does not come back within {:?}", began.elapsed()));
}
