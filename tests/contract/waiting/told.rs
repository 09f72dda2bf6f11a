//! What a call has returned, in short, and what goes on after it.

use diesel_lockset::{Lockable, Locked, error::RowName};

use super::Driver;
use crate::support::{driver::Session, models::Account};

pub(crate) fn names(rows: &[RowName]) -> Vec<String> {
    rows.iter().map(ToString::to_string).collect()
}

/// The keys of the rows that came back.
pub(super) fn keys<T: Lockable>(locked: &Locked) -> Vec<T::Key> {
    locked.rows::<T>().iter().map(Lockable::lock_key).collect()
}

/// The transaction of `s`, who has begun, takes another row, and what it did is kept.
pub(crate) fn goes_on_and_commits(s: &mut Driver) {
    assert_eq!(s.lock_by_id::<Account>(5).unwrap().balance, 0);
    assert_eq!(s.execute("UPDATE accounts SET v = v + 1 WHERE id = 5"), Ok(1));
    s.commit().unwrap();
}
