//! Several locking clauses on one query. MariaDB takes one, on all tables of the query.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, RunLockQuery};

use crate::support::{
    arena::ServerArena,
    driver::{MysqlBlocking, Session},
    models::{Child, Parent},
    mysql::MysqlFamily,
    probe::Held,
    schema::{children, parents},
};

type Arena = ServerArena<MysqlFamily>;

macro_rules! family {
    () => {
        parents::table.inner_join(children::table).filter(parents::id.eq(1)).order(children::id)
    };
}

/// What another session finds of parent 1 and child 10: for changing, for sharing.
fn found(arena: &Arena) -> [[Held; 2]; 2] {
    [("parents", "id = 1"), ("children", "id = 10")]
        .map(|(table, row)| [arena.probe(table, row), arena.probe_share(table, row)])
}

#[test]
fn each_clause_counts_or_the_strongest_for_all() {
    const UPDATE: [Held; 2] = [Held::Held, Held::Held];
    const SHARE: [Held; 2] = [Held::Held, Held::Free];
    let arena = Arena::new();
    let names_tables = arena.locks_named_tables_only();
    let mut session = MysqlBlocking::connect(arena.url());
    macro_rules! locks {
        ($query:expr, $wanted:expr, $strongest:expr) => {
            session.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
            let rows: Result<Vec<(Parent, Child)>, LockError> = $query.load(session.conn());
            assert_eq!(rows.unwrap().len(), 2, stringify!($query));
            let wanted = if names_tables { $wanted } else { [$strongest; 2] };
            assert_eq!(found(&arena), wanted, stringify!($query));
            session.rollback().unwrap();
        };
    }
    locks!(family!().for_update_of(parents::table).for_update_of(children::table), [UPDATE, UPDATE], UPDATE);
    locks!(family!().for_update_of(parents::table).for_share_of(children::table), [UPDATE, SHARE], UPDATE);
    locks!(family!().for_share_of(parents::table).for_update_of(children::table), [SHARE, UPDATE], UPDATE);
    locks!(family!().for_share_of(parents::table).for_share_of(children::table), [SHARE, SHARE], SHARE);
    locks!(family!().into_boxed().for_share_of(children::table).for_update_of(parents::table), [UPDATE, SHARE], UPDATE);
    locks!(
        family!().for_share_of(children::table).for_update_of(parents::table).skip_locked(),
        [UPDATE, SHARE],
        UPDATE
    );
}

#[test]
fn a_table_that_is_named_twice_is_locked_once_at_the_strongest() {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    let parent = diesel::alias!(parents as parent);
    macro_rules! locks {
        ($query:expr) => {
            session.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
            let rows: Result<Vec<i32>, LockError> = $query.load(session.conn());
            assert_eq!(rows.unwrap(), [1], stringify!($query));
            assert_eq!(found(&arena)[0], [Held::Held, Held::Held], stringify!($query));
            session.rollback().unwrap();
        };
    }
    let one = || parents::table.filter(parents::id.eq(1)).select(parents::id);
    let alias = || parent.filter(parent.field(parents::id).eq(1)).select(parent.field(parents::id));
    locks!(one().for_update_of(parents::table).for_update_of(parents::table));
    locks!(one().for_share_of(parents::table).for_update_of(parents::table));
    locks!(one().for_update_of(parents::table).for_share_of(parents::table).skip_locked());
    locks!(one().for_share_of(parents::table).for_update_of(parents::table).for_share_of(parents::table));
    locks!(alias().for_update_of(parent).for_share_of(parent));
}

#[test]
fn skipping_counts_for_all_clauses_before_it() {
    let arena = Arena::new();
    for busy in ["parents WHERE id = 1", "children WHERE id = 10"] {
        let mut holder = MysqlBlocking::connect(arena.url());
        holder.begin().unwrap();
        holder.execute(&format!("SELECT * FROM {busy} FOR UPDATE")).unwrap();
        let mut session = MysqlBlocking::connect(arena.url());
        // Whoever waits is told so at once.
        session.execute("SET innodb_lock_wait_timeout = 1").unwrap();
        session.begin().unwrap();
        let both =
            family!().select(children::id).for_update_of(parents::table).for_update_of(children::table).skip_locked();
        let rows: Vec<i32> = both.load(session.conn()).unwrap_or_else(|error| panic!("{busy}: {error:?}"));
        assert!(!rows.contains(&10), "{busy}: {rows:?}");
    }
}
