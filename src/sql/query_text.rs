//! The text of a query, looked at before anything is sent: once for each type, where the type determines the text.

use std::{
    any::TypeId,
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use diesel::{backend::Backend, query_builder::QueryFragment};

use super::{
    choice::Choice,
    clause::{Behind, ColumnsOf, Filter, From, Head, Selected},
    lock_clause::{LockedQuery, WithoutClauses},
    raw_text::{Allowed, Clause, read},
    tokens::Dialect,
    wanted::Wanted,
};
use crate::{
    diesel_internals::{has_raw_sql, sql_of},
    error::Result,
};

/// Never shrink: there are as many entries as queries and models in the program.
static QUERIES: RwLock<BTreeMap<Key, Arc<QueryText>>> = RwLock::new(BTreeMap::new());
static MODELS: RwLock<BTreeMap<Key, ()>> = RwLock::new(BTreeMap::new());
static STATEMENTS: RwLock<BTreeMap<Key, Arc<str>>> = RwLock::new(BTreeMap::new());

/// The backend, the query or model, and whether the select list of the query is sent.
type Key = (TypeId, TypeId, bool);

fn known<V: Clone>(map: &RwLock<BTreeMap<Key, V>>, key: &Key) -> Option<V> {
    map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn remember<V>(map: &RwLock<BTreeMap<Key, V>>, key: Key, value: V) {
    map.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
}

/// What the text of a query says.
#[doc(hidden)]
#[derive(Debug)]
pub struct QueryText {
    /// Its tables, with ` FROM ` in front.
    pub(crate) from: String,
    /// Some conditions are in a subquery. Raw SQL may hide one behind the name of a function.
    pub(crate) subquery: bool,
    /// `MATCH .. AGAINST` stands in the conditions or in the order.
    pub(crate) full_text: bool,
    /// There is raw SQL in the conditions.
    pub(crate) raw: bool,
}

impl QueryText {
    /// Refuses a query behind which nothing can be written. `selects`: its own select list is sent too.
    pub(crate) fn of<DB>(query: &dyn Choice<DB>, dialect: &'static Dialect, selects: bool) -> Result<Arc<Self>>
    where
        DB: Backend<QueryBuilder: Default> + Default + 'static,
    {
        let by_type = query.static_id().map(|id| (TypeId::of::<DB>(), id, selects));
        if let Some(text) = by_type.and_then(|key| known(&QUERIES, &key)) {
            return Ok(text);
        }
        let shape = query.shape()?;
        let mut keeps = true;
        let mut look = |piece: &dyn QueryFragment<DB>, allowed| -> Result<(String, Clause, bool)> {
            let sql = sql_of::<DB>(piece)?;
            let clause = read(&sql, dialect, allowed)?;
            let raw = has_raw_sql(piece)?;
            keeps &= !raw;
            Ok((sql, clause, raw))
        };
        look(&Head(query), Allowed::default())?;
        if selects || shape.distinct {
            look(&Selected(query), Allowed::default())?;
        }
        let (from, tables, _) = look(&From(query), Allowed::default())?;
        let (_, filter, raw) = look(&Filter(query), Allowed::default())?;
        let (_, behind, _) = look(&Behind(query), Allowed { limit: shape.limited, grouping: shape.folded })?;
        let (subquery, full_text) = (tables.subquery || filter.subquery, filter.full_text || behind.full_text);
        let text = Arc::new(QueryText { from, subquery, full_text, raw });
        if let Some(key) = by_type.filter(|_| keeps) {
            remember(&QUERIES, key, Arc::clone(&text));
        }
        Ok(text)
    }
}

/// Refuses a model behind whose columns nothing can be written: `select_expression` may be raw SQL.
pub(crate) fn check_model<DB>(model: &dyn Wanted<DB>, dialect: &'static Dialect) -> Result<()>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
{
    let by_type = model.static_id().map(|id| (TypeId::of::<DB>(), id, true));
    if by_type.and_then(|key| known(&MODELS, &key)).is_some() {
        return Ok(());
    }
    let columns = ColumnsOf(model);
    read(&sql_of::<DB>(&columns)?, dialect, Allowed::default())?;
    if let Some(key) = by_type.filter(|_| has_raw_sql::<DB>(&columns).is_ok_and(|raw| !raw)) {
        remember(&MODELS, key, ());
    }
    Ok(())
}

/// Refuses changes behind which nothing can be written, and returns their text.
pub(crate) fn check_changes<DB>(changes: &dyn QueryFragment<DB>, dialect: &'static Dialect) -> Result<String>
where
    DB: Backend<QueryBuilder: Default> + Default,
{
    let sql = sql_of::<DB>(changes)?;
    read(&sql, dialect, Allowed::default())?;
    Ok(sql)
}

/// Refuses a statement behind which no locking clause can be written, and returns its text.
pub(crate) fn locked_text<DB>(query: &dyn LockedQuery<DB>, dialect: &'static Dialect) -> Result<Arc<str>>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
{
    let by_type = query.static_id().map(|id| (TypeId::of::<DB>(), id, true));
    if let Some(text) = by_type.and_then(|key| known(&STATEMENTS, &key)) {
        return Ok(text);
    }
    let statement = WithoutClauses(query);
    let text: Arc<str> = sql_of::<DB>(&statement)?.into();
    read(&text, dialect, Allowed { limit: true, grouping: false })?;
    if let Some(key) = by_type.filter(|_| has_raw_sql::<DB>(&statement).is_ok_and(|raw| !raw)) {
        remember(&STATEMENTS, key, Arc::clone(&text));
    }
    Ok(text)
}
