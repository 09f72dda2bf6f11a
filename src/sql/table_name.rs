//! The name of a table as the server will read it: what tells two tables apart, and what orders them.

use std::fmt;

use diesel::{backend::Backend, query_builder::QueryFragment, result::QueryResult};

use crate::diesel_internals::sql_of;

/// A table by its quoted name, with its schema if the model names one.
///
/// Taken from Diesel's own rendering of the table rather than from the derive, so that `#[sql_name]` and schemas are
/// right and every model of one table gives the same name. Sets lock tables in the order of this name, byte by byte.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    quoted: String,
    bare: String,
}

impl TableName {
    pub(crate) fn of<DB>(table: &dyn QueryFragment<DB>) -> QueryResult<Self>
    where
        DB: Backend + Default,
        DB::QueryBuilder: Default,
    {
        Ok(Self::parse(sql_of(table)?))
    }

    /// The last quoted name is the bare one: behind the schema, and behind `AS` for an alias.
    fn parse(quoted: String) -> Self {
        let quote = quoted.chars().next().unwrap_or('"');
        let (mut bare, mut inside) = (String::new(), false);
        let mut chars = quoted.chars().peekable();
        while let Some(c) = chars.next() {
            match (c == quote, inside) {
                (true, true) if chars.next_if_eq(&quote).is_some() => bare.push(quote),
                (true, true) => inside = false,
                (true, false) => (bare, inside) = (String::new(), true),
                (false, true) => bare.push(c),
                (false, false) => {}
            }
        }
        TableName { quoted, bare }
    }

    /// The name without its schema: what `FOR UPDATE OF` and column references call the table.
    pub(crate) fn bare(&self) -> &str {
        &self.bare
    }

    /// The name as SQL, and the bare one.
    pub(crate) fn both(&self) -> (&str, &str) {
        (&self.quoted, &self.bare)
    }

    /// The name as SQL, schema and quotes included.
    pub(crate) fn quoted(&self) -> &str {
        &self.quoted
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.quoted)
    }
}

#[cfg(test)]
mod tests {
    use super::TableName;

    #[test]
    fn the_bare_name_is_the_last_part_without_quotes() {
        for (quoted, bare) in [
            (r#""accounts""#, "accounts"),
            (r#""s1"."items""#, "items"),
            (r#""a.b"."c""d""#, r#"c"d"#),
            ("`order`", "order"),
            (r#""orders" AS "o2""#, "o2"),
        ] {
            assert_eq!(TableName::parse(quoted.to_owned()).bare(), bare, "{quoted}");
        }
    }
}
