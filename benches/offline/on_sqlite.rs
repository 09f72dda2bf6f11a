//! The verbs on SQLite, in memory, beside Diesel by hand: each call is a transaction.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::prelude::*;
use divan::{Bencher, black_box};

use crate::tables::{Account, Job, accounts, jobs, keys};

const TABLES: &str = "
    CREATE TABLE accounts (id BIGINT PRIMARY KEY NOT NULL, owner TEXT NOT NULL, balance BIGINT NOT NULL);
    CREATE TABLE jobs (id BIGINT PRIMARY KEY NOT NULL, status TEXT NOT NULL, attempts BIGINT NOT NULL);
    CREATE INDEX jobs_next ON jobs (status, id);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO accounts SELECT i, 'owner ' || i, 100 FROM n;
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO jobs SELECT i, 'new', 0 FROM n";

/// Measures a call over a connection of its own, and compares the number of its rows.
fn call(
    bencher: Bencher<'_, '_>,
    rows: usize,
    mut call: impl FnMut(&mut SqliteConnection) -> Result<usize, LockError>,
) {
    let opened = SqliteConnection::establish(":memory:").map_err(|error| error.to_string());
    let mut conn = opened.expect("SQLite opens a database in memory");
    conn.batch_execute(TABLES).expect("the tables are made");
    bencher.bench_local(|| assert_eq!(call(&mut conn).expect("the call succeeds"), rows));
}

fn ours<R>(
    conn: &mut SqliteConnection,
    call: impl FnMut(&mut SqliteConnection) -> Result<R, LockError>,
) -> Result<R, LockError> {
    LockTransaction::new().run(conn, call)
}

mod one_row {
    use super::*;

    #[divan::bench]
    fn lock_by_id(bencher: Bencher<'_, '_>) {
        call(bencher, 1, |conn| ours(conn, |conn| Account::lock_by_id(black_box(7), conn).map(|_| 1)));
    }

    #[divan::bench]
    fn by_hand(bencher: Bencher<'_, '_>) {
        call(bencher, 1, |conn| {
            conn.immediate_transaction(|conn| {
                let row: Account = accounts::table.find(black_box(7)).first(conn)?;
                black_box(row);
                Ok(1)
            })
        });
    }
}

mod sets {
    use super::*;

    #[divan::bench(args = [6, 1_000])]
    fn lock_set(bencher: Bencher<'_, '_>, n: i64) {
        let keys = keys(n);
        call(bencher, keys.len(), |conn| {
            ours(conn, |conn| Ok(LockSet::new().ids::<Account>(keys.clone()).lock(conn)?.rows::<Account>().len()))
        });
    }

    #[divan::bench(args = [6, 1_000])]
    fn by_hand(bencher: Bencher<'_, '_>, n: i64) {
        let keys = keys(n);
        call(bencher, keys.len(), |conn| {
            conn.immediate_transaction(|conn| {
                let rows = accounts::table.filter(accounts::id.eq_any(&keys)).order(accounts::id);
                Ok(rows.load::<Account>(conn)?.len())
            })
        });
    }
}

#[diesel::dsl::auto_type]
fn free() -> _ {
    jobs::table.filter(jobs::status.eq("new")).order(jobs::id)
}

mod picks {
    use super::*;

    #[divan::bench]
    fn pick_next(bencher: Bencher<'_, '_>) {
        call(bencher, 1, |conn| ours(conn, |conn| Ok(free().pick_next::<Job>(conn)?.map_or(0, |_| 1))));
    }

    #[divan::bench]
    fn by_hand(bencher: Bencher<'_, '_>) {
        call(bencher, 1, |conn| conn.immediate_transaction(|conn| Ok(free().limit(1).load::<Job>(conn)?.len())));
    }
}

/// The jobs stay free, so that each call has as many to choose from.
mod claims {
    use super::*;

    #[divan::bench]
    fn claim(bencher: Bencher<'_, '_>) {
        call(bencher, 1, |conn| Ok(free().claim::<Job, _>(1, jobs::attempts.eq(jobs::attempts + 1), conn)?.len()));
    }

    #[divan::bench]
    fn by_hand(bencher: Bencher<'_, '_>) {
        call(bencher, 1, |conn| {
            conn.immediate_transaction(|conn| {
                let job: Job = free().limit(1).first(conn)?;
                Ok(diesel::update(&job).set(jobs::attempts.eq(jobs::attempts + 1)).execute(conn)?)
            })
        });
    }
}
