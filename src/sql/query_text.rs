//! Examines the text of a query before anything is sent. Where the type determines the text, this is done once for each type.

use std::{any::TypeId, sync::Arc};

use diesel::{backend::Backend, query_builder::QueryFragment, result::QueryResult};

use super::{
    any_select::{AnySelect, Shape},
    cache::Cache,
    clause::{Behind, ColumnsOf, Filter, From, Head, Selected},
    lock_clause::{LockedQuery, WithoutClauses},
    model::ModelText,
    raw_text::{Allowed, Clause, read},
    tokens::Dialect,
};
use crate::{
    diesel_internals::{has_raw_sql, sql_of},
    error::Result,
};

static QUERIES: Cache<Key, Arc<QueryText>> = Cache::new();
static MODELS: Cache<Key, ()> = Cache::new();
static STATEMENTS: Cache<Key, Option<Arc<str>>> = Cache::new();

/// The types of the query or model, of the backend, and of the model whose columns a query selects.
type Key = (TypeId, TypeId, Option<TypeId>);

/// The findings about the text of a query.
#[doc(hidden)]
#[derive(Debug)]
pub struct QueryText {
    /// The `FROM` clause, with ` FROM ` in front.
    pub(crate) from: String,
    /// True if the query has several tables.
    pub(crate) joins: bool,
    /// True if `MATCH .. AGAINST` occurs in the conditions or in the order.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) full_text: bool,
    /// True if the conditions have raw SQL, or another piece that Diesel keeps out of its statement cache.
    pub(crate) raw: bool,
    /// True if the conditions, and the order of a limited query, depend on the candidate row alone: there is one table, no subquery, and no
    /// call of anything that may read tables. A server that evaluates them on the version of a row that it locks has evaluated all that
    /// they depend on. Raw SQL counts as a dependency on more than the row. On MySQL and MariaDB a grouped query does too: it cannot be
    /// evaluated for a single row.
    pub(crate) own: bool,
}

impl QueryText {
    /// Returns the findings about a query, and rejects a query behind which nothing can be written. The query selects the columns of
    /// `model`, or without one its own select list.
    pub(crate) fn of<DB>(
        query: &dyn AnySelect<DB>,
        shape: Shape,
        dialect: &'static Dialect,
        model: Option<&dyn ModelText<DB>>,
    ) -> Result<Arc<Self>>
    where
        DB: Backend<QueryBuilder: Default> + Default + 'static,
    {
        let columns = model.map(|model| model.static_id());
        let by_type = match (query.static_id(), columns) {
            (None, _) | (_, Some(None)) => None,
            (Some(query), columns) => Some((query, TypeId::of::<DB>(), columns.flatten())),
        };
        if let Some(text) = by_type.and_then(|key| QUERIES.get(&key)) {
            return Ok(text);
        }
        let mut pieces: Vec<&dyn QueryFragment<DB>> = Vec::with_capacity(5);
        let (head, selected, from) = (Head(query), Selected(query), From(query));
        let (filter, behind) = (Filter(query), Behind(query));
        let look = |piece: &dyn QueryFragment<DB>, allowed| -> Result<(String, Clause)> {
            let sql = sql_of::<DB>(piece)?;
            let clause = read(&sql, dialect, allowed)?;
            Ok((sql, clause))
        };
        if shape.distinct {
            look(&head, Allowed::default())?;
            pieces.push(&head);
        }
        if model.is_none() || shape.distinct {
            look(&selected, Allowed::default())?;
            pieces.push(&selected);
        }
        if let Some(model) = model {
            check_model(model, dialect)?;
        }
        let (tables, in_tables) = look(&from, Allowed::default())?;
        let (_, in_filter) = look(&filter, Allowed::default())?;
        let (_, in_behind) = look(&behind, Allowed { limit: shape.limited, grouping: shape.folded })?;
        let subquery = in_tables.subquery || in_filter.subquery;
        let raw = has_raw_sql(&filter)?;
        // Where there are no arrays, Diesel keeps a list of values out of its cache like raw SQL, so raw SQL counts only if it has a word
        // of its own. On PostgreSQL it always counts: there a name in quotes can also call a function of the row.
        let may_be_anything = |raw: bool, clause: &Clause| raw && (clause.bare || !dialect.more_clauses);
        // Under a limit the order also decides which rows are chosen. A search in full text can only be written in raw SQL, so it does not
        // count.
        let raw_order = may_be_anything(has_raw_sql(&behind)?, &in_behind) && !in_behind.full_text;
        let order_is_foreign = shape.limited && (in_behind.foreign || in_behind.subquery || raw_order);
        let joins = tables.contains(" JOIN ");
        let grouped = shape.grouped && dialect.more_clauses;
        let text = Arc::new(QueryText {
            joins,
            from: tables,
            full_text: in_filter.full_text || in_behind.full_text,
            raw,
            own: !(joins
                || grouped
                || (may_be_anything(raw, &in_filter) && !in_filter.full_text)
                || has_raw_sql(&from)?
                || subquery
                || in_tables.foreign
                || in_filter.foreign
                || order_is_foreign),
        });
        if let Some(key) = by_type.filter(|_| !text.raw) {
            pieces.extend([&from as &dyn QueryFragment<DB>, &behind]);
            let raw = pieces.into_iter().map(has_raw_sql).collect::<QueryResult<Vec<_>>>()?;
            if !raw.contains(&true) {
                QUERIES.insert(key, Arc::clone(&text));
            }
        }
        Ok(text)
    }
}

