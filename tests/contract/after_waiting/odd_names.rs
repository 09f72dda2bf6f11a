//! Tables whose names are words of SQL.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::super::quoted as quoted_name;
use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{driver::Session, models::OddOrder, schema::odd_order},
};

/// F03, R03.
#[test]
fn a_table_whose_names_are_words_of_sql_is_looked_at_again_after_a_wait() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, locker) = (play.session("holder"), play.session("locker"));
    holder.run("changes 1", |s| {
        s.begin().unwrap();
        s.lock_by_id::<OddOrder>(1).unwrap();
        s.execute(&format!("UPDATE {} SET skip = 1 WHERE {} = 1", quoted_name("order"), quoted_name("key"))).unwrap();
    });
    let waiting = locker.start("locks the next", |s| {
        s.begin().unwrap();
        let next = odd_order::table.filter(odd_order::skip.eq(0)).order(odd_order::number).limit(1);
        let locked = s.lock_set(LockSet::new().id::<OddOrder>(3).query::<OddOrder>(next)).unwrap();
        locked.rows::<OddOrder>().iter().map(|order| order.code).collect::<Vec<_>>()
    });
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit().unwrap());
    assert_eq!(waiting.join(), [2, 3]);
}
