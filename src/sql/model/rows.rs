//! The requested keys, the received rows and the row numbers of a model.

use std::{
    cmp::Ordering,
    collections::{HashMap, HashSet},
    marker::PhantomData,
    sync::Arc,
};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSqlRow},
};

use super::{Keys, ModelRows, RowId, Sequence, finished::names, found_rows::FoundRows, keys::KeysOf};
use crate::{
    diesel_internals::RowRef,
    error::RowName,
    lockable::Lockable,
    sql::{KeyList, Rank, TableName},
};

/// The result of a set, pick or claim for one model, as row numbers.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows, for a set in the order of the key; `None` means all rows that were read, in the order of reading.
    pub(crate) rows: Option<Vec<RowId>>,
    pub(crate) missing: Vec<RowId>,
    pub(crate) skipped: Vec<RowId>,
    /// Requested keys that are another value in Rust than the key of their row, each with the number of that row: "ada" for the row "Ada".
    pub(crate) same: Vec<(RowId, RowId)>,
}

pub(super) struct RowsOf<T: Lockable, ST> {
    asked: Arc<Vec<T::Key>>,
    rows: Vec<T>,
    /// The numbers by key; `None` until a key is looked up. Until then the number of a row is its position in `rows`.
    numbers: Option<Numbers<T::Key>>,
    marker: PhantomData<fn() -> ST>,
}

struct Numbers<K> {
    /// The keys, by row number.
    keys: Vec<K>,
    /// The position in `rows` of the row that was read, by row number.
    places: Vec<Option<usize>>,
    of: HashMap<K, RowId>,
}

impl<K: Clone + Eq + std::hash::Hash> Numbers<K> {
    fn number(&mut self, key: K) -> RowId {
        let Numbers { keys, places, of } = self;
        *of.entry(key).or_insert_with_key(|key| {
            keys.push(key.clone());
            places.push(None);
            RowId((keys.len() - 1) as u32)
        })
    }
}

impl<T: Lockable, ST> Default for RowsOf<T, ST> {
    fn default() -> Self {
        RowsOf { asked: Arc::default(), rows: Vec::new(), numbers: None, marker: PhantomData }
    }
}

impl<T: Lockable, ST> RowsOf<T, ST> {
    pub(super) fn ask(&mut self, keys: impl Iterator<Item = T::Key>) {
        Arc::make_mut(&mut self.asked).extend(keys);
    }

    /// Returns the numbers by key. The first call gives the rows that were read so far their numbers by key.
    fn numbers(&mut self) -> &mut Numbers<T::Key> {
        let rows = &self.rows;
        self.numbers.get_or_insert_with(|| {
            let keys: Vec<_> = rows.iter().map(Lockable::lock_key).collect();
            let places = (0..keys.len()).map(Some).collect();
            let mut of = HashMap::with_capacity(keys.len());
            for (number, key) in keys.iter().enumerate() {
                of.entry(key.clone()).or_insert(RowId(number as u32));
            }
            Numbers { keys, places, of }
        })
    }

    fn key(&self, row: RowId) -> T::Key {
        let number = row.0 as usize;
        self.numbers.as_ref().map_or_else(|| self.rows[number].lock_key(), |numbers| numbers.keys[number].clone())
    }

    fn keep(&mut self, row: T) -> RowId {
        let Some(numbers) = &mut self.numbers else {
            self.rows.push(row);
            return RowId((self.rows.len() - 1) as u32);
        };
        let number = numbers.number(row.lock_key());
        let place = &mut numbers.places[number.0 as usize];
        match place {
            Some(place) => self.rows[*place] = row,
            None => {
                *place = Some(self.rows.len());
                self.rows.push(row);
            }
        }
        number
    }

