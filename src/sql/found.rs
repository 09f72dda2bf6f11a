//! What one model found in its table: the rows that count as answers, and those about which a query must be asked again.

use std::{
    collections::{HashMap, HashSet},
    marker::PhantomData,
    sync::OnceLock,
};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSqlRow},
};

use crate::{diesel_internals::RowRef, lockable::Lockable};

/// The side of a part that rows are read into.
#[doc(hidden)]
pub trait Found<DB: Backend>: Send {
    /// Reads one row; `row` is the model's own columns of it.
    fn read(&mut self, row: &RowRef<'_, DB>, sight: Sight) -> deserialize::Result<()>;

    /// A query must be asked again before the rows are an answer.
    fn is_unsettled(&self) -> bool;

    /// Whether the last look found rows that this set does not hold yet.
    fn has_unheld(&self) -> bool;

    /// Query `query` chose so many rows in all; this row is one of them, or not.
    fn count(&mut self, query: usize, chosen: i64, this: bool);

    /// No row came back, though the queries chose some, or did not.
    fn none_came(&mut self, chosen: bool);

    /// A counted query chose rows that did not come back.
    fn is_short(&self) -> bool;
}

/// What a statement says about a row besides its columns.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The statement returns only what is wanted.
    Wanted,
    /// The statement locked rows for several reasons; these are the queries' reasons for this one.
    Chosen {
        /// It was asked for by key.
        asked: bool,
        /// A query without a limit chose it, and it did not change between choice and lock.
        firm: bool,
        /// As `firm`, by a query with a limit.
        limited: bool,
        /// A query without a limit chose it, and it changed before it was locked.
        doubtful: bool,
        /// As `doubtful`, by a query with a limit, which may now choose another row.
        moved: bool,
    },
    /// The statement looked again, without locking: is the row held by this set, and is it wanted?
    Again { held: bool, wanted: bool },
    /// The statement locked rows that a look found wanted and not held.
    More,
    /// The statement only looked whether a row exists that was skipped or is missing.
    Skipped,
    /// The same, and no lock of this session's reaches the row, whoever holds it.
    Unlockable,
    /// The same, and this is the row of the unknown key `.0`, in whatever letters. If it is not held, was it `skipped`?
    Same { unknown: usize, skipped: bool },
}

pub(crate) struct FoundOf<T: Lockable, ST> {
    rows: Vec<T>,
    /// Beside `rows`, in mixed sets: wanted whatever a limited query says later.
    firm: Vec<bool>,
    /// Locked, but not an answer.
    others: Vec<T::Key>,
    doubtful: Vec<T::Key>,
    moved: bool,
    unheld: Vec<T::Key>,
    more: HashSet<T::Key>,
    skipped: Vec<T::Key>,
    unlockable: Vec<T::Key>,
    /// Keys that were asked for and that are not among the rows' own, to Rust.
    unknown: Vec<T::Key>,
    /// The rows' own, and what was skipped.
    known: HashSet<T::Key>,
    /// Unknown keys that the server knows, and which row's each is.
    same: HashMap<T::Key, T::Key>,
    /// For each query: how many rows it chose, how many of them came back.
    counts: Vec<(i64, i64)>,
    /// Rows were chosen, and none came back.
    lost: bool,
    looked: bool,
    /// How many of the rows were asked for by key, as far as only the server compared.
    asked: Option<usize>,
    marker: PhantomData<fn() -> ST>,
}

/// The lists of the next look.
pub(crate) struct Again<K> {
    pub(crate) held: Vec<K>,
    /// Firm and doubtful; only the first look sorts.
    pub(crate) sorted: Option<(Vec<K>, Vec<K>)>,
}

impl<T: Lockable, ST> Default for FoundOf<T, ST> {
    fn default() -> Self {
        FoundOf {
            rows: Vec::new(),
            firm: Vec::new(),
            others: Vec::new(),
            doubtful: Vec::new(),
            moved: false,
            unheld: Vec::new(),
            more: HashSet::new(),
            skipped: Vec::new(),
            unlockable: Vec::new(),
            unknown: Vec::new(),
            known: HashSet::new(),
            same: HashMap::new(),
            counts: Vec::new(),
            lost: false,
            looked: false,
            asked: Some(0),
            marker: PhantomData,
        }
    }
}

