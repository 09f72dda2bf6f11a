//! Picks and claims: plans that take the next free rows of a query. A plan sends nothing itself.

mod clause;
mod model;

use std::sync::Arc;

use crate::{
    backend::{LockingBackend, Step},
    error::{LockError, Result},
    sql::{AnySelect, ModelText, QueryText, TableName},
};

/// A query from which rows can be picked as `T`.
///
/// - Any `SELECT` over tables, filtered, joined, ordered, boxed or not: `T` is a model of one of its tables, and rows of that
///   table are locked, `FOR UPDATE`. The query's own select list does not matter.
/// - The same with a locking clause on it, `query.for_no_key_update_of(jobs::table)`: the strength and the table, or alias,
///   are those of the clause, and `T` is any type into which Diesel can load the query's own select list.
///
/// [`pick_next`](crate::PickDsl::pick_next) has an example.
#[diagnostic::on_unimplemented(
    message = "rows cannot be picked as `{T}` from this query",
    label = "no rows of `{T}` that could be locked one by one",
    note = "what comes back is a model, `#[derive(Queryable, Selectable, Lockable)]`, of a table that occurs in the query once, and \
            not on the optional side of an outer join",
    note = "`DISTINCT`, `GROUP BY`, `HAVING` and unions fold rows together: leave them out",
    note = "leave Diesel's own `for_update()` out; for another strength or an alias use one `for_no_key_update_of(table)` or one of \
            its sisters, not several, without `no_wait`, `skip_locked` or `timeout`: a pick never waits",
    note = "`for_no_key_update_of` and `for_key_share_of` exist on PostgreSQL only, and no locking clause on SQLite",
    note = "a boxed query must be boxed for the backend of the connection"
)]
pub trait PickFrom<T, DB: LockingBackend>: Sized {
    #[doc(hidden)]
    type Picks: Picks<DB, T>;

    #[doc(hidden)]
    fn picks(self, n: u32) -> Result<Self::Picks>;
}

/// A query whose rows can be claimed as `T`: picked and changed at once.
///
/// As [`PickFrom`], except that `T` is a model in any case, and that a locking clause must keep all other sessions from changing the row:
/// `for_update_of`, `for_no_key_update_of`. [`claim`](crate::PickDsl::claim) has an example.
#[diagnostic::on_unimplemented(
    message = "rows cannot be claimed as `{T}` from this query",
    label = "no rows of `{T}` that could be locked one by one",
    note = "what comes back is a model, `#[derive(Queryable, Selectable, Lockable)]`, of a table that occurs in the query once, and \
            not on the optional side of an outer join",
    note = "`DISTINCT`, `GROUP BY`, `HAVING` and unions fold rows together: leave them out",
    note = "leave Diesel's own `for_update()` out; for another strength use one `for_no_key_update_of(table)`, on PostgreSQL, without \
            `no_wait`, `skip_locked` or `timeout`: a claim never waits",
    note = "SQLite has no locking clauses: leave them out",
    note = "`for_share_of` and `for_key_share_of` let two workers have the same row, which only one of them can change",
    note = "a boxed query must be boxed for the backend of the connection"
)]
pub trait ClaimFrom<T, DB: LockingBackend, C>: Sized {
    #[doc(hidden)]
    type Claims: Picks<DB, T>;

    #[doc(hidden)]
    fn claims(self, n: u32, changes: C) -> Result<Self::Claims>;
}

/// The plan of a pick or a claim, in progress.
#[doc(hidden)]
pub trait Picks<DB: LockingBackend, T>: Sized {
    /// Returns whether this is a claim of several statements, which must run in one transaction.
    fn claims_in_steps(&self) -> bool {
        false
    }

    /// Returns whether the conditions are about more than the row itself, so that they are rechecked when the rows are locked.
    fn asks_again(&self) -> bool;

    /// Returns the table whose rows are picked.
    fn table(&self) -> &TableName;

    /// Returns the next statement and its response handler; `None` when the plan is done.
    fn next_step(&mut self) -> Option<Step<'_, DB>>;

    /// Ends a step: all rows of the last statement were read.
    fn step_done(&mut self) -> Result<()>;

    /// Returns the error of the last statement, unless the plan goes on after it. The statement has locked nothing.
    fn recover(&mut self, error: LockError) -> Result<()> {
        Err(error)
    }

    /// Returns the rows, in the order of the query.
    fn finish(self) -> Vec<T>;
}

/// Rejects DISTINCT, GROUP BY, HAVING, LIMIT and OFFSET, and raw SQL that would disable the clauses behind it.
///
/// The query selects the columns of `model`; without a model, its own select list.
fn check<DB: LockingBackend>(query: &dyn AnySelect<DB>, model: Option<&dyn ModelText<DB>>) -> Result<Arc<QueryText>> {
    let shape = query.shape()?;
    if shape.folded {
        return Err(LockError::folded("DISTINCT, GROUP BY or HAVING"));
    }
    if shape.limited {
        let advice = "leave the clause out and say how many rows to take: `query.pick(n, conn)`";
        return Err(LockError::Unsupported { clause: "LIMIT or OFFSET", advice });
    }
    QueryText::of(query, shape, DB::DIALECT, model)
}
