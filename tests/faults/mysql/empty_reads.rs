//! A query that is cancelled is not taken for one that finds nothing.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, RunLockSet};

use super::{Arena, Driver};
use crate::support::{driver::Session, models::Account, schema::accounts};

/// Fills the table with rows 1 to 30.
fn fill(arena: &Arena) {
    let rows: Vec<_> = (1..=30).map(|id| format!("({id}, 'Ada', 1, {id})")).collect();
    arena.execute(&format!(
        "DELETE FROM accounts; INSERT INTO accounts (id, owner, balance, v) VALUES {}",
        rows.join(", ")
    ));
}

/// MariaDB answers a query that sorts, and is cancelled at the right moment, as if it had found no row.
#[test]
fn a_cancelled_query_chooses_all_its_rows_or_is_an_error() {
    let arena = Arena::new();
    fill(&arena);
    let mut session = Driver::connect(arena.url());
    session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").unwrap();
    let mut dice = fastrand::Rng::with_seed(7);
    let (mut whole, mut failed) = (0, 0);
    for _ in 0..2_000 {
        let time = 0.000_05 + dice.f64() * 0.000_8;
        let limit =
            format!("SET /*!80001 SESSION max_execution_time = 1 */ /*M! SESSION max_statement_time = {time} */");
        if session.execute(&limit).is_err() {
            continue;
        }
        let query = accounts::table.filter(accounts::id.between(4, 6)).order(accounts::v.desc());
        let set = LockSet::new().query::<Account>(query.limit(2));
        let locked: Result<usize, LockError> =
            session.conn().transaction(|conn| Ok(set.lock(conn)?.rows::<Account>().len()));
        match locked {
            Ok(rows) => {
                assert_eq!(rows, 2, "after {whole} whole and {failed} failed calls");
                whole += 1;
            }
            Err(_) => failed += 1,
        }
    }
    println!("{whole} whole, {failed} failed");
    assert!(whole > 0);
}

#[test]
fn a_query_that_finds_nothing_is_asked_twice_and_one_that_finds_a_row_once() {
    let arena = Arena::new();
    fill(&arena);
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.lock_set(LockSet::new().id::<Account>(1)).unwrap();
    let sent = session.overhear();
    for (from, rows, times) in [(1_000, 0, 2), (30, 1, 1), (1_000, 0, 2)] {
        let query = accounts::table.filter(accounts::id.ge(from));
        let locked = session.lock_set(LockSet::new().query::<Account>(query)).unwrap();
        assert_eq!(locked.rows::<Account>().len(), rows);
        let asked = sent.take().iter().filter(|sql| sql.contains(">=") && !sql.contains("FOR UPDATE")).count();
        assert_eq!(asked, times, "from {from}");
    }
}
