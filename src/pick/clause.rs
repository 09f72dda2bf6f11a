//! Picks and claims from a query with a locking clause on it. The clause determines the strength and the table.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSqlRow},
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment},
    query_source::{QuerySource, Table},
};

use super::{ClaimFrom, PickFrom, Picks, check, model::PickModels};
use crate::{
    backend::{HasLockingClauses, Picking, RowSink, Step},
    diesel_internals::{CompatibleType, RowRef},
    error::Result,
    lockable::Lockable,
    mode::Strength,
    sql::{AnySelect, ExclusiveStrength, LockStrength, LockTarget, RowLock, TableName},
};

/// The SQL type of the select list of `Q` when it is read into a `U`.
type Selected<Q, U, DB> = <<Q as Query>::SqlType as CompatibleType<U, DB>>::SqlType;

#[diagnostic::do_not_recommend]
impl<U, DB, Q, S, L> PickFrom<U, DB> for RowLock<Q, S, L>
where
    DB: HasLockingClauses + QueryMetadata<Q::SqlType>,
    Q: AnySelect<DB> + Query<SqlType: CompatibleType<U, DB>>,
    S: QuerySource<FromClause: QueryFragment<DB>>,
    L: LockStrength<DB>,
    U: FromSqlRow<Selected<Q, U, DB>, DB> + Send,
{
    type Picks = PickSelected<Q, U>;

    fn picks(self, n: u32) -> Result<Self::Picks> {
        let text = check::<DB>(&self.query, None)?;
        let table = TableName::of::<DB>(&self.table.from_clause())?;
        if text.joins {
            DB::check_table(&text.from, &table)?;
        }
        let (query, limit, strength) = (self.query, i64::from(n), L::STRENGTH);
        let asks_again = !text.own;
        Ok(PickSelected { query, table, limit, strength, asks_again, rows: None })
    }
}

#[diagnostic::do_not_recommend]
impl<T, DB, C, Q, L> ClaimFrom<T, DB, C> for RowLock<Q, T::Table, L>
where
    DB: HasLockingClauses,
    T: LockTarget<DB> + Lockable,
    T::Table: Table,
    C: QueryFragment<DB>,
    Q: AnySelect<DB>,
    L: LockStrength<DB> + ExclusiveStrength,
{
    type Claims = PickModels<Q, C, T, DB>;

    fn claims(self, n: u32, changes: C) -> Result<Self::Claims> {
        PickModels::new(self.query, n, L::STRENGTH, Some(changes))
    }
}

/// The plan of a pick of a query's own select list.
#[doc(hidden)]
#[allow(missing_debug_implementations)] // as Diesel's nodes
pub struct PickSelected<Q, U> {
    query: Q,
    table: TableName,
    limit: i64,
    strength: Strength,
    asks_again: bool,
    /// `None` until the statement is built.
    rows: Option<Vec<U>>,
}

impl<Q, U, DB> Picks<DB, U> for PickSelected<Q, U>
where
    DB: HasLockingClauses,
    Q: AnySelect<DB> + Query<SqlType: CompatibleType<U, DB>>,
    U: FromSqlRow<Selected<Q, U, DB>, DB> + Send,
{
    fn asks_again(&self) -> bool {
        self.asks_again
    }

    fn table(&self) -> &TableName {
        &self.table
    }

    fn next_step(&mut self) -> Option<Step<'_, DB>> {
        let PickSelected { query, table, limit, strength, rows, .. } = self;
        if rows.is_some() {
            return None;
        }
        let statement = DB::pick_selected(query, Picking { table, strength: *strength, limit });
        let read = |row: &RowRef<'_, DB>| U::build_from_row(row);
        Some(Step::new(statement, RowsReader(rows.get_or_insert_default(), read)))
    }

    fn step_done(&mut self) -> Result<()> {
        Ok(())
    }

    fn finish(self) -> Vec<U> {
        self.rows.unwrap_or_default()
    }
}

/// A row sink that reads each row by a function.
struct RowsReader<'e, U, F>(&'e mut Vec<U>, F);

impl<U, F, DB> RowSink<DB> for RowsReader<'_, U, F>
where
    DB: Backend,
    F: Fn(&RowRef<'_, DB>) -> deserialize::Result<U>,
{
    fn row(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<()> {
        self.0.push(self.1(row)?);
        Ok(())
    }
}
