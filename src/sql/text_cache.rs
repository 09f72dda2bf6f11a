//! A cache of the SQL texts of sets, picks, claims and locked queries: each text is built once per process.
//!
//! Diesel finds a prepared statement by its text, so it builds the text at each call, unless the Rust type alone determines the text. The
//! texts here depend on values too: the number of rows, the strength, the names of helpers. Built node by node, with a quoted copy of every
//! identifier, the text was a third of what a pick cost the client.

use std::{any::TypeId, sync::Arc};

use diesel::{
    backend::Backend,
    query_builder::{AstPass, QueryBuilder, QueryFragment},
    result::QueryResult,
};

use super::{
    any_select::AnySelect,
    cache::Cache,
    clause::ColumnsOf,
    lock_clause::{LockClause, LockedQuery},
    model::ModelText,
};
use crate::diesel_internals::{has_raw_sql, sql_of};

/// The cached texts: as many as calls in the program, times the numbers of rows that are written out.
static TEXTS: Cache<TextKey, Arc<str>> = Cache::new();

/// The key of a cached text: everything that the text of a call depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TextKey {
    statement: StatementKind,
    backend: TypeId,
    /// The query, and the model whose columns are selected; `None` if the query's own select list is used. For a set, each model, and behind
    /// it its keys, if it has any, and its queries.
    types: [Option<TypeId>; 2],
    more_types: Vec<Option<TypeId>>,
    clauses: Vec<LockClause>,
    /// The number of rows, if it is part of the text.
    limit: Option<i64>,
    /// The text of the changes, because no type tells which fields of an `AsChangeset` are `None`.
    changes: Option<String>,
}

/// The statement that is built from queries and models. One query with one clause can be loaded, picked from, and part of a set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StatementKind {
    LockedQuery,
    Pick,
    /// The locking clause on the query of a set.
    #[allow(dead_code, reason = "of one backend only")]
    SetQuery(LockClause),
    /// The rows of a set. The other fields are the rest of what the text depends on.
    #[allow(dead_code, reason = "of one backend only")]
    SetRows {
        clause: LockClause,
        lookup: Lookup,
        counts: bool,
    },
}

/// The way in which rows are looked up by their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(dead_code, reason = "of one backend only")]
pub(crate) enum Lookup {
    /// One key.
    One,
    /// An array of keys.
    Array,
    /// A join with the keys.
    Joined,
}

impl TextKey {
    fn new<DB: Backend + 'static>(
        statement: StatementKind,
        types: [Option<TypeId>; 2],
        clauses: Vec<LockClause>,
    ) -> Self {
        let (backend, more_types) = (TypeId::of::<DB>(), Vec::new());
        TextKey { statement, backend, types, more_types, clauses, limit: None, changes: None }
    }

    /// Returns the key of a statement of a set: of its first model, with its keys or its only query.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn of_set<DB: Backend + 'static>(statement: StatementKind, types: [Option<TypeId>; 2]) -> Self {
        TextKey::new::<DB>(statement, types, Vec::new())
    }

    /// Adds the further models and queries of a set.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn and(self, more_types: Vec<Option<TypeId>>) -> Self {
        TextKey { more_types, ..self }
    }

    /// Returns the key of a pick; `None` if the same types can give another text at the next call: boxed queries, raw SQL.
    pub(crate) fn of_pick<DB: Backend + 'static>(
        query: &dyn AnySelect<DB>,
        model: Option<&dyn ModelText<DB>>,
        clause: LockClause,
        limit: Option<i64>,
    ) -> Option<Self> {
        let query = Some(query.static_id()?);
        let model = match model {
            Some(text) => Some(text.static_id()?),
            None => None,
        };
        let key = TextKey::new::<DB>(StatementKind::Pick, [query, model], vec![clause]);
        Some(TextKey { limit, ..key })
    }

    /// Returns the key of the statement that picks the rows of a claim, where that is another one.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn of_claim(self) -> Self {
        TextKey { changes: Some(String::new()), ..self }
    }

    /// Adds the changes, whose text is `text`; `None` if they have no text or contain raw SQL.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn with<DB: Backend + Default>(
        self,
        changes: &dyn QueryFragment<DB>,
        text: Option<String>,
    ) -> Option<Self> {
        let same_each_time = !has_raw_sql(changes).ok()?;
        (same_each_time && text.is_some()).then_some(TextKey { changes: text, ..self })
    }

    /// Writes the text of this key, which `build` builds at the first call. It is not cached if the columns of the model are raw SQL.
    pub(crate) fn write<DB: Backend<QueryBuilder: Default> + Default>(
        &self,
        out: &mut DB::QueryBuilder,
        model: Option<&dyn ModelText<DB>>,
        build: impl FnOnce() -> QueryResult<String>,
    ) -> QueryResult<()> {
        if let Some(text) = TEXTS.get(self) {
            out.push_sql(&text);
            return Ok(());
        }
        let text = build()?;
        out.push_sql(&text);
        let raw = model.is_some_and(|model| has_raw_sql(&ColumnsOf(model)).unwrap_or(true));
        if !raw {
            TEXTS.insert(self.clone(), text.into());
        }
        Ok(())
    }
}

/// A statement about a user's query whose text is built at the first call only. `model` is the one whose columns it selects.
pub(crate) struct Remembered<'q, DB: Backend, F> {
    pub(crate) key: Option<TextKey>,
    pub(crate) model: Option<&'q dyn ModelText<DB>>,
    pub(crate) statement: F,
}

impl<DB, F> QueryFragment<DB> for Remembered<'_, DB, F>
where
    DB: Backend<QueryBuilder: Default> + Default,
    F: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.statement.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut DB::QueryBuilder, backend: &DB) -> QueryResult<()> {
        let Some(key) = &self.key else { return self.statement.to_sql(out, backend) };
        key.write::<DB>(out, self.model, || sql_of(&self.statement))
    }
}

/// Writes the text of a locked query. If types determine the text, it is built once.
pub(crate) fn write_text<DB>(
    query: &dyn LockedQuery<DB>,
    statement: &dyn QueryFragment<DB>,
    out: &mut DB::QueryBuilder,
) -> QueryResult<()>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
{
    // `to_sql` of the node itself is what calls this.
    let build = || sql_of::<DB>(&Walked(statement));
    match query.static_id() {
        Some(id) => {
            let key = TextKey::new::<DB>(StatementKind::LockedQuery, [Some(id), None], LockClause::of(query)?);
            key.write::<DB>(out, None, build)
        }
        None => {
            out.push_sql(&build()?);
            Ok(())
        }
    }
}

/// A query node that is written by its own walk, whatever else it makes of `to_sql`.
struct Walked<'q, DB: Backend>(&'q dyn QueryFragment<DB>);

impl<DB: Backend> QueryFragment<DB> for Walked<'_, DB> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }
}
