//! The texts of picks and claims, each made once for the whole process.
//!
//! Diesel keeps a statement prepared under its text, and makes the text at each call to find it again; only where the Rust type
//! alone determines the text it need not. Ours depends on values too: how many rows, which strength. Put together node by
//! node, with a quoted copy of every identifier, the text was a third of what a pick cost the client.

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

/// There are as many texts as calls in the program, times the numbers of rows that are written out.
static TEXTS: Cache<TextKey, Arc<str>> = Cache::new();

/// All that the text of a pick or a claim depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TextKey {
    query: TypeId,
    /// The model whose columns are selected; nothing if the query selects by itself.
    model: Option<TypeId>,
    table: TableName,
    strength: Strength,
    /// The number of rows, as far as it is part of the text.
    limit: Option<i64>,
    /// Written down, because no type says which fields of an `AsChangeset` are `None`.
    changes: Option<String>,
}

impl TextKey {
    /// Nothing if the same types can give another text at the next call: boxed queries, raw SQL.
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

    /// `text` is that of the changes.
    pub(super) fn with(self, changes: &dyn QueryFragment<Pg>, text: Option<String>) -> Option<Self> {
        let same_each_time = !has_raw_sql(changes).ok()?;
        (same_each_time && text.is_some()).then_some(TextKey { changes: text, ..self })
    }
}

/// A statement that puts its text together only at the first call.
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
        // A node of the user's own may have a type that tells its text, or so it says, and ask for this each time.
        if has_raw_sql(&self.statement)? {
            return Ok(());
        }
        TEXTS.insert(key.clone(), text.into());
        Ok(())
    }
}
