//! What a locker gets that had to wait, when the one it waited for has changed something, deleted it, or thought better.

mod instances;
mod limited;
mod limited_out_of_order;
mod mixed;
mod odd_names;
mod queries;
mod unchanged;

use std::{cell::Cell, fmt::Debug};

use super::{Arena, Driver, stale};
use crate::{
    isolation::{Actor, Play},
    support::driver::Session,
};

/// A holder who does something in a transaction, and a locker who comes into its way.
struct Scene {
    holder: Actor<Driver>,
    locker: Actor<Driver>,
    play: Play<Driver>,
    table: Option<&'static str>,
    /// The locker sees what is committed meanwhile, also where it would not by default.
    sees_commits: bool,
    begun: Cell<bool>,
    // Last, so that it is dropped when nobody is in it.
    arena: Arena,
}

impl Scene {
    fn new() -> Self {
        let arena = Arena::new();
        let play = Play::new(&arena);
        let (holder, locker) = (play.session("holder"), play.session("locker"));
        Scene { holder, locker, play, table: None, sees_commits: false, begun: Cell::new(false), arena }
    }

    /// A scene in which a query that is asked again has another answer when others have committed.
    fn of_commits() -> Self {
        Scene { sees_commits: true, ..Self::new() }
    }

    /// A scene whose `table` has its rows back at the beginning of every act.
    fn of(table: &'static str) -> Self {
        let scene = Scene { table: Some(table), ..Self::new() };
        scene.arena.execute(&format!("CREATE TABLE fixtures AS SELECT * FROM {table}"));
        scene
    }

    /// Ends the act before, if there was one: nobody holds anything any more.
    fn begin(&self) {
        if self.begun.replace(true) {
            self.locker.run("ends the act", |s| s.rollback()).unwrap();
            if let Some(table) = self.table {
                self.arena.execute(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM fixtures"));
            }
        }
    }

    /// What `lock` comes to, which waits for a transaction of `change` that is then committed.
    #[track_caller]
    fn after<T, F>(&self, change: &str, lock: F) -> T
    where
        T: Debug + Send + 'static,
        F: FnOnce(&mut Driver) -> T + Send + 'static,
    {
        self.wait_for(change, true, lock)
    }

    /// What `lock` comes to, which waits for a transaction of `change` that is then rolled back.
    #[track_caller]
    fn after_undoing<T, F>(&self, change: &str, lock: F) -> T
    where
        T: Debug + Send + 'static,
        F: FnOnce(&mut Driver) -> T + Send + 'static,
    {
        self.wait_for(change, false, lock)
    }

    #[track_caller]
    fn wait_for<T, F>(&self, change: &str, commit: bool, lock: F) -> T
    where
        T: Debug + Send + 'static,
        F: FnOnce(&mut Driver) -> T + Send + 'static,
    {
        self.begin();
        does(&self.holder, change);
        let sees_commits = self.sees_commits;
        let waiting = self.locker.start("locks", move |s| {
            begin(s, sees_commits);
            lock(s)
        });
        waiting.blocked_by(&self.holder);
        self.holder.run("ends", move |s| if commit { s.commit() } else { s.rollback() }).unwrap();
        waiting.join()
    }

    /// The keys that nobody else could lock now.
    fn held(&self, table: &str, key: &str) -> Vec<String> {
        self.arena.held_keys(table, key)
    }
}

/// Begins and runs statements, separated by semicolons.
#[track_caller]
fn does(actor: &Actor<Driver>, statements: &str) {
    let statements: Vec<String> = statements.split(';').map(|statement| statement.trim().to_owned()).collect();
    let label = statements.join("; ");
    actor.run(&label, move |s| {
        s.begin().unwrap();
        for statement in statements {
            s.execute(&statement).unwrap();
        }
    });
}

fn begin(s: &mut Driver, sees_commits: bool) {
    if sees_commits { s.begin_as("ISOLATION LEVEL READ COMMITTED") } else { s.begin() }.unwrap();
}
