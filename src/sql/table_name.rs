//! The name of a table as the server reads it. It tells tables apart, and defines the order in which a set locks them.

use std::{any::TypeId, fmt, sync::Arc};

use diesel::{backend::Backend, query_builder::QueryFragment, result::QueryResult};

use super::cache::Cache;
use crate::diesel_internals::sql_of;

/// The quoted name of a table, with its schema if the model names one.
///
/// It is taken from Diesel's rendering of the table and not from the derive, so that `#[sql_name]` and schemas are right and every model of
/// one table gives the same name. Sets lock tables in the order of this name, byte by byte.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(Arc<Parts>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    quoted: String,
    bare: String,
    schema: Option<String>,
}

static TABLES: Cache<(TypeId, TypeId), TableName> = Cache::new();

impl TableName {
    pub(crate) fn of<DB>(table: &dyn QueryFragment<DB>) -> QueryResult<Self>
    where
        DB: Backend + Default,
        DB::QueryBuilder: Default,
    {
        Ok(Self::parse(sql_of(table)?))
    }

    /// Returns the name of a table. That of a table of `table!`, which is a value without content, is cached by its type.
    pub(crate) fn of_type<DB, T>(table: &T) -> QueryResult<Self>
    where
        DB: Backend<QueryBuilder: Default> + Default + 'static,
        T: QueryFragment<DB> + 'static,
    {
        let by_type = (size_of::<T>() == 0).then(|| (TypeId::of::<T>(), TypeId::of::<DB>()));
        TABLES.get_or_make(by_type, || Self::of(table))
    }

    /// Splits a quoted name. Its last quoted part is the bare name: behind the schema and a dot, and behind `AS` for an alias.
    pub(super) fn parse(quoted: String) -> Self {
        let quote = quoted.chars().next().unwrap_or('"');
        let (mut bare, mut schema, mut inside) = (String::new(), None, false);
        let mut chars = quoted.chars().peekable();
        while let Some(c) = chars.next() {
            match (c == quote, inside) {
                (true, true) if chars.next_if_eq(&quote).is_some() => bare.push(quote),
                (true, true) => inside = false,
                (true, false) => inside = true,
                (false, true) => bare.push(c),
                (false, false) => {
                    let before = std::mem::take(&mut bare);
                    schema = if c == '.' { Some(before) } else { None };
                }
            }
        }
        TableName(Arc::new(Parts { quoted, bare, schema }))
    }

    /// Returns the name without its schema, as `FOR UPDATE OF` and column references use it.
    pub(crate) fn bare(&self) -> &str {
        &self.0.bare
    }

    /// Returns the schema, or on MySQL and MariaDB the database, if the model names one.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    /// Returns the name as SQL, and the bare name.
    pub(crate) fn both(&self) -> (&str, &str) {
        (&self.0.quoted, &self.0.bare)
    }

    /// Returns the name as SQL, with its schema and quotes.
    pub(crate) fn quoted(&self) -> &str {
        &self.0.quoted
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.quoted)
    }
}

#[cfg(test)]
mod tests {
    use super::TableName;

    #[test]
    fn the_bare_name_is_the_last_part_without_quotes() {
        for (quoted, schema, bare) in [
            (r#""accounts""#, None, "accounts"),
            (r#""s1"."items""#, Some("s1"), "items"),
            (r#""a.b"."c""d""#, Some("a.b"), r#"c"d"#),
            ("`order`", None, "order"),
            (r#""orders" AS "o2""#, None, "o2"),
            (r#""s1"."orders" AS "o2""#, None, "o2"),
        ] {
            let name = TableName::parse(quoted.to_owned());
            assert_eq!((name.schema(), name.bare()), (schema, bare), "{quoted}");
        }
    }
}
