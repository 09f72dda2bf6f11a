//! `sql_select_limit`: a session's limit for statements that have none is no reason to take rows for missing.

use diesel::prelude::*;
use diesel_lockset::*;

use super::{Arena, Driver};
use crate::support::{
    driver::Session,
    models::{Account, Tag},
    schema::{accounts, tags},
};

fn ids(locked: &Locked) -> Vec<i32> {
    locked.rows::<Account>().iter().map(|row| row.id).collect()
}

#[test]
fn a_limit_of_the_session_hides_no_row_from_a_set_a_pick_or_a_claim() {
    let arena = Arena::new();
    arena.execute(
        "DELETE FROM accounts; INSERT INTO accounts (id, owner, balance, v) VALUES (1, 'Ada', 1, 0), (2, 'Ada', 1, 0), \
         (3, 'Ada', 1, 0), (4, 'Ada', 1, 0), (5, 'Ada', 1, 0)",
    );
    for limit in [1, 2] {
        let mut session = Driver::connect(arena.url());
        session.execute(&format!("SET SESSION sql_select_limit = {limit}")).unwrap();
        session.begin().unwrap();
        assert_eq!(ids(&session.lock_set(LockSet::new().ids::<Account>([1, 2, 3])).unwrap()), [1, 2, 3]);
        let query = || accounts::table.filter(accounts::owner.eq("Ada"));
        assert_eq!(ids(&session.lock_set(LockSet::new().query::<Account>(query())).unwrap()), [1, 2, 3, 4, 5]);
        let limited = LockSet::new().query::<Account>(query().order(accounts::id.desc()).limit(4));
        assert_eq!(ids(&session.lock_set(limited).unwrap()), [2, 3, 4, 5]);
        let mixed = LockSet::new().id::<Account>(1).query::<Account>(query().filter(accounts::id.gt(2))).no_wait();
        assert_eq!(ids(&session.lock_set(mixed).unwrap()), [1, 3, 4, 5]);
        let distinct = LockSet::new().query::<Account>(query().distinct()).skip_locked();
        assert_eq!(ids(&session.lock_set(distinct).unwrap()), [1, 2, 3, 4, 5]);
        let in_tags = query().filter(accounts::owner.nullable().ne_all(tags::table.select(tags::name.nullable())));
        assert_eq!(ids(&session.lock_set(LockSet::new().query::<Account>(in_tags)).unwrap()), [1, 2, 3, 4, 5]);
        let picked: Vec<Account> = query().order(accounts::id).pick(4, session.conn()).unwrap();
        assert_eq!(picked.len(), 4);
        let claimed: Vec<Account> =
            query().order(accounts::id).claim(4, accounts::v.eq(accounts::v + 1), session.conn()).unwrap();
        assert_eq!(claimed.iter().map(|row| row.v).collect::<Vec<_>>(), [1; 4]);
        session.rollback().unwrap();
    }
}

/// So many that they are ranked by the server, a row for each.
#[test]
fn many_texts_are_locked_whatever_the_limit_of_the_session() {
    let arena = Arena::new();
    let names: Vec<String> = (0..700).map(|i| format!("name {i:03}")).collect();
    let columns = "INSERT INTO tags (name) VALUES ";
    let values: Vec<_> = names.iter().map(|name| format!("('{name}')")).collect();
    arena.execute(&format!("DELETE FROM tags; {columns}{}", values.join(", ")));
    let mut session = Driver::connect(arena.url());
    session.execute("SET SESSION sql_select_limit = 3").unwrap();
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().ids::<Tag>(names.iter().map(String::as_str))).unwrap();
    assert_eq!(locked.rows::<Tag>().len(), 700);
}

/// The rows that are held are all named.
#[test]
fn what_is_held_is_named_whatever_the_limit_of_the_session() {
    let arena = Arena::new();
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_set(LockSet::new().ids::<Account>([1, 2, 3])).unwrap();
    session.execute("SET SESSION sql_select_limit = 1").unwrap();
    session.begin().unwrap();
    let error = session.lock_set(LockSet::new().ids::<Account>([1, 2, 3]).no_wait()).unwrap_err();
    assert!(matches!(&error, LockError::Contended { rows, .. } if rows.len() == 3), "{error:?}");
    let clause = accounts::table.filter(accounts::id.le(3)).for_update_of(accounts::table).no_wait();
    let error = clause.load::<Account>(session.conn()).unwrap_err();
    assert!(matches!(&error, LockError::Contended { rows, .. } if rows.len() == 3), "{error:?}");
}
