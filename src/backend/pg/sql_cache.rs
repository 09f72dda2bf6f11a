//! A cache of the SQL texts of picks and claims: each text is built once per process.
//!
//! Diesel finds a prepared statement by its text, so it builds the text at each call, unless the Rust type alone determines the text. The
//! texts here depend on values too: the number of rows and the strength. Built node by node, with a quoted copy of every identifier, the
//! text was a third of what a pick cost the client.

use std::{any::TypeId, sync::Arc};

use diesel::{
    pg::{Pg, PgQueryBuilder},
    query_builder::{AstPass, QueryBuilder, QueryFragment},
    result::QueryResult,
};

use super::single_pick::is_written_out;
use crate::{
    backend::Picking,
    diesel_internals::{has_raw_sql, sql_of},
    mode::Strength,
    sql::{AnySelect, Cache, ModelText, TableName},
};

/// The cached texts: as many as calls in the program, times the numbers of rows that are written out.
static TEXTS: Cache<TextKey, Arc<str>> = Cache::new();

/// The key of a cached text: everything that the text of a pick or a claim depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TextKey {
    query: TypeId,
    /// The model whose columns are selected; `None` if the query's own select list is used.
    model: Option<TypeId>,
    table: TableName,
    strength: Strength,
    /// The number of rows, if it is part of the text.
    limit: Option<i64>,
    /// The text of the changes, because no type tells which fields of an `AsChangeset` are `None`.
    changes: Option<String>,
}

impl TextKey {
    /// Returns the key; `None` if the same types can give another text at the next call: boxed queries, raw SQL.
    pub(super) fn new(
        query: &dyn AnySelect<Pg>,
        model: Option<&dyn ModelText<Pg>>,
        pick: &Picking<'_>,
    ) -> Option<Self> {
        let model = match model {
            Some(text) => Some(text.static_id()?),
            None => None,
        };
        let limit = Some(*pick.limit).filter(|limit| is_written_out(*limit));
        let (table, strength) = (pick.table.clone(), pick.strength);
        Some(TextKey { query: query.static_id()?, model, table, strength, limit, changes: None })
    }

    /// Adds the changes, whose text is `text`; `None` if they have no text or contain raw SQL.
    pub(super) fn with(self, changes: &dyn QueryFragment<Pg>, text: Option<String>) -> Option<Self> {
        let same_each_time = !has_raw_sql(changes).ok()?;
        (same_each_time && text.is_some()).then_some(TextKey { changes: text, ..self })
    }
}

/// A statement whose text is built at the first call only.
pub(super) struct Remembered<F> {
    pub(super) key: Option<TextKey>,
    pub(super) statement: F,
}

impl<F: QueryFragment<Pg>> QueryFragment<Pg> for Remembered<F> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.statement.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut PgQueryBuilder, backend: &Pg) -> QueryResult<()> {
        let Some(key) = &self.key else { return self.statement.to_sql(out, backend) };
        if let Some(text) = TEXTS.get(key) {
            out.push_sql(&text);
            return Ok(());
        }
        let text = sql_of(&self.statement)?;
        out.push_sql(&text);
        // A user's own query node may claim that its type determines its text, and still ask to be kept out of the statement cache.
        if has_raw_sql(&self.statement)? {
            return Ok(());
        }
        TEXTS.insert(key.clone(), text.into());
        Ok(())
    }
}
