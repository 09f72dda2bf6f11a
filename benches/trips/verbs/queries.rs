//! Single queries with a locking clause.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use super::{
    Conn, inside,
    rows::contended,
    tables::{Account, HELD_ACCOUNT, Order, accounts, orders},
};
use crate::count::Verb;

const LONG: Duration = Duration::from_secs(10);

pub(super) fn verbs() -> Vec<Verb<Conn>> {
    vec![
        inside("for_update_of, load", 6, |conn| {
            Ok(up_to(6).for_update_of(accounts::table).load::<Account>(conn)?.len())
        }),
        inside("for_update_of, joined, load", 3, |conn| {
            let query = orders::table.inner_join(accounts::table).filter(accounts::id.le(3)).select(Order::as_select());
            Ok(query.for_update_of(orders::table).load::<Order>(conn)?.len())
        }),
        inside("for_update_of, no_wait, load", 6, |conn| {
            Ok(up_to(6).for_update_of(accounts::table).no_wait().load::<Account>(conn)?.len())
        }),
        inside("for_update_of, no_wait, held, load", 1, |conn| {
            contended(only(HELD_ACCOUNT).for_update_of(accounts::table).no_wait().load::<Account>(conn))
        }),
        inside("for_update_of, skip_locked, held, load", 0, |conn| {
            Ok(only(HELD_ACCOUNT).for_update_of(accounts::table).skip_locked().load::<Account>(conn)?.len())
        }),
        inside("for_update_of, timeout, load", 6, |conn| {
            Ok(up_to(6).for_update_of(accounts::table).timeout(LONG).load::<Account>(conn)?.len())
        }),
    ]
}

#[diesel::dsl::auto_type]
fn up_to(n: i64) -> _ {
    let as_select: diesel::dsl::AsSelect<Account, <Conn as Connection>::Backend> = Account::as_select();
    accounts::table.filter(accounts::id.le(n)).select(as_select)
}

#[diesel::dsl::auto_type]
fn only(id: i64) -> _ {
    let as_select: diesel::dsl::AsSelect<Account, <Conn as Connection>::Backend> = Account::as_select();
    accounts::table.filter(accounts::id.eq(id)).select(as_select)
}
