//! Picks of models.

use std::{any::Any, collections::HashSet, marker::PhantomData};

use diesel::{
    backend::{Backend, DieselReserveSpecialization},
    deserialize,
    query_builder::QueryFragment,
    query_dsl::methods::LockingDsl,
    query_source::QuerySource,
    result::Error as DieselError,
};

use super::{ClaimFrom, PickFrom, Picks, check};
use crate::{
    backend::{Exchange, LockingBackend, Picking, Reader},
    diesel_internals::{BoxedSelectStatement, FromClause, RowRef, SelectStatement, is_empty},
    error::{LockError, Result},
    mode::Strength,
    sql::{Choice, ChosenBy, Columns, ForUpdate, Found, FoundRows, LockTarget, Part, Sight, TableName},
};

#[diagnostic::do_not_recommend]
impl<'a, T, DB, F, S, D, W, O, LOf> PickFrom<'a, T, DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    DB: LockingBackend,
    T: LockTarget<DB> + ChosenBy<Self>,
    F: QuerySource,
    Self: Choice<DB> + LockingDsl<ForUpdate> + 'a,
{
    fn picks(self, n: u32) -> Result<Box<dyn Picks<DB, T> + 'a>> {
        Ok(Box::new(PickModels::new(self, n, Strength::Update)?))
    }
}

#[diagnostic::do_not_recommend]
impl<'a, 'q, T, DB, F, ST> PickFrom<'a, T, DB> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, ()>
where
    DB: LockingBackend + DieselReserveSpecialization,
    T: LockTarget<DB> + ChosenBy<Self>,
    F: QuerySource,
    Self: Choice<DB> + 'a,
{
    fn picks(self, n: u32) -> Result<Box<dyn Picks<DB, T> + 'a>> {
        Ok(Box::new(PickModels::new(self, n, Strength::Update)?))
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T, DB, F, S, D, W, O, LOf> ClaimFrom<'a, T, DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    DB: LockingBackend,
    T: LockTarget<DB> + ChosenBy<Self>,
    F: QuerySource,
    Self: Choice<DB> + LockingDsl<ForUpdate> + 'a,
{
    fn claims(self, n: u32, changes: Box<dyn QueryFragment<DB> + 'a>) -> Result<Box<dyn Picks<DB, T> + 'a>> {
        Ok(Box::new(Claims::new(self, n, Strength::Update, changes)?))
    }
}

#[diagnostic::do_not_recommend]
impl<'a, 'q, T, DB, F, ST> ClaimFrom<'a, T, DB> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, ()>
where
    DB: LockingBackend + DieselReserveSpecialization,
    T: LockTarget<DB> + ChosenBy<Self>,
    F: QuerySource,
    Self: Choice<DB> + 'a,
{
    fn claims(self, n: u32, changes: Box<dyn QueryFragment<DB> + 'a>) -> Result<Box<dyn Picks<DB, T> + 'a>> {
        Ok(Box::new(Claims::new(self, n, Strength::Update, changes)?))
    }
}

/// Rows of a model's table, locked.
struct PickModels<Q, T, DB: Backend> {
    query: Q,
    part: Box<dyn Part<DB>>,
    table: TableName,
    limit: i64,
    strength: Strength,
    model: PhantomData<fn() -> T>,
}

impl<Q, T, DB> PickModels<Q, T, DB>
where
    Q: Choice<DB>,
    T: LockTarget<DB>,
    DB: LockingBackend,
{
    fn new(query: Q, n: u32, strength: Strength) -> Result<Self> {
        check::<DB>(&query)?;
        let part = T::part();
        let table = part.wanted().table_name()?;
        Ok(PickModels { query, part, table, limit: i64::from(n), strength, model: PhantomData })
    }

    fn models(self) -> Vec<T> {
        let rows: Box<dyn Any> = self.part.finish(&self.table).rows;
        rows.downcast::<FoundRows<T>>().map(|mut found| found.take()).unwrap_or_default()
    }
}

impl<Q, T, DB> Picks<DB, T> for PickModels<Q, T, DB>
where
    Q: Choice<DB>,
    T: LockTarget<DB>,
    DB: LockingBackend,
{
    fn exchange(&mut self) -> Exchange<'_, DB> {
        let PickModels { query, part, table, limit, strength, .. } = self;
        let (wanted, found) = part.sides();
        let pick = Picking { table, strength: *strength, limit };
        let statement = DB::pick(query, Columns::Of(wanted), pick);
        Exchange { statement, reader: Box::new(ModelReader { found, places: None }) }
    }

    /// A join that repeats a row counts it each time; it comes back once.
    fn finish(self: Box<Self>) -> Vec<T> {
        let mut rows = self.models();
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(row.lock_key()));
        rows
    }
}

/// Rows of a model's table, locked and changed.
pub(super) struct Claims<'a, Q, T, DB: Backend> {
    pick: PickModels<Q, T, DB>,
    changes: Box<dyn QueryFragment<DB> + 'a>,
    places: Vec<i64>,
}

impl<'a, Q, T, DB> Claims<'a, Q, T, DB>
where
    Q: Choice<DB>,
    T: LockTarget<DB>,
    DB: LockingBackend,
{
    pub(super) fn new(query: Q, n: u32, strength: Strength, changes: Box<dyn QueryFragment<DB> + 'a>) -> Result<Self> {
        let pick = PickModels::new(query, n, strength)?;
        if is_empty::<DB>(&*changes)? {
            return Err(LockError::Query(DieselError::QueryBuilderError("there is nothing to change".into())));
        }
        Ok(Claims { pick, changes, places: Vec::new() })
    }
}

impl<Q, T, DB> Picks<DB, T> for Claims<'_, Q, T, DB>
where
    Q: Choice<DB>,
    T: LockTarget<DB>,
    DB: LockingBackend,
{
    fn exchange(&mut self) -> Exchange<'_, DB> {
        let Claims { pick: PickModels { query, part, table, limit, strength, .. }, changes, places } = self;
        let (wanted, found) = part.sides();
        let pick = Picking { table, strength: *strength, limit };
        let width = wanted.width();
        let statement = DB::claim(query, wanted, &**changes, pick);
        Exchange { statement, reader: Box::new(ModelReader { found, places: Some((width, places)) }) }
    }

    fn finish(self: Box<Self>) -> Vec<T> {
        let mut rows: Vec<_> = self.places.into_iter().zip(self.pick.models()).collect();
        rows.sort_by_key(|(place, _)| *place);
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

struct ModelReader<'e, DB: Backend> {
    found: &'e mut dyn Found<DB>,
    /// Behind so many columns stands the row's place in the order of the query.
    places: Option<(usize, &'e mut Vec<i64>)>,
}

impl<DB: LockingBackend> Reader<DB> for ModelReader<'_, DB> {
    fn row(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<()> {
        let Some((width, places)) = &mut self.places else { return self.found.read(row, Sight::Wanted) };
        places.push(DB::place(row, *width)?);
        self.found.read(&row.window(0..*width), Sight::Wanted)
    }
}
