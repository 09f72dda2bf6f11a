//! A session that has nothing to do with the others: what it sees is committed, what it cannot lock is held.

use std::collections::HashMap;

use diesel::{
    dsl::sql,
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
    sql_types::Integer,
};

use super::{Onlooker, asked::Asked, circle, questions::Seen, world::World};
use crate::{
    schema::{Piece, marks, pieces, slots},
    support::server::Observer as _,
};

pub(super) struct Witness(Onlooker);

impl Witness {
    pub(super) fn new(world: &World<'_>) -> Self {
        Witness(world.observer())
    }

    pub(super) fn seen(&mut self, ids: &[i32]) -> HashMap<i32, Seen> {
        if ids.is_empty() {
            return HashMap::new();
        }
        let rows: QueryResult<Vec<(Piece, Option<i32>)>> = pieces::table
            .left_join(marks::table)
            .filter(pieces::id.eq_any(ids.to_vec()))
            .select((Piece::as_select(), marks::kind.nullable()))
            .load(&mut self.0);
        let rows = rows.unwrap_or_else(|error| panic!("{ids:?}: {error}"));
        rows.into_iter().map(|(piece, kind)| (piece.id, Seen { piece, kind })).collect()
    }

    pub(super) fn version_of(&mut self, area: &str, number: i32) -> Option<i64> {
        let slot = slots::table.find((area.to_owned(), number)).select(slots::version);
        slot.first(&mut self.0).optional().expect("a version")
    }

    /// Which of these keys the question chooses.
    pub(super) fn chosen(&mut self, asked: Asked, ids: &[i32]) -> Vec<i32> {
        asked.chosen(ids, &mut self.0)
    }

    /// Whether a row can be locked, found out without waiting.
    pub(super) fn is_free(&mut self, row: &str) -> bool {
        let free: QueryResult<Vec<i32>> = sql::<Integer>(&format!("{row} FOR UPDATE SKIP LOCKED")).load(&mut self.0);
        match free {
            Ok(rows) => !rows.is_empty(),
            // On MariaDB, who skips a row stands in the queue for it for a moment: a circle may be found just then.
            Err(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => false,
            Err(error) => panic!("{row}: {error}"),
        }
    }

    /// The sessions of a deadlock that `session` was in, if the server tells.
    pub(super) fn circle(&mut self, error: &DieselError, session: i32) -> Option<Vec<i32>> {
        circle(error, &mut self.0, session)
    }

    /// Returns when the server has ended `session` and freed what it held.
    pub(super) fn wait_until_gone(&mut self, session: i32) {
        self.0.wait_until_gone(session);
    }
}
