//! The usual form of a claim, `UPDATE .. WHERE id IN (SELECT .. FOR UPDATE SKIP LOCKED)`, under a plan that runs the subquery for each row.

use diesel::{connection::SimpleConnection, prelude::*, sql_query, sql_types::Text};
use diesel_lockset::{
    prelude::*,
    testing::{Anomaly, Interleave},
};

use super::{
    Conn,
    fixture::{Job, database, jobs, reset},
};

/// The planner chooses this plan by itself if the table has grown since it was analysed.
fn nested_loops(conn: &mut Conn) -> QueryResult<()> {
    let settings = ["hashjoin", "mergejoin", "material", "memoize", "hashagg", "sort"];
    settings.iter().try_for_each(|setting| conn.batch_execute(&format!("SET enable_{setting} = off")))
}

/// The workers by job.
type Workers = Vec<Option<String>>;

fn bench<'a>(url: &str, claim: fn(&mut Conn, &str) -> Result<(), LockError>) -> Interleave<'a, Conn, Workers> {
    let one_each = |workers: &Workers| {
        let of = |name: &str| workers.iter().flatten().filter(|worker| *worker == name).count();
        of("alice") <= 1 && of("bob") <= 1
    };
    Interleave::new(url)
        .setup(reset)
        .prepare(nested_loops)
        .session("alice", move |conn| claim(conn, "alice"))
        .session("bob", move |conn| claim(conn, "bob"))
        .observe(|conn| jobs::table.order(jobs::id).select(jobs::worker).load(conn))
        .invariant(one_each)
}

#[test]
fn a_claim_by_a_subquery_takes_more_than_its_limit() {
    fn claim(conn: &mut Conn, worker: &str) -> Result<(), LockError> {
        let usual = "UPDATE jobs SET status = 'taken', worker = $1 WHERE id IN \
                     (SELECT id FROM jobs WHERE status = 'new' LIMIT 1 FOR UPDATE SKIP LOCKED)";
        sql_query(usual).bind::<Text, _>(worker).execute(conn)?;
        Ok(())
    }
    let report = bench(database().url(), claim).run().unwrap();
    println!("{report}");
    assert_eq!(report.anomalies(), [Anomaly::BrokenInvariant]);
}

#[test]
fn a_claim_of_the_crate_takes_one() {
    fn claim(conn: &mut Conn, worker: &str) -> Result<(), LockError> {
        let new = jobs::table.filter(jobs::status.eq("new")).order(jobs::id);
        let taken = (jobs::status.eq("taken"), jobs::worker.eq(worker));
        let claimed: Vec<Job> = new.claim(1, taken, conn)?;
        assert_eq!(claimed.len(), 1);
        Ok(())
    }
    let report = bench(database().url(), claim).run().unwrap();
    report.assert_serializable();
}
