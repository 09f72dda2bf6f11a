//! Turns a lock set into its parts as they are locked: its options, its advisory locks in order, and one plan for each table.

use std::any::TypeId;

use super::{AdvisoryPart, LockSet};
use crate::{
    backend::{LockingBackend, TablePlan},
    diesel_internals::sql_of,
    error::{LockError, Result},
    lockable::RowRequest,
    mode::{Strength, WaitPolicy},
    sql::{AnySelect, Chosen, KeyOf, LockTarget, Model, QueriedModel, QueryText, TableName, check_model},
};

/// The part of a set that belongs to one model: its keys, its queries, and the strength.
pub(super) struct SetByTable<'a, DB: LockingBackend> {
    pub(super) model: Box<dyn Model<DB>>,
    pub(super) queries: Vec<Box<dyn AnySelect<DB> + Send + 'a>>,
    pub(super) strength: Strength,
}

impl<'a, DB: LockingBackend, W> LockSet<'a, DB, W> {
    /// Returns the part of this model, raised to the set's current strength.
    pub(super) fn gathered<T: LockTarget<DB>>(&mut self) -> &mut SetByTable<'a, DB> {
        let model = TypeId::of::<T>();
        let strength = self.strength;
        let index = self.parts.iter().position(|(m, _)| *m == model).unwrap_or_else(|| {
            self.parts.push((model, SetByTable { model: T::model(), queries: Vec::new(), strength }));
            self.parts.len() - 1
        });
        let gathered = &mut self.parts[index].1;
        gathered.strength = gathered.strength.max(strength);
        gathered
    }

    pub(crate) fn of_row<T: LockTarget<DB>>(row: RowRequest<T, W>) -> Self {
        let mut set = LockSet::new().id::<T>(row.id).with_policy(row.wait_policy);
        set.name_holders = row.name_holders;
        set
    }

    pub(crate) fn allows_missing(&self) -> bool {
        self.allow_missing
    }

    pub(crate) fn names_holders(&self) -> bool {
        self.name_holders
    }

    /// Returns the number of advisory locks.
    #[allow(dead_code, reason = "read by the feature `tracing`")]
    pub(crate) fn advisory_locks(&self) -> usize {
        self.advisory.len()
    }

    pub(crate) fn wait_policy(&self) -> WaitPolicy {
        self.wait_policy
    }

    /// Takes the advisory locks out of the set, in the order in which they must be locked.
    pub(crate) fn take_advisory(&mut self) -> Vec<AdvisoryPart<DB>> {
        AdvisoryPart::in_order(std::mem::take(&mut self.advisory))
    }

    /// Builds the plans, one for each table, in the order in which the tables must be locked. Also returns whether one of them has a query
    /// that is sent again when its rows are locked.
    pub(crate) fn into_tables(self) -> Result<(Vec<DB::Table<'a>>, bool)> {
        let (wait_policy, mut asks_again) = (self.wait_policy, false);
        let mut tables: Vec<(TableName, Strength, Vec<QueriedModel<'a, DB>>)> = Vec::with_capacity(self.parts.len());
        let key = |model: &dyn Model<DB>| sql_of::<DB>(&KeyOf(model.text()));
        for (_, SetByTable { model, queries, strength, .. }) in self.parts {
            if queries.is_empty() {
                check_model(model.text(), DB::DIALECT)?;
            }
            let choice = |query: Box<dyn AnySelect<DB> + Send + 'a>| {
                let shape = query.shape()?;
                Ok(Chosen { text: QueryText::of(&*query, shape, DB::DIALECT, Some(model.text()))?, shape, query })
            };
            let choices = queries.into_iter().map(choice).collect::<Result<Vec<_>>>()?;
            asks_again |= choices.iter().any(|chosen| !chosen.text.own);
            let name = model.text().table_name()?;
            let Some((_, strongest, models)) = tables.iter_mut().find(|(other, ..)| *other == name) else {
                tables.push((name, strength, vec![QueriedModel { model, choices }]));
                continue;
            };
            // Sorted by another key, the rows would be locked and returned in another order, and be read into the wrong model.
            if key(&*models[0].model)? != key(&*model)? {
                return Err(LockError::two_keys());
            }
            *strongest = (*strongest).max(strength);
            models.push(QueriedModel { model, choices });
        }
        tables.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        let names: Vec<_> =
            if tables.len() > 1 { tables.iter().map(|(name, ..)| name.clone()).collect() } else { Vec::new() };
        let mut plans = Vec::with_capacity(tables.len());
        for (name, strength, models) in tables {
            plans.push(DB::table(name, models, strength, wait_policy)?);
        }
        if let [first, _, ..] = &mut plans[..] {
            first.among(names);
        }
        Ok((plans, asks_again))
    }
}
