//! The lexical rules of [SQLite](https://www.sqlite.org/draft/tokenreq.html).

use crate::sql::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    name_quote: b'`',
    dollars: false,
    escape_strings: false,
    backslashes: false,
    bracket_names: true,
    nested_comments: false,
    executable_comments: false,
    hash_comments: false,
    returns_end_lines: false,
    more_clauses: false,
    // The rows of a query are read by the only writer, so it does not matter what its conditions depend on.
    keywords: &[],
    functions: &[],
    operators: &[],
};

#[cfg(test)]
mod tests {
    use super::DIALECT;
    use crate::sql::{
        Allowed,
        Refused::{self, Limit, Parenthesis, SetOperation, Statements, Unreadable},
        Unreadable::{Ambiguous, LineComment, OpenComment, OpenQuote},
        read,
    };

    fn refused(sql: &str) -> Option<Refused> {
        read(sql, &DIALECT, Allowed::default()).err()
    }

    #[test]
    fn text_behind_which_nothing_can_be_written_is_refused() {
        for (sql, why) in [
            ("a = 1 -- due", Unreadable(LineComment)),
            ("a = 1 --due", Unreadable(LineComment)),
            ("a = 1 -- due\rAND b = 2", Unreadable(LineComment)),
            ("a = 1 /* due", Unreadable(OpenComment)),
            ("a = 'b", Unreadable(OpenQuote)),
            ("a = \"b", Unreadable(OpenQuote)),
            ("a = `b", Unreadable(OpenQuote)),
            ("a = [b", Unreadable(OpenQuote)),
            ("a = 'b\\''", Unreadable(OpenQuote)),
            ("a = 1\0", Unreadable(Ambiguous)),
            ("[' ] union select 2 --' ]", SetOperation),
            ("(a = 1", Parenthesis),
            ("a = 1) OR EXISTS (SELECT 1", Parenthesis),
            ("a = 1; DELETE FROM t", Statements),
            ("a = 1 union select 2", SetOperation),
            ("a = 1 EXCEPT select 2", SetOperation),
            ("a = 1 LIMIT 1, 2", Limit),
        ] {
            assert_eq!(refused(sql), Some(why), "{sql}");
        }
    }

    #[test]
    fn text_that_ends_where_it_seems_to_is_not() {
        for sql in [
            " WHERE ((`t`.`a` = ?) AND (b = ?))",
            "a = 1 -- due\n",
            "a = 1 /* /* due */",
            "a = 'b\\' AND c = \"d\\\"",
            "[it's -- a name; /*] = 1",
            "a LIKE 'b\\_c' ESCAPE '\\'",
            "a = :name AND b = @name AND c = $name AND d = ?1",
            "a IN (SELECT b FROM t GROUP BY b UNION SELECT 2 LIMIT 1)",
            "x'0a' = a AND 0x1f = b",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }
}
