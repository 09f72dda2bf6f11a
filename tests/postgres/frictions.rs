//! Small things that real code stumbled over, as in `FRICTIONS.md`.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use crate::support::{
    arena::Arena,
    models::{Account, Tag},
    schema::accounts,
};

/// The model of [`Account`] in the next version of a program, with another name and other fields.
#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
#[lockable(name = "Account")]
struct Customer {
    id: i32,
    owner: String,
}

/// Programs of both versions exclude each other.
#[test]
fn a_model_that_was_renamed_keeps_its_locks() {
    let (before, after) = (AdvisoryLock::id::<Account>(3), AdvisoryLock::id::<Customer>(3));
    assert_eq!((before.name(), after.name().text()), (after.name(), "Account|3"));
    let arena = Arena::new();
    let (mut one, mut other) = (arena.pg(), arena.pg());
    let customer: Customer = accounts::table.find(3).select(Customer::as_select()).first(&mut one).unwrap();
    let _held = AdvisoryLock::on(&customer).acquire(&mut one).unwrap();
    assert!(before.try_acquire(&mut other).unwrap().is_none());
    assert!(!customer.owner.is_empty());
}

#[test]
fn texts_are_keys_however_they_are_handed_over() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let names: Vec<String> = all_tags(&mut conn);
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    conn.transaction(|conn| {
        for locked in [
            LockSet::new().ids::<Tag>(&names).lock(conn)?,
            LockSet::new().ids::<Tag>(&borrowed).lock(conn)?,
            LockSet::new().ids::<Tag>(borrowed.clone()).lock(conn)?,
            LockSet::new().ids::<Tag>(names.clone()).lock(conn)?,
        ] {
            assert_eq!(locked.rows::<Tag>().len(), names.len());
        }
        Ok::<_, LockError>(())
    })
    .unwrap();
}

fn all_tags(conn: &mut PgConnection) -> Vec<String> {
    use crate::support::schema::tags;
    let names: Vec<String> = tags::table.select(tags::name).load(conn).unwrap();
    assert!(names.len() > 1);
    names
}

#[test]
fn what_is_not_possible_is_named_as_it_is_written() {
    let clause = "`hold` in a transaction that was begun elsewhere";
    let error = LockError::Unsupported { clause, advice: "take the lock before the transaction" };
    assert_eq!(
        error.to_string(),
        "locking is not possible with `hold` in a transaction that was begun elsewhere: take the lock before the transaction"
    );
}
