//! A part as a backend sees it that resolves queries to keys first: which keys the next statement names.

use diesel::{
    Selectable,
    backend::Backend,
    deserialize::{FromSqlRow, StaticallySizedRow},
    expression::Expression,
    query_builder::{QueryFragment, QueryId},
    query_source::Table,
};

use super::{
    choice::Shape,
    finished::names,
    key_list::{KeyList, Rank},
    part::PartOf,
    resolved::{Among, Resolved, ResolvedOf},
    table_name::TableName,
    wanted::{Wanted, keys},
};
use crate::{error::RowName, lockable::Lockable};

/// What the list [`Now`](super::List::Now) is taken from.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Every candidate.
    Candidates,
    /// The locked rows that a query chose.
    ToCheck(usize),
    /// The rows that a query chose and that do not match it.
    Lost(usize),
    /// What was to be locked and is not.
    Absent,
    /// What was asked for and not found, to Rust's eyes, and where it may be.
    Doubtful(Among),
    /// What is locked.
    Held,
}

/// The keyed side of a part.
#[doc(hidden)]
pub trait KeyedPart<DB: Backend>: Send {
    /// Takes the keys that were asked for as the first candidates.
    fn begin(&mut self, shapes: &[Shape]);

    fn keyed_sides(&mut self) -> Option<(&dyn Wanted<DB>, &mut dyn Resolved<DB>)>;

    /// Whether a row that the query chose is lost to it.
    fn lost(&self, query: usize) -> bool;

    /// How many candidates there are.
    fn candidates(&self) -> usize;

    /// Their ranks, if Rust knows them.
    fn ranks(&self) -> Option<Vec<Rank>>;

    /// How many rows are locked.
    fn held(&self) -> usize;

    /// How many of them were read again.
    fn changed(&self) -> usize;

    /// How many rows are locked, each counted once.
    fn held_once(&self) -> usize;

    /// Whether each of them was read again under the key that it had.
    fn all_changed(&self) -> bool;

    /// Lists the candidates at these places.
    fn list_candidates(&mut self, places: &[usize]);

    fn forget_candidates(&mut self);

    /// Puts these keys into a queue.
    fn queue(&mut self, pending: Pending);

    /// Lists the next of the queue, up to `most`; whether there were any.
    fn next(&mut self, most: usize) -> bool;

    /// Takes the server's ranks of the doubtful keys: those that are the same to it have the same.
    fn tell_same(&mut self, among: Among, ranks: &[(usize, i64)]);

    /// Puts rows that were locked late in their place.
    fn sort(&mut self);

    /// Forgets what was picked, but not which rows turned out not to match.
    fn pick_anew(&mut self);

    /// Drops what was picked and does not match; whether there was any.
    fn drop_unmatched(&mut self) -> bool;

    /// The names of the rows that exist and could not be locked.
    fn names_of_busy(&self, table: &TableName) -> Vec<RowName>;
}

impl<T, DB, ST> KeyedPart<DB> for PartOf<T, DB, ST>
where
    DB: Backend + Default + 'static,
    DB::QueryBuilder: Default,
    T: Lockable + Selectable<DB> + FromSqlRow<ST, DB> + StaticallySizedRow<ST, DB>,
    T::SelectExpression: Expression<SqlType = ST> + QueryFragment<DB> + QueryId + Send + 'static,
    T::Table: QueryFragment<DB>,
    <T::Table as Table>::PrimaryKey: QueryFragment<DB> + Send + 'static,
    <T::Table as Table>::AllColumns: QueryFragment<DB>,
    T::KeyColumns: KeyList<DB, T::Key, Columns: 'static>,
    ST: 'static,
{
    fn begin(&mut self, shapes: &[Shape]) {
        self.resolved = Some(ResolvedOf::new(self.asked(), shapes));
    }

    fn keyed_sides(&mut self) -> Option<(&dyn Wanted<DB>, &mut dyn Resolved<DB>)> {
        let resolved = self.resolved.as_mut()?;
        Some((&self.wanted, resolved))
    }

    fn lost(&self, query: usize) -> bool {
        self.resolved.as_ref().is_some_and(|resolved| Resolved::<DB>::lost(resolved, query))
    }

    fn candidates(&self) -> usize {
        self.resolved.as_ref().map_or(0, |resolved| resolved.candidates().len())
    }

    fn ranks(&self) -> Option<Vec<Rank>> {
        T::KeyColumns::ranks(self.resolved.as_ref()?.candidates())
    }

    fn held(&self) -> usize {
        self.resolved.as_ref().map_or(0, ResolvedOf::held)
    }

    fn changed(&self) -> usize {
        self.resolved.as_ref().map_or(0, ResolvedOf::changed)
    }

    fn held_once(&self) -> usize {
        self.resolved.as_ref().map_or(0, |resolved| resolved.held_keys().len())
    }

    fn all_changed(&self) -> bool {
        self.resolved.as_ref().is_none_or(ResolvedOf::all_changed)
    }

    fn list_candidates(&mut self, places: &[usize]) {
        if let (Some(resolved), Some(lists)) = (&self.resolved, &mut self.wanted.lists) {
            let (now, asked) = resolved.at(places);
            (lists.now, lists.now_asked) = (keys::<T, DB>(now), keys::<T, DB>(asked));
        }
    }

    fn forget_candidates(&mut self) {
        if let Some(resolved) = &mut self.resolved {
            resolved.forget_candidates();
        }
    }

    fn queue(&mut self, pending: Pending) {
        let asked = self.wanted.lists.as_ref().map_or(&[][..], |lists| lists.asked.as_slice());
        let Some(resolved) = &mut self.resolved else { return };
        let keys = match pending {
            Pending::Candidates => resolved.candidates().to_vec(),
            Pending::ToCheck(query) => resolved.to_check(query),
            Pending::Lost(query) => resolved.lost_to(query),
            Pending::Absent => resolved.absent(asked),
            Pending::Doubtful(among) => resolved.doubtful(asked, among),
            Pending::Held => resolved.held_keys(),
        };
        resolved.queue(keys);
    }

    fn next(&mut self, most: usize) -> bool {
        let now = self.resolved.as_mut().map_or_else(Vec::new, |resolved| resolved.next(most));
        let any = !now.is_empty();
        if let Some(lists) = &mut self.wanted.lists {
            lists.now = keys::<T, DB>(now);
        }
        any
    }

    fn tell_same(&mut self, among: Among, ranks: &[(usize, i64)]) {
        let asked = self.wanted.lists.as_ref().map_or(&[][..], |lists| lists.asked.as_slice());
        if let Some(resolved) = &mut self.resolved {
            resolved.tell_same(asked, among, ranks);
        }
    }

    fn sort(&mut self) {
        if let Some(resolved) = &mut self.resolved {
            resolved.sort(T::KeyColumns::ranks);
        }
    }

    fn pick_anew(&mut self) {
        if let Some(resolved) = &mut self.resolved {
            resolved.pick_anew();
        }
    }

    fn drop_unmatched(&mut self) -> bool {
        self.resolved.as_mut().is_some_and(ResolvedOf::drop_unmatched)
    }

    fn names_of_busy(&self, table: &TableName) -> Vec<RowName> {
        names::<T>(table, self.resolved.as_ref().map_or(&[][..], ResolvedOf::busy))
    }
}
