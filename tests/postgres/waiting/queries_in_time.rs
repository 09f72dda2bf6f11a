//! Single queries with a timeout.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, RunLockQuery};

use super::{beginner, holder};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Customer, Order, Seat},
        patience::DEADLINE,
        schema::{accounts, customers, orders, seats},
    },
};

const LONG: Duration = Duration::from_secs(100);

type Waits = fn(&mut Blocking, Duration) -> Result<usize, LockError>;

/// Queries that want account 1, order 1 or seat A1.
const QUERIES: [(&str, Waits); 4] = [
    ("accounts", |s, time| {
        let query = accounts::table.filter(accounts::balance.gt(9));
        query.for_update_of(accounts::table).timeout(time).load::<Account>(s.conn()).map(|rows| rows.len())
    }),
    ("accounts", |s, time| {
        let query = accounts::table.order(accounts::id).limit(3).into_boxed();
        query.for_update_of(accounts::table).timeout(time).load::<Account>(s.conn()).map(|rows| rows.len())
    }),
    ("orders", |s, time| {
        let query = orders::table.inner_join(customers::table).filter(orders::id.lt(4));
        let rows = query.for_update_of(orders::table).timeout(time).load::<(Order, Customer)>(s.conn());
        rows.map(|rows| rows.len())
    }),
    ("seats", |s, time| {
        let query = seats::table.filter(seats::number.eq(1));
        query.for_no_key_update_of(seats::table).timeout(time).load::<Seat>(s.conn()).map(|rows| rows.len())
    }),
];

fn holds(set: super::Set) -> super::Set {
    set.id::<Account>(1).id::<Order>(1).id::<Seat>(("A".to_owned(), 1))
}

/// G01, P03.
#[test]
fn a_timeout_ends_the_wait_of_a_query() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", holds);
    let patient = beginner(&play, "patient");
    for (table, query) in QUERIES {
        let waiting = patient.start(table, move |s| {
            let began = Instant::now();
            let error = query(s, Duration::from_secs(1)).unwrap_err();
            let took = began.elapsed();
            s.execute("SELECT 1").expect_err("the transaction is lost");
            s.rollback().unwrap();
            s.begin().unwrap();
            (error, took)
        });
        let (error, took) = waiting.join();
        assert!((Duration::from_secs(1)..DEADLINE).contains(&took), "{took:?}");
        assert!(error.transaction_is_lost() && error.is_contended(), "{error:?}");
        let LockError::TimedOut { attempt: Some(attempt), source: Some(_) } = &error else { panic!("{error:?}") };
        assert_eq!(attempt.table(), format!("\"{table}\""));
        assert!((1000..=took.as_millis()).contains(&attempt.waited().as_millis()), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!(" ms waiting for rows of \"{table}\": run the transaction again")), "{text}");
    }
}

/// G01, G07.
#[test]
fn within_its_time_a_query_gets_its_rows_and_in_no_time_it_names_the_busy_ones() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", holds);
    let hasty = beginner(&play, "hasty");
    for (table, query) in QUERIES {
        let error = hasty.run(table, move |s| query(s, Duration::ZERO)).unwrap_err();
        let LockError::Contended { rows, source: None, .. } = &error else { panic!("{error:?}") };
        assert_eq!(rows.len(), 1, "{error:?}");
    }
    hasty.run("rolls back", |s| s.rollback()).unwrap();
    let patient = beginner(&play, "patient");
    let waiting = patient.start("waits", |s| QUERIES.map(|(_, query)| query(s, LONG).unwrap()));
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), [3, 3, 3, 3]);
}