impl<T: Lockable, ST> FoundOf<T, ST> {
    /// Makes room for the rows that were asked for by key.
    pub(crate) fn make_room(&mut self, asked: &[T::Key]) {
        self.rows.reserve(asked.len());
    }

    fn choose(&mut self, row: T, asked: bool, firm: bool, limited: bool, doubtful: bool, moved: bool) {
        let key = row.lock_key();
        self.moved |= moved;
        self.asked = self.asked.map(|count| count + usize::from(asked));
        let firm = firm || asked;
        if firm || limited {
            // A join gives a row as often as it finds partners; the statement is ordered by the key.
            if self.rows.last().is_none_or(|last| last.lock_key() != key) {
                self.rows.push(row);
                self.firm.push(firm);
            }
        } else {
            if doubtful {
                self.doubtful.push(key.clone());
            }
            self.others.push(key);
        }
    }

    pub(crate) fn look_again(&mut self) -> Again<T::Key> {
        let rows = std::mem::take(&mut self.rows);
        let firm = std::mem::take(&mut self.firm);
        let mut held: Vec<_> = std::mem::take(&mut self.others);
        held.extend(rows.iter().map(Lockable::lock_key));
        let sorted = (!self.looked).then(|| {
            let firm = rows.iter().zip(firm).filter(|(_, firm)| *firm).map(|(row, _)| row.lock_key()).collect();
            (firm, std::mem::take(&mut self.doubtful))
        });
        self.looked = true;
        self.asked = None;
        self.moved = false;
        self.unheld.clear();
        Again { held, sorted }
    }

    pub(crate) fn lock_more(&mut self) -> Vec<T::Key> {
        self.more.clear();
        self.unheld.clone()
    }

    /// What a look found unheld and the lock that followed did not get.
    pub(crate) fn left_out(&self) -> Vec<T::Key> {
        self.unheld.iter().filter(|key| !self.more.contains(*key)).cloned().collect()
    }

    /// What exists and was skipped, to be asked about once more.
    pub(crate) fn take_skipped(&mut self) -> Vec<T::Key> {
        std::mem::take(&mut self.skipped)
    }

    /// The rows that are held by others.
    pub(crate) fn skipped(&self) -> &[T::Key] {
        &self.skipped
    }

    /// The rows that no lock of this session's reaches.
    pub(crate) fn unlockable(&self) -> &[T::Key] {
        &self.unlockable
    }

    /// What was asked for and did not come back.
    ///
    /// As long as the server said of each row whether it was asked for, its count goes before a comparison in Rust: it may
    /// hold keys for equal that Rust does not.
    pub(crate) fn absent(&self, asked: &[T::Key]) -> Vec<T::Key> {
        if asked.is_empty() || self.asked == Some(asked.len()) {
            return Vec::new();
        }
        let found: HashSet<T::Key> = self.rows.iter().map(Lockable::lock_key).collect();
        let mut distinct = HashSet::new();
        let asked: Vec<_> = asked.iter().filter(|key| distinct.insert(*key)).collect();
        if self.asked == Some(asked.len()) {
            return Vec::new();
        }
        asked.into_iter().filter(|key| !found.contains(self.same.get(*key).unwrap_or(key))).cloned().collect()
    }

    /// What was asked for and is not among the keys of the rows, to Rust, if the server has found any row by key or rows may have been
    /// skipped: several of the keys may be those of one row to the server.
    pub(crate) fn find_unknown(&mut self, asked: &[T::Key], skips: bool) -> Vec<T::Key> {
        self.known = self.rows.iter().map(Lockable::lock_key).collect();
        let distinct: HashSet<_> = asked.iter().collect();
        let told = distinct.iter().filter(|key| self.known.contains(**key)).count();
        if told == distinct.len() || (!skips && self.asked == Some(0)) {
            return Vec::new();
        }
        let mut distinct = HashSet::new();
        let unknown = asked.iter().filter(|key| !self.known.contains(*key) && distinct.insert(*key));
        self.unknown = unknown.cloned().collect();
        self.unknown.clone()
    }

