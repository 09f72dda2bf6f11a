//! Which table a locking clause would mean.
//!
//! `OF items` has no schema, and of two tables that are called so PostgreSQL takes the first ([manual][of]): rows of the wrong
//! one would be locked, and nobody would be told.
//!
//! [of]: https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE

use std::{iter::Peekable, str::CharIndices};

use crate::{
    error::{LockError, Result},
    sql::TableName,
};

/// Refuses a query in which another table stands before this one under the same name.
pub(super) fn check_first(sql: &str, table: &TableName) -> Result<()> {
    match first_called(sql, table.bare()) {
        Some(source) if source != table.quoted() => Err(LockError::same_name_before()),
        _ => Ok(()),
    }
}

/// The first table that a query's own `FROM` calls by this name, as the query writes it.
fn first_called(sql: &str, name: &str) -> Option<String> {
    let mut tokens = Tokens { sql, chars: sql.char_indices().peekable() }.peekable();
    let (mut depth, mut in_from, mut expected, mut distinct) = (0_usize, false, false, false);
    while let Some(token) = tokens.next() {
        match token {
            Token::Sign('(') => {
                depth += 1;
                if in_from && tokens.peek().is_some_and(|next| next.is_word("SELECT")) {
                    skip_to_end(&mut tokens);
                    (depth, expected) = (depth - 1, false);
                }
            }
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Sign(',') => expected |= in_from && depth == 0,
            Token::Sign(_) => {}
            Token::Name(raw, last) if expected => {
                let (mut source, mut called) = (raw.to_owned(), last);
                while tokens.next_if(|next| matches!(next, Token::Sign('.'))).is_some() {
                    let Some(Token::Name(raw, last)) = tokens.next() else { break };
                    (source, called) = (format!("{source}.{raw}"), last);
                }
                if tokens.next_if(|next| next.is_word("AS")).is_some() {
                    let Some(Token::Name(raw, last)) = tokens.next() else { break };
                    (source, called) = (format!("{source} AS {raw}"), last);
                }
                if called == name {
                    return Some(source);
                }
                expected = false;
            }
            Token::Name(..) => {}
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
        }
    }
    None
}

fn skip_to_end<'s>(tokens: &mut Peekable<Tokens<'s>>) {
    let mut depth = 1_usize;
    for token in tokens {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

enum Token<'s> {
    /// A quoted name, with its quotes and without.
    Name(&'s str, String),
    Word(&'s str),
    Sign(char),
}

impl Token<'_> {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(this) if this.eq_ignore_ascii_case(word))
    }
}

struct Tokens<'s> {
    sql: &'s str,
    chars: Peekable<CharIndices<'s>>,
}

impl<'s> Iterator for Tokens<'s> {
    type Item = Token<'s>;

    fn next(&mut self) -> Option<Token<'s>> {
        let (start, first) = self.chars.by_ref().find(|(_, c)| !c.is_whitespace())?;
        if first == '"' || first == '\'' {
            let mut inside = String::new();
            let mut end = self.sql.len();
            while let Some((at, c)) = self.chars.next() {
                if c != first || self.chars.next_if(|(_, next)| *next == first).is_some() {
                    inside.push(c);
                } else {
                    end = at + 1;
                    break;
                }
            }
            return Some(if first == '"' { Token::Name(&self.sql[start..end], inside) } else { Token::Sign(first) });
        }
        let of_word = |c: char| c.is_alphanumeric() || c == '_';
        if !of_word(first) {
            return Some(Token::Sign(first));
        }
        let mut end = start + first.len_utf8();
        while let Some((at, c)) = self.chars.next_if(|(_, c)| of_word(*c)) {
            end = at + c.len_utf8();
        }
        Some(Token::Word(&self.sql[start..end]))
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
