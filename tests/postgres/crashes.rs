//! Crashes of the server: a backend that is killed takes all sessions with it, and so does an immediate shutdown.

use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection, PgConnection, connection::SimpleConnection};
use diesel_lockset::LockError;

use super::blocking::contract::faults::{FIXTURES, STEPS, Step, all};
use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    patience::{DEADLINE, until},
    postgres::urls,
    postgres::waits::wait_until_blocked,
    probe::Held,
};

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Crash {
    Waiter,
    Holder,
    /// An immediate shutdown; whoever watches over the server starts it again.
    Server,
}

impl Crash {
    /// The command, run where the server runs, in the directory of its data. The server's user may do that.
    fn command(self, holder: i32, waiter: i32) -> String {
        match self {
            Crash::Waiter => format!("kill -KILL {waiter}"),
            Crash::Holder => format!("kill -KILL {holder}"),
            Crash::Server => "kill -QUIT $(head -n 1 postmaster.pid)".to_owned(),
        }
    }
}

/// Returns when the server takes connections again.
fn comes_back(url: &str) {
    let began = Instant::now();
    let back = until(|| PgConnection::establish(url).ok());
    back.unwrap_or_else(|| panic!("the server does not come back within {:?}", began.elapsed()));
}

/// Crashes the server while a call waits at `step`: what the call says.
fn crash(arena: &Arena, step: &'static Step, crash: Crash) -> LockError {
    arena.execute(FIXTURES);
    let connect = || Blocking::connect(arena.url());
    let (mut holder, mut changer, mut waiter, mut observer) = (connect(), connect(), connect(), arena.pg());
    let (holder_pid, changer_pid, waiter_pid) = (holder.pid(), changer.pid(), waiter.pid());
    holder.begin().unwrap();
    holder.execute(step.held).unwrap();
    if let Some(change) = step.changed {
        changer.begin().unwrap();
        changer.execute(change).unwrap();
    }
    waiter.begin().unwrap();
    let (report, outcome) = channel();
    let thread = thread::spawn(move || {
        let outcome = (step.call)(&mut waiter);
        // The connection is dropped before anybody hears of it.
        drop(waiter);
        let _ = report.send(outcome);
    });
    if step.changed.is_some() {
        assert_eq!(wait_until_blocked(&mut observer, waiter_pid), [changer_pid]);
        changer.commit().unwrap();
    }
    until(|| wait_until_blocked(&mut observer, waiter_pid).contains(&holder_pid).then_some(())).unwrap();
    let command = crash.command(holder_pid, waiter_pid);
    // The statement does not come back if the crash is quick.
    let _ = observer.batch_execute(&format!("COPY (SELECT) TO PROGRAM '{command}'"));
    until(|| observer.batch_execute("SELECT 1").err()).expect("a crash");
    let outcome = outcome.recv_timeout(DEADLINE + Duration::from_secs(5)).expect("the call returns");
    thread.join().unwrap();
    // The postmaster ends one process after the other; the first that is gone is not the last.
    until(|| holder.execute("SELECT 1").err()).expect("its session is gone");
    comes_back(arena.url());
    outcome.expect_err("the session is gone, and its locks with it")
}

fn every_step(who: Crash) {
    let arena = Arena::on(urls::crash_url());
    for step in &STEPS {
        let error = crash(&arena, step, who);
        assert!(matches!(error, LockError::ConnectionLost(_)), "{who:?}, {}: {error:?}", step.name);
        assert!(error.transaction_is_lost() && !error.is_retryable(), "{who:?}, {}: {error:?}", step.name);
        // Nobody holds anything any more, and the same call goes through.
        all(&arena, step, Held::Free);
        let mut session = Blocking::connect(arena.url());
        session.begin().unwrap();
        (step.call)(&mut session).unwrap();
        all(&arena, step, Held::Held);
        session.commit().unwrap();
    }
}

/// P08.
///
/// One test, since there is one server to crash.
#[test]
fn a_crash_is_a_lost_connection_at_every_step() {
    for who in [Crash::Waiter, Crash::Holder, Crash::Server] {
        every_step(who);
    }
}
