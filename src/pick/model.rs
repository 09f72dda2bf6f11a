//! Picks and claims whose rows are read into a model.

use std::{any::Any, collections::HashSet, marker::PhantomData};

use diesel::{
    backend::DieselReserveSpecialization, query_builder::QueryFragment, query_dsl::methods::LockingDsl,
    query_source::QuerySource, result::Error as DieselError,
};

use super::{ClaimFrom, PickFrom, Picks, check};
use crate::{
    backend::{LockingBackend, PickPlan, Picking, Step},
    diesel_internals::{BoxedSelectStatement, FromClause, SelectStatement, is_empty},
    error::{LockError, Result},
    markers::ForUpdate,
    mode::Strength,
    sql::{AnySelect, FoundRows, LockTarget, Model, QueriedBy, TableName, check_changes},
};

#[diagnostic::do_not_recommend]
impl<T, DB, F, S, D, W, O, LOf> PickFrom<T, DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    DB: LockingBackend,
    T: LockTarget<DB> + QueriedBy<Self>,
    F: QuerySource,
    Self: AnySelect<DB> + LockingDsl<ForUpdate>,
{
    type Picks = PickModels<Self, NoChanges, T, DB>;

    fn picks(self, n: u32) -> Result<Self::Picks> {
        PickModels::new(self, n, Strength::Update, None)
    }
}

#[diagnostic::do_not_recommend]
impl<'q, T, DB, F, ST> PickFrom<T, DB> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, ()>
where
    DB: LockingBackend + DieselReserveSpecialization,
    T: LockTarget<DB> + QueriedBy<Self>,
    F: QuerySource,
    Self: AnySelect<DB>,
{
    type Picks = PickModels<Self, NoChanges, T, DB>;

    fn picks(self, n: u32) -> Result<Self::Picks> {
        PickModels::new(self, n, Strength::Update, None)
    }
}

#[diagnostic::do_not_recommend]
impl<T, DB, C, F, S, D, W, O, LOf> ClaimFrom<T, DB, C> for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    DB: LockingBackend,
    T: LockTarget<DB> + QueriedBy<Self>,
    C: QueryFragment<DB>,
    F: QuerySource,
    Self: AnySelect<DB> + LockingDsl<ForUpdate>,
{
    type Claims = PickModels<Self, C, T, DB>;

    fn claims(self, n: u32, changes: C) -> Result<Self::Claims> {
        PickModels::new(self, n, Strength::Update, Some(changes))
    }
}

#[diagnostic::do_not_recommend]
impl<'q, T, DB, C, F, ST> ClaimFrom<T, DB, C> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, ()>
where
    DB: LockingBackend + DieselReserveSpecialization,
    T: LockTarget<DB> + QueriedBy<Self>,
    C: QueryFragment<DB>,
    F: QuerySource,
    Self: AnySelect<DB>,
{
    type Claims = PickModels<Self, C, T, DB>;

    fn claims(self, n: u32, changes: C) -> Result<Self::Claims> {
        PickModels::new(self, n, Strength::Update, Some(changes))
    }
}

/// The changes of a pick: none.
type NoChanges = ();

/// The plan of a pick or a claim of models: locks rows of the model's table and, for a claim, changes them.
#[doc(hidden)]
#[allow(missing_debug_implementations)] // as Diesel's nodes
pub struct PickModels<Q, C, T, DB: LockingBackend> {
    query: Q,
    model: Box<dyn Model<DB>>,
    table: TableName,
    changes: Option<C>,
    asks_again: bool,
    plan: DB::Pick,
    /// True if the query has a join, which returns a row once for each row that it is joined with.
    repeats: bool,
    picked: PhantomData<fn() -> T>,
}

impl<Q, C, T, DB> PickModels<Q, C, T, DB>
where
    Q: AnySelect<DB>,
    C: QueryFragment<DB>,
    T: LockTarget<DB>,
    DB: LockingBackend,
{
    pub(super) fn new(query: Q, n: u32, strength: Strength, changes: Option<C>) -> Result<Self> {
        let mut model = T::model();
        let text = check::<DB>(&query, Some(model.text()))?;
        let mut changed = None;
        if let Some(changes) = &changes {
            if is_empty::<DB>(changes)? {
                return Err(LockError::Query(DieselError::QueryBuilderError("there is nothing to change".into())));
            }
            changed = Some(check_changes(changes, DB::DIALECT)?);
        }
        let table = model.text().table_name()?;
        let pick = Picking { table: &table, strength, limit: &i64::from(n) };
        let plan = DB::Pick::new(&query, &text, &mut *model, pick, changed)?;
        let (asks_again, repeats) = (!text.own, text.joins);
        Ok(PickModels { query, model, table, changes, asks_again, plan, repeats, picked: PhantomData })
    }
}

impl<Q, C, T, DB> Picks<DB, T> for PickModels<Q, C, T, DB>
where
    Q: AnySelect<DB>,
    C: QueryFragment<DB>,
    T: LockTarget<DB>,
    DB: LockingBackend,
{
    fn claims_in_steps(&self) -> bool {
        self.plan.claims_in_steps()
    }

    fn asks_again(&self) -> bool {
        self.asks_again
    }

    fn table(&self) -> &TableName {
        &self.table
    }

    fn next_step(&mut self) -> Option<Step<'_, DB>> {
        self.plan.next_step(
            &self.query,
            &mut *self.model,
            self.changes.as_ref().map(|changes| changes as &dyn QueryFragment<DB>),
        )
    }

    fn recover(&mut self, error: LockError) -> Result<()> {
        self.plan.recover(error)
    }

    fn step_done(&mut self) -> Result<()> {
        self.plan.step_done(&mut *self.model)
    }

    /// Returns each row once, also if a join repeats it. Towards the limit the row counts each time.
    fn finish(mut self) -> Vec<T> {
        let rows: Box<dyn Any> = self.model.answer(self.plan.answer(), &self.table).rows;
        let rows = rows.downcast::<FoundRows<T>>().map(|mut found| found.take()).unwrap_or_default();
        let mut rows = self.plan.arrange(rows);
        if self.repeats && rows.len() > 1 {
            let mut seen = HashSet::new();
            rows.retain(|row| seen.insert(row.lock_key()));
        }
        rows
    }
}
