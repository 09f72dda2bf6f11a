//! A statement that `tokio-postgres` cannot write down: nothing was sent, and the connection is as good as before.

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::LockError;

use super::Arena;
use crate::support::{driver::Session, nonblocking::Nonblocking, schema::accounts};

#[test]
fn too_many_parameters_are_no_lost_connection() {
    let arena = Arena::new();
    let mut session = Nonblocking::connect(arena.url());
    let row = |id| (accounts::id.eq(id), accounts::owner.eq("many"), accounts::balance.eq(0));
    let rows: Vec<_> = (1_000..24_000).map(row).collect();
    session.begin().unwrap();
    let error = diesel::insert_into(accounts::table).values(rows).execute(session.conn()).unwrap_err();
    let error = LockError::from(error);
    assert!(matches!(error, LockError::Query(DieselError::DatabaseError(..))), "{error:?}");
    assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
    session.commit().unwrap();
}
