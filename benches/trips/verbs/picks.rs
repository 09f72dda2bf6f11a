//! Picks and claims.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use super::{
    Conn, inside, outside,
    tables::{HELD_PRIORITY, Job, jobs, orders},
};
use crate::count::Verb;

/// On MySQL and MariaDB a claim outside of a transaction takes 7 round trips and not 6: the statement that picks the rows and the one that reads
/// them again lock, and so are prepared each time (`DESIGN.md`, "Round trips").
pub(super) fn verbs() -> Vec<Verb<Conn>> {
    vec![
        inside("pick_next", 1, |conn| Ok(next(1).pick_next::<Job>(conn)?.map_or(0, |_| 1))),
        inside("pick_next, held", 1, |conn| Ok(next(HELD_PRIORITY).pick_next::<Job>(conn)?.map_or(0, |_| 1))),
        inside("pick_next, none", 0, |conn| Ok(next(3).pick_next::<Job>(conn)?.map_or(0, |_| 1))),
        inside("pick(10)", 10, |conn| Ok(next(1).pick::<Job>(10, conn)?.len())),
        inside("pick(10), by subquery", 10, |conn| Ok(with_order().pick::<Job>(10, conn)?.len())),
        inside("pick(10), for_update_of", 10, |conn| {
            Ok(next(1).select(Job::as_select()).for_update_of(jobs::table).pick::<Job>(10, conn)?.len())
        }),
        inside("claim(1)", 1, |conn| Ok(next(1).claim::<Job, _>(1, jobs::status.eq("taken"), conn)?.len())),
        inside("claim(10)", 10, |conn| Ok(next(1).claim::<Job, _>(10, jobs::status.eq("taken"), conn)?.len())),
        inside("claim(10), none", 0, |conn| Ok(next(3).claim::<Job, _>(10, jobs::status.eq("taken"), conn)?.len())),
        inside("claim(2), by subquery", 2, |conn| {
            Ok(with_order().claim::<Job, _>(2, jobs::status.eq("taken"), conn)?.len())
        }),
        outside("claim(1), outside", 1, |conn| Ok(next(1).claim::<Job, _>(1, jobs::status.eq("taken"), conn)?.len())),
        outside("claim(10), outside", 10, |conn| {
            Ok(next(1).claim::<Job, _>(10, jobs::status.eq("taken"), conn)?.len())
        }),
        outside("claim(10), none, outside", 0, |conn| {
            Ok(next(3).claim::<Job, _>(10, jobs::status.eq("taken"), conn)?.len())
        }),
        outside("claim(2), by subquery, outside", 2, |conn| {
            Ok(with_order().claim::<Job, _>(2, jobs::status.eq("taken"), conn)?.len())
        }),
    ]
}

#[diesel::dsl::auto_type]
fn next(priority: i32) -> _ {
    jobs::table.filter(jobs::status.eq("new")).filter(jobs::priority.eq(priority)).order(jobs::id)
}

/// The free jobs that an order has the key of.
#[diesel::dsl::auto_type]
fn with_order() -> _ {
    let ids: orders::id = orders::id;
    jobs::table.filter(jobs::status.eq("new")).filter(jobs::id.eq_any(orders::table.select(ids))).order(jobs::id)
}
