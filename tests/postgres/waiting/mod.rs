//! What of limited patience only PostgreSQL has: its settings, its sessions, its statements, single queries.

use diesel_lockset::LockSet;

use crate::{
    isolation::{Actor, Play},
    support::driver::{Blocking, Session},
};

mod holders;
mod languages;
mod pool;
mod queries_in_time;
mod queries_without_wait;
mod server_limits;
mod settings;
mod statements;
mod table_locks;

type Set = LockSet<'static, diesel::pg::Pg>;

/// A session that has begun and holds what `wants` adds to a set.
fn holder(play: &Play<Blocking>, name: &str, wants: fn(Set) -> Set) -> Actor<Blocking> {
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
fn beginner(play: &Play<Blocking>, name: &str) -> Actor<Blocking> {
    let session = play.session(name);
    session.run("begins", |s| s.begin()).unwrap();
    session
}

/// Account 1 as somebody loaded it long ago.
fn stale() -> crate::support::models::Account {
    crate::support::models::Account { id: 1, owner: "nobody".into(), balance: -1, v: -1 }
}
