//! The lock set: what to lock, added in any form and order, and the rows that came back.

mod locked;

use std::{any::TypeId, collections::BTreeMap, fmt};

use diesel::result::QueryResult;

pub use self::locked::Locked;
use crate::{
    backend::{HasKeyLocks, HasShareLocks, LockingBackend},
    key::IntoKey,
    lockable::Lockable,
    mode::Strength,
    sql::{Chosen, Choice, LockTarget, PartInSet, RowQuery, TableName},
};

#[must_use = "a lock set locks nothing until `lock` is called on it"]
pub struct LockSet<'a, DB: LockingBackend> {
    parts: Vec<(TypeId, Gathered<'a, DB>)>,
    strength: Strength,
    allow_missing: bool,
}

struct Gathered<'a, DB: LockingBackend> {
    part: Box<dyn crate::sql::Part<DB>>,
    queries: Vec<Box<dyn Choice<DB> + 'a>>,
    strength: Strength,
    keys: usize,
}

impl<'a, DB: LockingBackend> LockSet<'a, DB> {
    pub fn new() -> Self {
        LockSet { parts: Vec::new(), strength: Strength::Update, allow_missing: false }
    }

    pub fn row<T: LockTarget<DB>>(self, row: &T) -> Self {
        self.id::<T>(row.lock_key())
    }

    pub fn rows<'r, T: LockTarget<DB>>(self, rows: impl IntoIterator<Item = &'r T>) -> Self {
        self.ids::<T>(rows.into_iter().map(Lockable::lock_key))
    }

    pub fn id<T: LockTarget<DB>>(self, id: impl IntoKey<T::Key>) -> Self {
        self.ids::<T>([id])
    }

    pub fn ids<T: LockTarget<DB>>(mut self, ids: impl IntoIterator<Item = impl IntoKey<T::Key>>) -> Self {
        let mut ids = ids.into_iter().peekable();
        // A model nobody asked for must not cost a statement.
        if ids.peek().is_some() {
            let gathered = self.part::<T>();
            for id in ids {
                gathered.keys += 1;
                T::ask(&mut *gathered.part, id.into_key());
            }
        }
        self
    }

    pub fn query<T: LockTarget<DB>>(mut self, query: impl RowQuery<'a, T, DB>) -> Self {
        self.part::<T>().queries.push(query.into_choice());
        self
    }

    pub fn for_update(self) -> Self {
        self.with(Strength::Update)
    }

    pub fn for_no_key_update(self) -> Self
    where
        DB: HasKeyLocks,
    {
        self.with(Strength::NoKeyUpdate)
    }

    pub fn for_share(self) -> Self
    where
        DB: HasShareLocks,
    {
        self.with(Strength::Share)
    }

    pub fn for_key_share(self) -> Self
    where
        DB: HasKeyLocks,
    {
        self.with(Strength::KeyShare)
    }

    pub fn allow_missing(mut self) -> Self {
        self.allow_missing = true;
        self
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn with(mut self, strength: Strength) -> Self {
        self.strength = strength;
        self
    }

    fn part<T: LockTarget<DB>>(&mut self) -> &mut Gathered<'a, DB> {
        let model = TypeId::of::<T>();
        let strength = self.strength;
        let index = self.parts.iter().position(|(m, _)| *m == model).unwrap_or_else(|| {
            self.parts.push((model, Gathered { part: T::part(), queries: Vec::new(), strength, keys: 0 }));
            self.parts.len() - 1
        });
        let gathered = &mut self.parts[index].1;
        gathered.strength = gathered.strength.max(strength);
        gathered
    }

    pub(crate) fn allows_missing(&self) -> bool {
        self.allow_missing
    }

    /// The conversations, table by table in the order in which they must be held.
    pub(crate) fn into_tables(self) -> QueryResult<Vec<DB::Table<'a>>> {
        let mut tables: BTreeMap<TableName, (Strength, Vec<PartInSet<'a, DB>>)> = BTreeMap::new();
        for (_, Gathered { part, queries, strength, .. }) in self.parts {
            let choice = |query: Box<dyn Choice<DB> + 'a>| Ok(Chosen { shape: query.shape()?, query });
            let choices = queries.into_iter().map(choice).collect::<QueryResult<_>>()?;
            let table = tables.entry(part.wanted().table_name()?).or_insert((strength, Vec::new()));
            table.0 = table.0.max(strength);
            table.1.push(PartInSet { part, choices });
        }
        tables.into_iter().map(|(name, (strength, parts))| DB::table(name, parts, strength)).collect()
    }
}

impl<DB: LockingBackend> Default for LockSet<'_, DB> {
    fn default() -> Self {
        Self::new()
    }
}

impl<DB: LockingBackend> fmt::Debug for LockSet<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (_, part) in &self.parts {
            let wanted = format!("{} keys, {} queries, {:?}", part.keys, part.queries.len(), part.strength);
            map.entry(&part.part.wanted().model_name(), &wanted);
        }
        map.finish()
    }
}
