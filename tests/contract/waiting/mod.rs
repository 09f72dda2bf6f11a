//! Sets and rows that are not waited for at any price: `no_wait`, `skip_locked`, `timeout`, and who is in the way.

use diesel_lockset::{LockError, LockSet};

pub(crate) use super::one_row::stale;
use super::{Arena, Driver};
use crate::{
    isolation::{Actor, Play},
    support::driver::Session,
};

mod free_rows;
pub(crate) mod messages;
mod no_wait;
mod no_wait_queries;
mod skip_locked;
mod skip_locked_queries;
mod staggered;
mod timeout;
mod told;

use self::told::keys;
pub(crate) use self::told::{goes_on_and_commits, names};

pub(crate) type Set = LockSet<'static, <Driver as Session>::Backend>;

/// A session that has begun and holds what `wants` adds to a set.
pub(crate) fn holder(play: &Play<Driver>, name: &str, wants: fn(Set) -> Set) -> Actor<Driver> {
    let holder = play.session(name);
    holder
        .run("locks", move |s| {
            s.begin()?;
            s.lock_set(wants(LockSet::new())).map(drop)
        })
        .unwrap();
    holder
}

/// A session that has begun.
pub(crate) fn beginner(play: &Play<Driver>, name: &str) -> Actor<Driver> {
    let session = play.session(name);
    session.run("begins", |s| s.begin()).unwrap();
    session
}

/// The names of the rows that a call which does not wait met busy.
#[track_caller]
fn busy<T: std::fmt::Debug>(result: Result<T, LockError>) -> Vec<String> {
    let error = result.unwrap_err();
    assert!(error.is_contended() && !error.is_retryable() && !error.transaction_is_lost(), "{error:?}");
    let LockError::Contended { rows, holders, source: None } = error else { panic!("{error:?}") };
    assert!(holders.is_empty(), "nobody asked: {holders:?}");
    names(&rows)
}
