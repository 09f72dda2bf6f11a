//! What one model wants of its table, in one set: the typed side of it, and the trait object that plans work with.

use std::{any::Any, sync::Arc};

use diesel::{
    Selectable,
    backend::Backend,
    deserialize::{FromSqlRow, StaticallySizedRow},
    expression::Expression,
    query_builder::{QueryFragment, QueryId},
    query_source::Table,
};

use super::{
    choice::{Choice, Shape},
    finished::{Finished, names},
    found::{Found, FoundOf},
    key_list::KeyList,
    keyed_part::KeyedPart,
    model::{Answer, Model, ModelOf, ModelRows, ModelText, TextOf},
    query_text::QueryText,
    resolved::ResolvedOf,
    table_name::TableName,
    wanted::{Lists, Wanted, WantedOf, keys},
};
use crate::{error::RowName, lockable::Lockable};

/// A model that can be locked on the backend `DB`: what `lock` and [`LockSet`](crate::LockSet) ask of it.
///
/// Implemented for every model that derives `Queryable`, `Selectable` and `Lockable` and whose fields Diesel can read
/// from `DB`. There is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be locked on `{DB}`",
    label = "not a model that can be locked and loaded from `{DB}`",
    note = "a model needs `#[derive(Queryable, Selectable, Lockable)]`, and the feature of its backend; each field must be \
            what Diesel reads from its column: `#[diesel(check_for_backend(..))]` on the model says which one is not"
)]
pub trait LockTarget<DB: Backend>: Lockable {
    #[doc(hidden)]
    fn part() -> Box<dyn Part<DB>>;

    /// Adds a key to a part that [`part`](Self::part) made.
    #[doc(hidden)]
    fn ask(part: &mut dyn Part<DB>, key: Self::Key);
}

#[diagnostic::do_not_recommend]
impl<T, DB, ST> LockTarget<DB> for T
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
    fn part() -> Box<dyn Part<DB>> {
        let wanted = WantedOf { text: TextOf::new(), asked: Vec::new(), lists: None };
        Box::new(PartOf::<T, DB, ST> { wanted, found: FoundOf::default(), resolved: None, model: ModelOf::new() })
    }

    fn ask(part: &mut dyn Part<DB>, key: T::Key) {
        if let Some(part) = part.as_any_mut().downcast_mut::<PartOf<T, DB, ST>>() {
            part.wanted.asked.push(key.clone());
            part.model.ask(key);
        }
    }
}

/// One model's part of one table, its type forgotten.
#[doc(hidden)]
pub trait Part<DB: Backend>: KeyedPart<DB> + Model<DB> {
    /// Makes the lists that statements write from the keys asked for.
    fn prepare(&mut self);

    /// The side that statements are written from, and the side that rows are read into.
    fn old_sides(&mut self) -> (&dyn Wanted<DB>, &mut dyn Found<DB>);
    fn wanted(&self) -> &dyn Wanted<DB>;
    fn found(&self) -> &dyn Found<DB>;

    /// Turns what was found into the lists of the next look.
    fn look_again(&mut self);

    /// The keys that a look found unheld become the list of the next lock.
    fn lock_more(&mut self);

    /// The keys that were asked for and did not come back become that list; whether there are any.
    fn find_absent(&mut self) -> bool;

    /// The keys that a look found unheld and that could not be locked then become that list; whether there are any.
    fn find_left_out(&mut self) -> bool;

    /// The keys of the rows that were skipped become that list, and are not known to be skipped any more; whether there are any.
    fn find_skipped(&mut self) -> bool;

    /// The keys that were asked for and that are not among those of the rows, to Rust, become that list, if the server may see it
    /// otherwise; whether there are any.
    fn find_unknown(&mut self, skips: bool) -> bool;

    /// The names of the rows that were asked for by key.
    fn asked_names(&self, table: &TableName) -> Vec<RowName>;

    /// The names of the rows that are held by others.
    fn busy_names(&self, table: &TableName) -> Vec<RowName>;

    /// The names of the rows that no lock of this session's reaches.
    fn unlockable_names(&self, table: &TableName) -> Vec<RowName>;

    /// The rows, and the names of those that are missing from `table`.
    fn finish(self: Box<Self>, table: &TableName) -> Finished;
}

/// A part with the queries that choose its rows.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct PartInSet<'a, DB: Backend> {
    pub(crate) part: Box<dyn Part<DB>>,
    pub(crate) choices: Vec<Chosen<'a, DB>>,
}

/// One query of a part.
pub(crate) struct Chosen<'a, DB: Backend> {
    pub(crate) query: Box<dyn Choice<DB> + 'a>,
    pub(crate) shape: Shape,
    pub(crate) text: Arc<QueryText>,
}

