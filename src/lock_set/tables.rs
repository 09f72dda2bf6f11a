//! A set as it is locked: its options, its advisory locks in order, and its rows table by table.

use std::collections::BTreeMap;

use super::{AdvisoryPart, Gathered, LockSet, PatientRow};
use crate::{
    backend::{LockingBackend, TableDialogue},
    diesel_internals::sql_of,
    error::{LockError, Result},
    mode::{Patience, Strength},
    sql::{Choice, Chosen, KeyOf, LockTarget, Part, PartInSet, QueryText, TableName, check_model},
};

impl<'a, DB: LockingBackend, W> LockSet<'a, DB, W> {
    pub(crate) fn of_row<T: LockTarget<DB>>(row: PatientRow<T, W>) -> Self {
        let mut set = LockSet::new().id::<T>(row.id).patient(row.patience);
        set.name_holders = row.name_holders;
        set
    }

    pub(crate) fn allows_missing(&self) -> bool {
        self.allow_missing
    }

    pub(crate) fn names_holders(&self) -> bool {
        self.name_holders
    }

    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// The advisory locks in the order in which they must be taken.
    pub(crate) fn take_advisory(&mut self) -> Vec<AdvisoryPart<DB>> {
        AdvisoryPart::in_order(std::mem::take(&mut self.advisory))
    }

    /// The conversations, table by table in the order in which they must be held.
    pub(crate) fn into_tables(self) -> Result<Vec<DB::Table<'a>>> {
        let patience = self.patience;
        let mut tables: BTreeMap<TableName, (Strength, Vec<PartInSet<'a, DB>>)> = BTreeMap::new();
        let key = |part: &dyn Part<DB>| sql_of::<DB>(&KeyOf(part.wanted()));
        for (_, Gathered { part, queries, strength, .. }) in self.parts {
            if queries.is_empty() {
                check_model(part.wanted(), DB::DIALECT)?;
            }
            let choice = |query: Box<dyn Choice<DB> + 'a>| {
                let shape = query.shape()?;
                Ok(Chosen { text: QueryText::of(&*query, shape, DB::DIALECT, Some(part.wanted()))?, shape, query })
            };
            let choices = queries.into_iter().map(choice).collect::<Result<_>>()?;
            let table = tables.entry(part.wanted().table_name()?).or_insert((strength, Vec::new()));
            // Sorted by another key the rows would come, and be locked, in another order, and be read into the wrong model.
            if let Some(other) = table.1.first() {
                if key(&*other.part)? != key(&*part)? {
                    return Err(LockError::two_keys());
                }
            }
            table.0 = table.0.max(strength);
            table.1.push(PartInSet { part, choices });
        }
        let names: Vec<_> = if tables.len() > 1 { tables.keys().cloned().collect() } else { Vec::new() };
        let table = |(name, (strength, parts))| Ok(DB::table(name, parts, strength, patience)?);
        let mut tables = tables.into_iter().map(table).collect::<Result<Vec<_>>>()?;
        if let [first, _, ..] = &mut tables[..] {
            first.among(names);
        }
        Ok(tables)
    }
}
