//! The trait `LockTarget`: a model that can be locked on a backend.

use diesel::{
    Selectable,
    backend::Backend,
    deserialize::{FromSqlRow, StaticallySizedRow},
    expression::Expression,
    query_builder::{QueryFragment, QueryId},
    query_source::Table,
};

use super::{
    key_list::KeyList,
    model::{Model, ModelOf},
};
use crate::lockable::Lockable;

/// A model that can be locked on the backend `DB`. `lock` and [`LockSet`](crate::LockSet) require it.
///
/// Implemented for every model that derives `Queryable`, `Selectable` and `Lockable` and whose fields Diesel can read from `DB`. There is
/// nothing to implement by hand. [A function that is generic over the backend](crate::_documentation::backends) names it in its bounds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be locked on `{DB}`",
    label = "not a model that can be locked and loaded from `{DB}`",
    note = "a model needs `#[derive(Queryable, Selectable, Lockable)]`, and its backend the feature `postgres`, `mysql` or \
            `sqlite` of diesel_lockset; each field must be what Diesel reads from its column: `#[diesel(check_for_backend(..))]` on the model says which one is not"
)]
pub trait LockTarget<DB: Backend>: Lockable {
    #[doc(hidden)]
    fn model() -> Box<dyn Model<DB>>;

    /// Adds requested keys to a model that [`model`](Self::model) has made.
    #[doc(hidden)]
    fn ask(model: &mut dyn Model<DB>, keys: impl Iterator<Item = Self::Key>);
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
    fn model() -> Box<dyn Model<DB>> {
        Box::new(ModelOf::<T, DB, ST>::new())
    }

    fn ask(model: &mut dyn Model<DB>, keys: impl Iterator<Item = T::Key>) {
        if let Some(model) = model.as_any_mut().downcast_mut::<ModelOf<T, DB, ST>>() {
            model.ask(keys);
        }
    }
}