    pub(super) fn answer(self, answer: Answer) -> FoundRows<T> {
        let keys = |rows: &[RowId]| rows.iter().map(|row| self.key(*row)).collect();
        let (missing, skipped) = (keys(&answer.missing), keys(&answer.skipped));
        let same = answer.same.iter().map(|(key, row)| (self.key(*key), self.key(*row))).collect();
        let rows = match answer.rows {
            None => self.rows,
            Some(chosen) => {
                let places = self.numbers.map(|numbers| numbers.places);
                let place = |row: RowId| match &places {
                    Some(places) => places[row.0 as usize],
                    None => Some(row.0 as usize),
                };
                let mut rows: Vec<_> = self.rows.into_iter().map(Some).collect();
                chosen.into_iter().filter_map(|row| rows[place(row)?].take()).collect()
            }
        };
        FoundRows::new(rows, missing, skipped, same)
    }
}

impl<T, DB, ST> ModelRows<DB> for RowsOf<T, ST>
where
    DB: Backend + 'static,
    T: Lockable + FromSqlRow<ST, DB>,
    T::KeyColumns: KeyList<DB, T::Key, Columns: 'static>,
    ST: 'static,
{
    fn read(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<RowId> {
        let row = T::build_from_row(row)?;
        if self.rows.is_empty() {
            self.rows.reserve(self.asked.len());
        }
        Ok(self.keep(row))
    }

    fn number(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<RowId> {
        let key = T::build_from_row(row)?.lock_key();
        Ok(self.numbers().number(key))
    }

    fn asked(&self) -> usize {
        self.asked.len()
    }

    fn came_as_asked(&self) -> bool {
        let mut pairs = self.rows.iter().zip(&*self.asked);
        self.rows.len() == self.asked.len() && pairs.all(|(row, key)| row.lock_key() == *key)
    }

    fn number_asked(&mut self) -> Vec<RowId> {
        let asked = Arc::clone(&self.asked);
        let numbers = self.numbers();
        let mut seen = HashSet::with_capacity(asked.len());
        asked.iter().map(|key| numbers.number(key.clone())).filter(|number| seen.insert(*number)).collect()
    }

    fn asked_keys(&self) -> Box<dyn Keys<DB>> {
        KeysOf::<T::KeyColumns, _, _>::boxed(Arc::clone(&self.asked))
    }

    fn asked_keys_at(&self, places: &[usize]) -> Box<dyn Keys<DB>> {
        let keys = places.iter().map(|place| self.asked[*place].clone()).collect();
        KeysOf::<T::KeyColumns, _, _>::boxed(Arc::new(keys))
    }

    fn keys(&self, rows: &[RowId]) -> Box<dyn Keys<DB>> {
        let keys = rows.iter().map(|row| self.key(*row)).collect();
        KeysOf::<T::KeyColumns, _, _>::boxed(Arc::new(keys))
    }

    fn asked_ranks(&self) -> Option<Vec<Rank>> {
        T::KeyColumns::ranks(&self.asked)
    }

    fn ranks(&self, rows: &[RowId]) -> Option<Vec<Rank>> {
        let keys: Vec<_> = rows.iter().map(|row| self.key(*row)).collect();
        T::KeyColumns::ranks(&keys)
    }

    fn sequence(&self, rows: &[RowId]) -> Sequence {
        let mut rows = rows.iter();
        let Some(mut before) = rows.next().map(|row| self.key(*row)) else { return Sequence::Ascending };
        let mut sequence = Sequence::Ascending;
        for row in rows {
            let key = self.key(*row);
            match T::KeyColumns::compare(&before, &key) {
                _ if before == key => return Sequence::Repeated,
                Some(Ordering::Less) => {}
                Some(_) => sequence = Sequence::Disordered,
                None if sequence == Sequence::Ascending => sequence = Sequence::Unknown,
                None => {}
            }
            before = key;
        }
        sequence
    }

    fn sort(&self, rows: &mut [RowId]) {
        rows.sort_by(|one, other| {
            T::KeyColumns::compare(&self.key(*one), &self.key(*other)).unwrap_or(Ordering::Equal)
        });
    }

    fn is_exact(&self) -> bool {
        T::KeyColumns::is_exact()
    }

    fn names(&self, rows: &[RowId], table: &TableName) -> Vec<RowName> {
        let keys: Vec<_> = rows.iter().map(|row| self.key(*row)).collect();
        names::<T>(table, &keys)
    }

    fn asked_names(&self, table: &TableName) -> Vec<RowName> {
        names::<T>(table, &*self.asked)
    }
}