    pub(crate) fn finish(self, asked: &[T::Key]) -> FoundRows<T> {
        let mut missing = self.absent(asked);
        if !missing.is_empty() {
            let mut there: HashSet<_> = self.skipped.iter().cloned().collect();
            if !self.same.is_empty() {
                there.extend(self.rows.iter().map(Lockable::lock_key));
            }
            missing.retain(|key| !there.contains(self.same.get(key).unwrap_or(key)));
        }
        FoundRows::new(self.rows, missing, self.skipped, self.same)
    }
}

impl<T, ST, DB> Found<DB> for FoundOf<T, ST>
where
    DB: Backend,
    T: Lockable + FromSqlRow<ST, DB>,
{
    fn read(&mut self, row: &RowRef<'_, DB>, sight: Sight) -> deserialize::Result<()> {
        let row = T::build_from_row(row)?;
        match sight {
            Sight::Wanted => {
                self.asked = self.asked.map(|count| count + 1);
                self.rows.push(row);
            }
            Sight::Chosen { asked, firm, limited, doubtful, moved } => {
                self.choose(row, asked, firm, limited, doubtful, moved);
            }
            Sight::Again { held, wanted } => {
                if !held {
                    self.unheld.push(row.lock_key());
                }
                if held && wanted {
                    self.rows.push(row);
                } else if held {
                    self.others.push(row.lock_key());
                }
            }
            Sight::More => {
                let key = row.lock_key();
                self.others.push(key.clone());
                self.more.insert(key);
            }
            Sight::Skipped => self.skipped.push(row.lock_key()),
            Sight::Unlockable => self.unlockable.push(row.lock_key()),
            Sight::Same { unknown, skipped } => {
                let key = row.lock_key();
                if skipped && self.known.insert(key.clone()) {
                    self.skipped.push(key.clone());
                }
                if let Some(unknown) = self.unknown.get(unknown).filter(|unknown| **unknown != key) {
                    self.same.insert(unknown.clone(), key);
                }
            }
        }
        Ok(())
    }

    fn is_unsettled(&self) -> bool {
        self.moved || (!self.looked && !self.doubtful.is_empty())
    }

    fn has_unheld(&self) -> bool {
        !self.unheld.is_empty()
    }

    fn count(&mut self, query: usize, chosen: i64, this: bool) {
        if self.counts.len() <= query {
            self.counts.resize(query + 1, (0, 0));
        }
        self.counts[query].0 = chosen;
        self.counts[query].1 += i64::from(this);
    }

    fn none_came(&mut self, chosen: bool) {
        self.lost = chosen;
    }

    fn is_short(&self) -> bool {
        self.lost || self.counts.iter().any(|(chosen, seen)| chosen != seen)
    }
}

/// The rows of one model, as they came: fresh, and in the order of the key.
pub(crate) struct FoundRows<T: Lockable> {
    rows: Vec<T>,
    missing: Vec<T::Key>,
    skipped: Vec<T::Key>,
    /// Keys that were asked for in other words, and whose each is.
    same: HashMap<T::Key, T::Key>,
    /// Made by the first look-up: a set that is only walked through needs none.
    index: OnceLock<HashMap<T::Key, usize>>,
}

impl<T: Lockable> FoundRows<T> {
    pub(super) fn new(rows: Vec<T>, missing: Vec<T::Key>, skipped: Vec<T::Key>, same: HashMap<T::Key, T::Key>) -> Self {
        FoundRows { rows, missing, skipped, same, index: OnceLock::new() }
    }

    pub(crate) fn rows(&self) -> &[T] {
        &self.rows
    }

    pub(crate) fn missing(&self) -> &[T::Key] {
        &self.missing
    }

    pub(crate) fn skipped(&self) -> &[T::Key] {
        &self.skipped
    }

    pub(crate) fn position(&self, key: &T::Key) -> Option<usize> {
        let index = || self.rows.iter().enumerate().map(|(i, row)| (row.lock_key(), i)).collect();
        let index = self.index.get_or_init(index);
        index.get(key).or_else(|| index.get(self.same.get(key)?)).copied()
    }

    pub(crate) fn take(&mut self) -> Vec<T> {
        self.index = OnceLock::new();
        std::mem::take(&mut self.rows)
    }

    pub(crate) fn remove(&mut self, key: &T::Key) -> Option<T> {
        let position = self.position(key)?;
        self.index = OnceLock::new();
        Some(self.rows.remove(position))
    }
}
