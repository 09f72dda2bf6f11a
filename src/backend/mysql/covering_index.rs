//! Prevents full scans of the primary key by models that read nothing but their key.
//!
//! The primary key covers what such a model reads. MySQL may then go through the whole index instead of looking the keys up, although the
//! index is forced, and so locks every row of the table (seen on 9.7 when a third of a table was asked for). So the statement reads another
//! column as well or, if the table has none, one row at a time.

use std::any::TypeId;

use diesel::{mysql::Mysql, query_builder::AstPass, result::QueryResult};

use super::{chunks::CHUNK, dialect::DIALECT};
use crate::{
    diesel_internals::sql_of,
    sql::{Cache, ColumnsOf, KeyOf, ModelText, Token, Tokens},
};

static MODELS: Cache<TypeId, Uncovered> = Cache::new();

/// The additional column, or the limit on keys, that keeps the primary key from covering a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uncovered {
    /// Another column that the statement reads as well.
    pub(super) column: Option<String>,
    /// The largest number of keys in one statement.
    pub(super) most: usize,
}

impl Uncovered {
    /// The value for a model that reads a column outside of the key.
    const BY_ITSELF: Self = Uncovered { column: None, most: CHUNK };

    /// Returns the value for a model. It is cached if the type of the model determines its columns.
    pub(super) fn of(text: &dyn ModelText<Mysql>) -> QueryResult<Self> {
        MODELS.get_or_make(text.static_id(), || {
            let (key, all) = (sql_of::<Mysql>(&KeyOf(text))?, text.all_columns()?);
            Ok(Self::told(&sql_of::<Mysql>(&ColumnsOf(text))?, &key, &all))
        })
    }

    /// Returns the value for the texts of the selected columns, of the key, and of all columns of the table.
    ///
    /// Only a column that stands by itself counts as read. The columns that an expression reads may all belong to the key, and to read a
    /// column that is read already costs nothing.
    fn told(selected: &str, key: &str, all: &str) -> Self {
        let key = listed(key);
        let mut beyond = listed(all).into_iter().filter(|column| !key.contains(column));
        let selected = listed(selected);
        if beyond.clone().any(|column| selected.contains(&column)) {
            return Self::BY_ITSELF;
        }
        let column = beyond.next().map(str::to_owned);
        let most = if column.is_some() { CHUNK } else { 1 };
        Uncovered { column, most }
    }

    /// Combines the values of several models of one table. A column outside of the key that one of them reads serves all of them.
    pub(super) fn together<'m>(models: impl Iterator<Item = &'m Self>) -> Self {
        models.max_by_key(|model| (model.most, model.column.is_none())).cloned().unwrap_or(Self::BY_ITSELF)
    }

    /// Writes the additional column, as the last of a select list.
    pub(super) fn walk_column(&self, pass: &mut AstPass<'_, '_, Mysql>) {
        if let Some(column) = &self.column {
            pass.push_sql(", ");
            pass.push_sql(column);
        }
    }
}

/// Splits a list of columns, whose names may contain commas.
fn listed(columns: &str) -> Vec<&str> {
    let mut tokens = Tokens::new(columns, &DIALECT);
    let (mut listed, mut rest) = (Vec::new(), columns);
    while let Some(Ok(token)) = tokens.next() {
        if token == Token::Sign(b',') {
            listed.push(rest[..rest.len() - tokens.rest().len() - 1].trim());
            rest = tokens.rest();
        }
    }
    listed.push(rest.trim());
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_nothing_but_the_key_reads_another_column_along() {
        let (key, all) = ("`t`.`a`, `t`.`b`", "`t`.`a`, `t`.`b`, `t`.`v`, `t`.`w`");
        let along = Uncovered { column: Some("`t`.`v`".to_owned()), most: CHUNK };
        for selected in
            ["`t`.`a`", key, "`t`.`a`, (`t`.`a` + `t`.`b`)", "concat(`t`.`a`, `t`.`b`)", "1, `t`.`b`, COUNT(*)"]
        {
            assert_eq!(Uncovered::told(selected, key, all), along, "{selected}");
        }
        assert_eq!(Uncovered::told("`t`.`a`, `t`.`w`", key, all), Uncovered::BY_ITSELF);
        assert_eq!(Uncovered::told("`t`.`b`", key, key), Uncovered { column: None, most: 1 });
    }

    #[test]
    fn a_comma_in_a_name_separates_nothing() {
        assert_eq!(listed("`t`.`a, b`, `t`.`c`"), ["`t`.`a, b`", "`t`.`c`"]);
        assert_eq!(listed("`t`.`a``, `"), ["`t`.`a``, `"]);
    }

    #[test]
    fn the_model_that_reads_most_decides() {
        let alone = Uncovered { column: None, most: 1 };
        let along = Uncovered { column: Some("`t`.`v`".to_owned()), most: CHUNK };
        assert_eq!(Uncovered::together([&alone, &along].into_iter()), along);
        assert_eq!(Uncovered::together([&along, &Uncovered::BY_ITSELF].into_iter()), Uncovered::BY_ITSELF);
        assert_eq!(Uncovered::together([&alone].into_iter()), alone);
    }
}
