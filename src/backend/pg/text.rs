//! The texts of picks and claims, each made once for the whole process.
//!
//! Diesel keeps a statement prepared under its text, and makes the text at each call to find it again; only where the Rust type
//! alone determines the text it need not. Ours depends on values too: how many rows, which strength. Put together node by
//! node, with a quoted copy of every identifier, the text was a third of what a pick cost the client.

use std::{
    any::TypeId,
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use diesel::{
    pg::{Pg, PgQueryBuilder},
    query_builder::{AstPass, QueryBuilder, QueryFragment},
    result::QueryResult,
};

use super::{pick_at_once::is_written_out, sources::check_first, subquery::names_a_select};
use crate::{
    backend::Picking,
    diesel_internals::{has_raw_sql, sql_of},
    error::Result,
    mode::Strength,
    sql::{Choice, Filter, From, TableName, Wanted},
};

/// Never shrinks: there are as many texts as calls in the program, times the numbers of rows that are written out.
static TEXTS: RwLock<BTreeMap<TextKey, String>> = RwLock::new(BTreeMap::new());

/// What is known of queries by their type, if that alone determines their text.
static LOOKS: RwLock<BTreeMap<TypeId, Looks>> = RwLock::new(BTreeMap::new());

/// What a pick must know of the text of its query.
#[derive(Debug, Clone)]
pub(super) struct Looks {
    /// Some conditions are in a subquery, perhaps in one that raw SQL hides.
    pub(super) subquery: bool,
    /// Its tables, if they are several.
    join: Option<String>,
}

impl Looks {
    pub(super) fn of(query: &dyn Choice<Pg>) -> QueryResult<Self> {
        let by_type = query.static_id();
        let known = |id| LOOKS.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(known) = by_type.and_then(known) {
            return Ok(known);
        }
        let tables = sql_of::<Pg>(&From(query))?;
        let subquery = names_a_select(&tables) || names_a_select(&sql_of::<Pg>(&Filter(query))?);
        let looks = Looks { subquery, join: Some(tables).filter(|tables| tables.contains(" JOIN ")) };
        match by_type {
            Some(id) if !has_raw_sql::<Pg>(&From(query))? && !has_raw_sql::<Pg>(&Filter(query))? => {
                LOOKS.write().unwrap_or_else(PoisonError::into_inner).insert(id, looks.clone());
            }
            _ => {}
        }
        Ok(looks)
    }

    /// Refuses a query in which another table stands before this one under the same name.
    pub(super) fn check_first(&self, table: &TableName) -> Result<()> {
        self.join.as_deref().map_or(Ok(()), |tables| check_first(tables, table))
    }
}

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
    pub(super) fn new(query: &dyn Choice<Pg>, wanted: Option<&dyn Wanted<Pg>>, pick: &Picking<'_>) -> Option<Self> {
        let model = match wanted {
            Some(wanted) => Some(wanted.static_id()?),
            None => None,
        };
        let limit = Some(*pick.limit).filter(|limit| is_written_out(*limit));
        let (table, strength) = (pick.table.clone(), pick.strength);
        Some(TextKey { query: query.static_id()?, model, table, strength, limit, changes: None })
    }

    pub(super) fn with(self, changes: &dyn QueryFragment<Pg>) -> Option<Self> {
        // What cannot be put together now fails again when it is sent, and says so then.
        let same_each_time = !has_raw_sql(changes).ok()?;
        let changes = Some(sql_of(changes).ok()?);
        same_each_time.then_some(TextKey { changes, ..self })
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
        if let Some(text) = TEXTS.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            out.push_sql(text);
            return Ok(());
        }
        let text = sql_of(&self.statement)?;
        out.push_sql(&text);
        // A node of the user's own may have a type that tells its text, or so it says, and ask for this each time.
        if has_raw_sql(&self.statement)? {
            return Ok(());
        }
        TEXTS.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), text);
        Ok(())
    }
}
