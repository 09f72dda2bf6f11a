//! Whether a row is locked, found out without waiting: asked with `SKIP LOCKED` from another session.
//!
//! A skipped row is not in the answer although a plain read sees it. That needs no error code, which Diesel hides, and
//! leaves the asking session usable. For the moment of the question the rows that are free are locked.

use diesel::{
    Connection, PgConnection, QueryResult, RunQueryDsl,
    dsl::sql,
    result::Error,
    sql_types::{BigInt, Text},
};

use crate::support::probe::Held;

/// The four locks that a row can have, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

impl Strength {
    pub(crate) const ALL: [Self; 4] = [Self::KeyShare, Self::Share, Self::NoKeyUpdate, Self::Update];

    /// The clause that asks for it.
    pub(crate) fn clause(self) -> &'static str {
        match self {
            Self::KeyShare => "FOR KEY SHARE",
            Self::Share => "FOR SHARE",
            Self::NoKeyUpdate => "FOR NO KEY UPDATE",
            Self::Update => "FOR UPDATE",
        }
    }

    /// Whether a row locked by one session at `self` cannot be locked by another at `other`.
    ///
    /// <https://www.postgresql.org/docs/current/explicit-locking.html#ROW-LOCK-COMPATIBILITY>
    pub(crate) fn conflicts_with(self, other: Self) -> bool {
        use Strength::{KeyShare, NoKeyUpdate, Share};
        !matches!(
            (self, other),
            (KeyShare, KeyShare | Share | NoKeyUpdate) | (Share, KeyShare | Share) | (NoKeyUpdate, KeyShare)
        )
    }
}

/// What a session finds that wants to update the one row of `table` that `condition` picks out.
pub(crate) fn probe(conn: &mut PgConnection, table: &str, condition: &str) -> Held {
    probe_at(conn, Strength::Update, table, condition)
}

/// What a session finds that wants to share the one row of `table` that `condition` picks out.
pub(crate) fn probe_share(conn: &mut PgConnection, table: &str, condition: &str) -> Held {
    probe_at(conn, Strength::Share, table, condition)
}

/// What a session finds that wants the one row of `table` that `condition` picks out at `strength`.
pub(crate) fn probe_at(conn: &mut PgConnection, strength: Strength, table: &str, condition: &str) -> Held {
    let (seen, got) = look(conn, |conn| {
        let rows = format!("SELECT FROM {table} WHERE {condition}");
        let count = |query: &str| format!("(SELECT count(*) FROM ({query}) AS rows)");
        let locking = format!("{rows} {} SKIP LOCKED", strength.clause());
        sql::<(BigInt, BigInt)>(&format!("SELECT {}, {}", count(&rows), count(&locking))).get_result::<(i64, i64)>(conn)
    });
    let [seen, got] = [seen, got].map(|rows| usize::try_from(rows).expect("a count"));
    Held::of(seen, got, table, condition)
}

/// The keys, in order and as text, of the rows of `table` that a session could not lock for update.
pub(crate) fn held_keys(conn: &mut PgConnection, table: &str, key: &str) -> Vec<String> {
    look(conn, |conn| {
        sql::<Text>(&format!(
            "WITH free AS (SELECT {key} AS row_key FROM {table} FOR UPDATE SKIP LOCKED) \
             SELECT row_key::text FROM (SELECT {key} AS row_key FROM {table}) AS seen \
             WHERE row_key NOT IN (SELECT row_key FROM free) ORDER BY row_key"
        ))
        .load::<String>(conn)
    })
}

/// Asks, and gives back at once whatever the question locked.
fn look<T>(conn: &mut PgConnection, question: impl FnOnce(&mut PgConnection) -> QueryResult<T>) -> T {
    let mut answer = None;
    let end: QueryResult<()> = conn.transaction(|conn| {
        answer = Some(question(conn)?);
        Err(Error::RollbackTransaction)
    });
    match (end, answer) {
        (Err(Error::RollbackTransaction), Some(answer)) => answer,
        (end, _) => panic!("the probe failed: {end:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use diesel::{Connection, connection::SimpleConnection};

    use super::{Held, Strength, held_keys, probe, probe_at, probe_share};
    use crate::support::arena::Arena;

    #[test]
    fn free_held_and_missing_are_told_apart() {
        let arena = Arena::new();
        let (mut holder, mut conn) = (arena.pg(), arena.pg());
        holder.batch_execute("BEGIN; SELECT FROM accounts WHERE id = 1 FOR UPDATE").expect("locks 1");
        assert_eq!(probe(&mut conn, "accounts", "id = 1"), Held::Held);
        assert_eq!(probe(&mut conn, "accounts", "id = 2"), Held::Free);
        assert_eq!(probe(&mut conn, "accounts", "id = 99"), Held::Missing);
        holder.batch_execute("COMMIT").expect("commits");
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    }

    #[test]
    fn uncommitted_changes_hold_and_uncommitted_rows_are_missing() {
        let arena = Arena::new();
        let mut holder = arena.pg();
        holder
            .batch_execute(
                "BEGIN; DELETE FROM accounts WHERE id = 1; UPDATE accounts SET balance = 0 WHERE id = 2; \
                 INSERT INTO accounts VALUES (6, 'new', 0)",
            )
            .expect("changes");
        assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
        assert_eq!(arena.probe("accounts", "id = 6"), Held::Missing);
    }

    #[test]
    fn every_pair_of_strengths_is_as_the_manual_says() {
        let arena = Arena::new();
        let (mut holder, mut conn) = (arena.pg(), arena.pg());
        for held in Strength::ALL {
            let lock = format!("BEGIN; SELECT FROM accounts WHERE id = 1 {}", held.clause());
            holder.batch_execute(&lock).expect("locks 1");
            for asked in Strength::ALL {
                let expected = if held.conflicts_with(asked) { Held::Held } else { Held::Free };
                assert_eq!(probe_at(&mut conn, asked, "accounts", "id = 1"), expected, "{held:?} against {asked:?}");
            }
            holder.batch_execute("ROLLBACK").expect("frees 1");
        }
    }

    #[test]
    fn a_share_is_seen_by_probe_and_not_by_probe_share() {
        let arena = Arena::new();
        let (mut holder, mut conn) = (arena.pg(), arena.pg());
        holder.batch_execute("BEGIN; SELECT FROM seats WHERE (section, number) = ('A', 2) FOR SHARE").expect("shares");
        let seat = "(section, number) = ('A', 2)";
        assert_eq!(probe(&mut conn, "seats", seat), Held::Held);
        assert_eq!(probe_share(&mut conn, "seats", seat), Held::Free);
        assert_eq!(held_keys(&mut conn, "seats", "(section, number)"), ["(A,2)"]);
    }

    #[test]
    fn a_probe_leaves_nothing_locked_also_inside_a_transaction() {
        let arena = Arena::new();
        let mut conn = arena.pg();
        conn.begin_test_transaction().expect("begins");
        assert_eq!(probe(&mut conn, "accounts", "id = 1"), Held::Free);
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    }

    #[test]
    fn a_probe_looks_at_one_row() {
        let arena = Arena::new();
        let looked = catch_unwind(AssertUnwindSafe(|| arena.probe("accounts", "true")));
        let said = looked.expect_err("five rows are no answer");
        assert_eq!(said.downcast_ref(), Some(&"`true` picks 5 rows of accounts: a probe looks at one".to_owned()));
    }
}
