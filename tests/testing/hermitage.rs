//! The anomalies by which Hermitage (<https://github.com/ept/hermitage>) tells isolation levels apart: each level must show those that it is documented to
//! allow, and no other. It is the test of the interleaver itself: of what it finds, and of what it does not find.

use diesel::{connection::SimpleConnection, prelude::*, result::Error};
use diesel_lockset::testing::{Anomaly, Interleave, Report, TestDatabase};

use super::{Conn, fixture::database, isolate, levels};

diesel::table! { test (id) { id -> Integer, value -> Integer, } }

type Rows = Vec<(i32, i32)>;
type Read = QueryResult<Vec<Rows>>;

fn set(conn: &mut Conn, id: i32, value: i32) -> QueryResult<usize> {
    diesel::update(test::table.find(id)).set(test::value.eq(value)).execute(conn)
}

fn get(conn: &mut Conn, id: i32) -> QueryResult<i32> {
    test::table.find(id).select(test::value).first(conn)
}

fn all(conn: &mut Conn) -> QueryResult<Rows> {
    test::table.order(test::id).load(conn)
}

fn multiples_of_three(conn: &mut Conn) -> QueryResult<Rows> {
    use diesel::dsl::sql;
    test::table.filter(sql::<diesel::sql_types::Bool>("value % 3 = 0")).order(test::id).load(conn)
}

fn insert(conn: &mut Conn, id: i32, value: i32) -> QueryResult<usize> {
    diesel::insert_into(test::table).values((test::id.eq(id), test::value.eq(value))).execute(conn)
}

fn bench<'a>(database: &'a TestDatabase<Conn>, level: &'static str) -> Interleave<'a, Conn, Rows> {
    Interleave::new(database.url())
        .setup(|conn: &mut Conn| conn.batch_execute("DELETE FROM test; INSERT INTO test VALUES (1, 10), (2, 20)"))
        .prepare(move |conn| isolate(conn, level))
        .observe(all)
        .allow(Anomaly::Deadlock)
        .allow(Anomaly::SerializationFailure)
}