pub(super) struct PartOf<T, DB, ST>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    pub(super) wanted: WantedOf<T, DB>,
    found: FoundOf<T, ST>,
    /// In place of `found`, on a backend that locks by key only.
    pub(super) resolved: Option<ResolvedOf<T, ST>>,
    /// In place of all of the above.
    model: ModelOf<T, DB, ST>,
}

impl<T, DB, ST> PartOf<T, DB, ST>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    /// The keys that were asked for.
    pub(super) fn asked(&self) -> &[T::Key] {
        self.wanted.lists.as_ref().map_or(&self.wanted.asked[..], |lists| lists.asked.as_slice())
    }

    /// Makes keys the list of the next statement; whether there are any.
    fn list_more(&mut self, more: Vec<T::Key>) -> bool {
        let Some(lists) = self.wanted.lists.as_mut().filter(|_| !more.is_empty()) else { return false };
        lists.more = keys::<T, DB>(more);
        true
    }
}

impl<T, DB, ST> Model<DB> for PartOf<T, DB, ST>
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
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn text(&self) -> &dyn ModelText<DB> {
        self.model.text()
    }

    fn rows(&self) -> &dyn ModelRows<DB> {
        self.model.rows()
    }

    fn sides(&mut self) -> (&dyn ModelText<DB>, &mut dyn ModelRows<DB>) {
        self.model.sides()
    }

    fn answer(self: Box<Self>, answer: Answer, table: &TableName) -> Finished {
        Box::new(self.model).answer(answer, table)
    }
}

impl<T, DB, ST> Part<DB> for PartOf<T, DB, ST>
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
    fn prepare(&mut self) {
        let asked = std::mem::take(&mut self.wanted.asked);
        self.found.make_room(&asked);
        let none = || keys::<T, DB>(Vec::new());
        let asked = keys::<T, DB>(asked);
        let (more, held, firm, doubtful, now, now_asked) = (none(), none(), none(), none(), none(), none());
        self.wanted.lists = Some(Lists { asked, more, held, firm, doubtful, now, now_asked });
    }

    fn old_sides(&mut self) -> (&dyn Wanted<DB>, &mut dyn Found<DB>) {
        (&self.wanted, &mut self.found)
    }

    fn wanted(&self) -> &dyn Wanted<DB> {
        &self.wanted
    }

    fn found(&self) -> &dyn Found<DB> {
        &self.found
    }

    fn look_again(&mut self) {
        if let Some(lists) = &mut self.wanted.lists {
            let again = self.found.look_again();
            lists.held = keys::<T, DB>(again.held);
            // What is firm and what is doubtful was decided by the first lock; only what is held grows after it.
            if let Some((firm, doubtful)) = again.sorted {
                lists.firm = keys::<T, DB>(firm);
                lists.doubtful = keys::<T, DB>(doubtful);
            }
        }
    }

    fn lock_more(&mut self) {
        if let Some(lists) = &mut self.wanted.lists {
            lists.more = keys::<T, DB>(self.found.lock_more());
        }
    }

    fn find_absent(&mut self) -> bool {
        let absent = self.found.absent(self.asked());
        self.list_more(absent)
    }

    fn find_left_out(&mut self) -> bool {
        let left_out = self.found.left_out();
        self.list_more(left_out)
    }

    fn find_skipped(&mut self) -> bool {
        let skipped = self.found.take_skipped();
        self.list_more(skipped)
    }

    fn find_unknown(&mut self, skips: bool) -> bool {
        let Some(lists) = &mut self.wanted.lists else { return false };
        if lists.asked.as_slice().is_empty() || T::KeyColumns::is_exact() {
            return false;
        }
        let unknown = self.found.find_unknown(lists.asked.as_slice(), skips);
        let any = !unknown.is_empty();
        if any {
            lists.more = keys::<T, DB>(unknown);
        }
        any
    }

    fn asked_names(&self, table: &TableName) -> Vec<RowName> {
        names::<T>(table, self.asked())
    }

    fn busy_names(&self, table: &TableName) -> Vec<RowName> {
        names::<T>(table, self.found.skipped())
    }

    fn unlockable_names(&self, table: &TableName) -> Vec<RowName> {
        names::<T>(table, self.found.unlockable())
    }

    fn finish(self: Box<Self>, table: &TableName) -> Finished {
        let PartOf { wanted, found, resolved, .. } = *self;
        let asked = wanted.lists.as_ref().map_or(&wanted.asked[..], |lists| lists.asked.as_slice());
        let rows = match resolved {
            Some(resolved) => resolved.finish(asked),
            None => found.finish(asked),
        };
        Finished::new(rows, table)
    }
}
