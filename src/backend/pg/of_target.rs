//! Checks that a locking clause names the intended table.
//!
//! `OF items` has no schema, and of two tables with that name PostgreSQL takes the first ([manual][of]): it would lock rows of the wrong
//! table without an error.
//!
//! [of]: https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE

use std::iter::Peekable;

use super::dialect::DIALECT;
use crate::{
    error::{LockError, Result},
    sql::{TableName, Token, Tokens},
};

/// Refuses a query in which another table with the same name comes before this one.
pub(super) fn check_first(sql: &str, table: &TableName) -> Result<()> {
    match first_called(sql, table.bare()) {
        Some(source) if source != table.quoted() => Err(LockError::same_name_before()),
        _ => Ok(()),
    }
}

/// Returns the first table that the query's own `FROM` calls by this name, as the query writes it.
fn first_called(sql: &str, name: &str) -> Option<String> {
    let mut tokens = Tokens::new(sql, &DIALECT).map_while(std::result::Result::ok).peekable();
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let (mut depth, mut in_from, mut expected, mut distinct) = (0_usize, false, false, false);
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign(b'(') => {
                depth += 1;
                if in_from && tokens.peek().is_some_and(|next| next.is_word("SELECT")) {
                    skip_to_end(&mut tokens);
                    (depth, expected) = (depth - 1, false);
                }
            }
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            Token::Sign(b',') => expected |= in_from && depth == 0,
            Token::Name(first) if expected => {
                let (mut source, mut called) = (first.to_owned(), first);
                while tokens.next_if(|next| matches!(next, Token::Sign(b'.'))).is_some() {
                    let Some(Token::Name(next)) = tokens.next() else { break };
                    (source, called) = (format!("{source}.{next}"), next);
                }
                if tokens.next_if(|next| next.is_word("AS")).is_some() {
                    let Some(Token::Name(alias)) = tokens.next() else { break };
                    (source, called) = (format!("{source} AS {alias}"), alias);
                }
                if called == quoted {
                    return Some(source);
                }
                expected = false;
            }
            word @ Token::Word(_) if in_from => {
                const ENDS: [&str; 7] = ["WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR"];
                if depth == 0 && ENDS.iter().any(|end| word.is_word(end)) {
                    return None;
                }
                expected |= word.is_word("JOIN");
            }
            word @ Token::Word(_) => {
                in_from = depth == 0 && !distinct && word.is_word("FROM");
                expected = in_from;
                distinct = word.is_word("DISTINCT");
            }
            _ => {}
        }
    }
    None
}

fn skip_to_end<'s>(tokens: &mut Peekable<impl Iterator<Item = Token<'s>>>) {
    let mut depth = 1_usize;
    for token in tokens {
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_called;

    #[test]
    fn the_first_of_a_name_is_found_where_tables_stand() {
        for (sql, first) in [
            (r#" FROM "items" WHERE "items"."id" = $1"#, Some(r#""items""#)),
            (r#"SELECT 1 FROM ("s1"."items" INNER JOIN "s2"."items" ON ("a" = "b"))"#, Some(r#""s1"."items""#)),
            (r#"SELECT 1 FROM ("orders" INNER JOIN "s2"."items" ON ("orders"."items" = 1))"#, Some(r#""s2"."items""#)),
            (r#" FROM ("o" INNER JOIN "p" ON ("o"."items" = "p"."items")) WHERE "items""#, None),
            (r#" FROM (("a" LEFT OUTER JOIN "b" ON ('items' = "x")) INNER JOIN "it""ems" ON (1))"#, None),
            (r#" FROM ("a" AS "items" INNER JOIN "items" ON (1))"#, Some(r#""a" AS "items""#)),
            (r#" FROM ("items" AS "i" INNER JOIN "s2"."items" ON (1))"#, Some(r#""s2"."items""#)),
            (r#" FROM ("a" INNER JOIN "s2"."items" ON ("x" IN (SELECT "y" FROM "items")))"#, Some(r#""s2"."items""#)),
            (r#" FROM ("a" INNER JOIN "b" ON ("x" IN (SELECT ("y") FROM "items"))) FOR UPDATE"#, None),
            (
                r#"SELECT ("a" IS DISTINCT FROM "items"), "a" IS DISTINCT FROM "items" FROM "b", "items""#,
                Some(r#""items""#),
            ),
        ] {
            assert_eq!(first_called(sql, "items").as_deref(), first, "{sql}");
        }
        assert_eq!(first_called(r#" FROM "it""ems""#, r#"it"ems"#).as_deref(), Some(r#""it""ems""#));
    }
}