/// Runs the case at every level. `shows` is whether an outcome, its rows and the results of the sessions, shows the anomaly.
fn case(
    name: &str,
    sessions: impl Fn(Interleave<'_, Conn, Rows>) -> Interleave<'_, Conn, Rows>,
    shows: impl Fn(&Rows, &[String]) -> bool,
) {
    let database = database();
    database.execute("CREATE TABLE test (id int PRIMARY KEY, value int NOT NULL)").unwrap();
    for (level, allowed) in levels() {
        let report: Report<Rows> = sessions(bench(&database, level)).run().unwrap();
        let shown = report.outcomes().iter().any(|outcome| shows(outcome.rows(), &outcome.results()));
        assert_eq!(shown, allowed.contains(&name), "{name} at {level}\n{report}");
        if level == "SERIALIZABLE" {
            report.assert_serializable();
        }
    }
}

/// Two sessions each change both rows.
#[test]
fn g0_dirty_writes() {
    fn both(conn: &mut Conn, values: [i32; 2]) -> QueryResult<()> {
        conn.transaction(|conn| {
            set(conn, 1, values[0])?;
            set(conn, 2, values[1])?;
            Ok(())
        })
    }
    case(
        "G0",
        |bench| bench.session("a", |conn| both(conn, [11, 21])).session("b", |conn| both(conn, [12, 22])),
        |rows, _| rows[1].1 - rows[0].1 != 10,
    );
}

/// A session sees what another one rolls back.
#[test]
fn g1a_aborted_reads() {
    let rolls_back = |conn: &mut Conn| {
        let end = conn.transaction(|conn| set(conn, 1, 101).and(Err::<(), _>(Error::RollbackTransaction)));
        if end == Err(Error::RollbackTransaction) { Ok(()) } else { end }
    };
    case(
        "G1a",
        |bench| bench.session("a", rolls_back).session("b", |conn| conn.transaction(all)),
        |_, results| results[1].contains("101"),
    );
}

/// A session sees what another one changes again.
#[test]
fn g1b_intermediate_reads() {
    let twice = |conn: &mut Conn| conn.transaction(|conn| set(conn, 1, 101).and_then(|_| set(conn, 1, 11)));
    case(
        "G1b",
        |bench| bench.session("a", twice).session("b", |conn| conn.transaction(all)),
        |_, results| results[1].contains("101"),
    );
}

/// Two sessions each see the other one's change.
#[test]
fn g1c_circular_information_flow() {
    fn set_and_get(conn: &mut Conn, id: i32, value: i32) -> QueryResult<i32> {
        conn.transaction(|conn| set(conn, id, value).and_then(|_| get(conn, 3 - id)))
    }
    case(
        "G1c",
        |bench| bench.session("a", |conn| set_and_get(conn, 1, 11)).session("b", |conn| set_and_get(conn, 2, 22)),
        |_, results| results == ["Ok(22)", "Ok(11)"],
    );
}

/// A session sees one half of a transaction, and the other half of an earlier one.
#[test]
fn otv_an_observed_transaction_vanishes() {
    fn both(conn: &mut Conn, values: [i32; 2]) -> QueryResult<()> {
        conn.transaction(|conn| set(conn, 1, values[0]).and_then(|_| set(conn, 2, values[1])).map(drop))
    }
    case(
        "OTV",
        |bench| {
            bench
                .session("a", |conn| both(conn, [11, 19]))
                .session("b", |conn| both(conn, [12, 18]))
                .session("c", |conn| conn.transaction(all))
        },
        |_, results| results[2].contains("11), (2, 18") || results[2].contains("12), (2, 19"),
    );
}

/// A row begins to match a condition between two reads.
#[test]
fn pmp_many_preceders_of_a_predicate() {
    let twice = |conn: &mut Conn| -> Read {
        conn.transaction(|conn| Ok(vec![multiples_of_three(conn)?, multiples_of_three(conn)?]))
    };
    case(
        "PMP",
        |bench| bench.session("a", twice).session("b", |conn| insert(conn, 3, 30)),
        |_, results| results[0] == "Ok([[], [(3, 30)]])",
    );
}

/// A session deletes by a value that another one moves to another row.
#[test]
fn pmp_of_writes() {
    let add = |conn: &mut Conn| diesel::update(test::table).set(test::value.eq(test::value + 10)).execute(conn);
    let delete = |conn: &mut Conn| diesel::delete(test::table.filter(test::value.eq(20))).execute(conn);
    case(
        "PMP of writes",
        |bench| {
            bench.session("a", move |conn| conn.transaction(add)).session("b", move |conn| conn.transaction(delete))
        },
        |rows, results| rows.len() == 2 && results == ["Ok(2)", "Ok(0)"],
    );
}

/// Two sessions add to what they have read.
#[test]
fn p4_lost_updates() {
    fn add(conn: &mut Conn) -> QueryResult<()> {
        conn.transaction(|conn| get(conn, 1).and_then(|value| set(conn, 1, value + 1)).map(drop))
    }
    case(
        "P4",
        |bench| bench.session("a", add).session("b", add),
        |rows, results| results == ["Ok(())", "Ok(())"] && rows[0].1 != 12,
    );
}

/// A session reads one row before, and the other after another session has changed both.
#[test]
fn g_single_read_skew() {
    let reads = |conn: &mut Conn| conn.transaction(|conn| QueryResult::Ok([get(conn, 1)?, get(conn, 2)?]));
    let both = |conn: &mut Conn| conn.transaction(|conn| set(conn, 1, 12).and_then(|_| set(conn, 2, 18)));
    case("G-single", |bench| bench.session("a", reads).session("b", both), |_, results| results[0] == "Ok([10, 18])");
}

/// Two sessions read both rows, and each changes another one.
#[test]
fn g2_item_write_skew() {
    fn read_and_set(conn: &mut Conn, id: i32) -> QueryResult<i32> {
        conn.transaction(|conn| {
            let sum: i32 = all(conn)?.iter().map(|(_, value)| value).sum();
            set(conn, id, 0)?;
            Ok(sum)
        })
    }
    case(
        "G2-item",
        |bench| bench.session("a", |conn| read_and_set(conn, 1)).session("b", |conn| read_and_set(conn, 2)),
        |_, results| results == ["Ok(30)", "Ok(30)"],
    );
}

/// Two sessions read by a condition, and each inserts a row that matches it.
#[test]
fn g2_anti_dependencies() {
    fn read_and_insert(conn: &mut Conn, id: i32) -> QueryResult<usize> {
        conn.transaction(|conn| {
            let found = multiples_of_three(conn)?.len();
            insert(conn, id, 30)?;
            Ok(found)
        })
    }
    case(
        "G2",
        |bench| bench.session("a", |conn| read_and_insert(conn, 3)).session("b", |conn| read_and_insert(conn, 4)),
        |_, results| results == ["Ok(0)", "Ok(0)"],
    );
}
