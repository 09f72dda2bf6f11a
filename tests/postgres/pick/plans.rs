//! A claim takes exactly as many rows as it says, whatever the planner makes of it.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::PickDsl;

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::{Job, Order},
    schema::{customers, jobs, orders},
};

/// Switched off one by one and together.
const METHODS: [&str; 6] = [
    "enable_hashjoin",
    "enable_mergejoin",
    "enable_bitmapscan",
    "enable_indexscan",
    "enable_material",
    "enable_hashagg",
];

/// Every combination of methods that are off: with the first three, a nested loop is all that is left.
fn combinations() -> impl Iterator<Item = String> {
    (0_u32..1 << METHODS.len()).map(|chosen| {
        let setting = |(i, method): (usize, &&str)| {
            format!("SET {method} = {};", if chosen & (1 << i) == 0 { "on" } else { "off" })
        };
        METHODS.iter().enumerate().map(setting).collect()
    })
}

/// Twenty jobs, of which the planner believes that there is one.
fn wrongly_analysed() -> Arena {
    let arena = Arena::new();
    arena.execute("ALTER TABLE jobs SET (autovacuum_enabled = off); TRUNCATE jobs; INSERT INTO jobs (id) VALUES (1)");
    arena.execute("VACUUM ANALYZE jobs");
    arena.execute("INSERT INTO jobs (id, priority) SELECT n, n % 5 FROM generate_series(2, 20) n");
    arena
}

/// Many more jobs than are claimed, of which the planner knows nothing.
fn unanalysed() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "ALTER TABLE jobs SET (autovacuum_enabled = off); TRUNCATE jobs; \
         INSERT INTO jobs (id, priority) SELECT n, n % 5 FROM generate_series(1, 1000) n",
    );
    arena
}

fn claim(session: &mut Blocking) -> Vec<i64> {
    let next = jobs::table.filter(jobs::status.eq("NEW")).order((jobs::priority, jobs::id));
    let claimed: Vec<Job> = next.claim(3, jobs::status.eq("TAKEN"), session.conn()).unwrap();
    claimed.iter().map(|job| job.id).collect()
}

fn assert_claims(arena: &Arena, expected: [i64; 3]) {
    let mut session = Blocking::connect(arena.url());
    for cached in ["force_custom_plan", "force_generic_plan"] {
        for settings in combinations() {
            session.conn().batch_execute(&format!("{settings} SET plan_cache_mode = {cached}; DISCARD PLANS")).unwrap();
            session.begin().unwrap();
            assert_eq!(claim(&mut session), expected, "{cached} {settings}");
            let taken = session.number("SELECT count(*) FROM jobs WHERE status = 'TAKEN'").unwrap();
            assert_eq!(taken, 3, "{cached} {settings}");
            session.rollback().unwrap();
        }
    }
}

#[test]
fn under_every_plan_a_claim_of_three_takes_three_of_a_table_never_analysed() {
    let arena = unanalysed();
    assert_eq!(arena.number("SELECT reltuples FROM pg_class WHERE oid = 'jobs'::regclass"), -1);
    assert_claims(&arena, [5, 10, 15]);
}

#[test]
fn under_every_plan_a_claim_of_three_takes_three_of_a_table_that_has_grown() {
    assert_claims(&wrongly_analysed(), [1, 5, 10]);
}

#[test]
fn a_joined_claim_takes_three_under_every_plan_too() {
    let arena = Arena::new();
    arena.execute(
        "TRUNCATE orders CASCADE; INSERT INTO orders (id, customer_id) SELECT n, 1 + n % 3 FROM generate_series(1, 300) n",
    );
    let mut session = Blocking::connect(arena.url());
    for settings in combinations() {
        session.conn().batch_execute(&settings).unwrap();
        session.begin().unwrap();
        let next =
            orders::table.inner_join(customers::table).filter(customers::name.eq("Ada")).order(orders::id.desc());
        let claimed: Vec<Order> = next.claim(3, orders::status.eq("packing"), session.conn()).unwrap();
        assert_eq!(claimed.iter().map(|order| order.id).collect::<Vec<_>>(), [300, 297, 294], "{settings}");
        assert_eq!(session.number("SELECT count(*) FROM orders WHERE status = 'packing'").unwrap(), 3, "{settings}");
        session.rollback().unwrap();
    }
}

#[test]
fn control_the_form_with_a_subquery_takes_more_than_it_says() {
    let arena = wrongly_analysed();
    let mut session = Blocking::connect(arena.url());
    let nested = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off";
    session.conn().batch_execute(nested).unwrap();
    let taken = session
        .execute(
            "UPDATE jobs SET status = 'TAKEN' WHERE id IN (SELECT id FROM jobs WHERE status = 'NEW' \
             ORDER BY priority, id LIMIT 3 FOR UPDATE SKIP LOCKED)",
        )
        .unwrap();
    assert!(taken > 3, "the control shows nothing: {taken}");
}

#[test]
fn a_plan_for_few_rows_is_kept() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let next = || jobs::table.filter(jobs::status.eq("NEW")).order((jobs::priority, jobs::id));
    session.begin().unwrap();
    for _ in 0..8 {
        let _: Vec<Job> = next().pick(1, session.conn()).unwrap();
        let _: Vec<Job> = next().claim(1, jobs::payload.eq("x"), session.conn()).unwrap();
    }
    let kept = session.number(
        "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%SKIP LOCKED%' AND generic_plans > 0",
    );
    assert_eq!(kept, Ok(2), "the statement is prepared once, and planned once and for all");
}

#[test]
fn many_different_numbers_do_not_fill_the_cache_of_statements() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    for n in 101..150 {
        let _: Vec<Job> = jobs::table.order(jobs::id).pick(n, session.conn()).unwrap();
    }
    let kept = session.number("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%SKIP LOCKED%'");
    assert_eq!(kept, Ok(1));
}
