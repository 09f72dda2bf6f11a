//! Searches in full text: which table they are about.

use diesel::{mysql::Mysql, result::QueryResult};

use super::dialect::DIALECT;
use crate::{
    diesel_internals::sql_of,
    sql::{Behind, Choice, Filter, TableName, Token, Tokens},
};

/// Whether a query searches this table. A column without a table may be any table's.
pub(super) fn searches(query: &dyn Choice<Mysql>, name: &TableName) -> QueryResult<bool> {
    let pieces = [sql_of::<Mysql>(&Filter(query))?, sql_of::<Mysql>(&Behind(query))?];
    Ok(pieces
        .iter()
        .any(|sql| names_of_searched(sql).iter().any(|table| table.is_none_or(|table| is(table, name.bare())))))
}

/// The tables whose columns stand first behind `MATCH`.
fn names_of_searched(sql: &str) -> Vec<Option<&str>> {
    let mut tokens = Tokens::new(sql, &DIALECT).map_while(Result::ok);
    let mut searched = Vec::new();
    while tokens.by_ref().any(|token| token.is_word("MATCH")) {
        let mut path = Vec::new();
        for token in tokens.by_ref().skip_while(|token| *token == Token::Sign(b'(')) {
            match token {
                Token::Sign(b'.') => {}
                token if token.is_word("AGAINST") => break,
                Token::Name(name) | Token::Word(name) => path.push(name),
                _ => break,
            }
        }
        searched.push(path.len().checked_sub(2).map(|table| path[table]));
    }
    searched
}

/// Names of tables are compared as the server does at its most lenient.
fn is(written: &str, name: &str) -> bool {
    let bare = written.strip_prefix('`').and_then(|written| written.strip_suffix('`'));
    bare.map_or_else(|| written.to_owned(), |bare| bare.replace("``", "`")).eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::names_of_searched;

    #[test]
    fn the_table_of_a_search_is_that_of_its_first_column() {
        for (sql, tables) in [
            ("MATCH (`notes`.`body`, `notes`.`title`) AGAINST (?)", vec![Some("`notes`")]),
            ("match(notes.body)against('a') AND MATCH (body) AGAINST ('b')", vec![Some("notes"), None]),
            ("MATCH s.notes.body AGAINST (?)", vec![Some("notes")]),
            ("`match` = 'MATCH (a.b)'", vec![]),
        ] {
            assert_eq!(names_of_searched(sql), tables, "{sql}");
        }
    }
}