/// Rejects a model behind whose columns nothing can be written: `select_expression` may be raw SQL.
pub(crate) fn check_model<DB>(model: &dyn ModelText<DB>, dialect: &'static Dialect) -> Result<()>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
{
    let by_type = model.static_id().map(|id| (id, TypeId::of::<DB>(), None));
    if by_type.and_then(|key| MODELS.get(&key)).is_some() {
        return Ok(());
    }
    let columns = ColumnsOf(model);
    read(&sql_of::<DB>(&columns)?, dialect, Allowed::default())?;
    if let Some(key) = by_type.filter(|_| has_raw_sql::<DB>(&columns).is_ok_and(|raw| !raw)) {
        MODELS.insert(key, ());
    }
    Ok(())
}

/// Returns the type of a [checked](check_model) model, if it determines the text of the model's columns.
#[allow(dead_code, reason = "of one backend only")]
pub(crate) fn model_id<DB: Backend + 'static>(model: &dyn ModelText<DB>) -> Option<TypeId> {
    model.static_id().filter(|id| MODELS.get(&(*id, TypeId::of::<DB>(), None)).is_some())
}

/// Returns the text of the changes of a claim, and rejects changes behind which nothing can be written.
pub(crate) fn check_changes<DB>(changes: &dyn QueryFragment<DB>, dialect: &'static Dialect) -> Result<String>
where
    DB: Backend<QueryBuilder: Default> + Default,
{
    let sql = sql_of::<DB>(changes)?;
    if !assigns_values(&sql, dialect) {
        read(&sql, dialect, Allowed::default())?;
    }
    Ok(sql)
}

/// Returns whether the text has only quoted names, parameters and signs that mean the same in every place. This is checked at each claim,
/// and most changes need no other check.
fn assigns_values(sql: &str, dialect: &Dialect) -> bool {
    let mut in_name = false;
    let plain = sql.bytes().all(|byte| {
        in_name ^= byte == dialect.name_quote;
        in_name || byte == dialect.name_quote || matches!(byte, b' ' | b'=' | b',' | b'.' | b'?' | b'$' | b'0'..=b'9')
    });
    plain && !in_name && !sql.contains("$$")
}

/// Returns the text of a statement that has several tables, and rejects a statement behind which no locking clause can be written.
pub(crate) fn locked_text<DB>(query: &dyn LockedQuery<DB>, dialect: &'static Dialect) -> Result<Option<Arc<str>>>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
{
    let by_type = query.static_id().map(|id| (id, TypeId::of::<DB>(), None));
    if let Some(text) = by_type.and_then(|key| STATEMENTS.get(&key)) {
        return Ok(text);
    }
    let statement = WithoutClauses(query);
    let sql = sql_of::<DB>(&statement)?;
    read(&sql, dialect, Allowed { limit: true, grouping: false })?;
    let text: Option<Arc<str>> = sql.contains(" JOIN ").then(|| sql.into());
    if let Some(key) = by_type.filter(|_| has_raw_sql::<DB>(&statement).is_ok_and(|raw| !raw)) {
        STATEMENTS.insert(key, text.clone());
    }
    Ok(text)
}
