//! The lexical rules of [MySQL][mysql] and [MariaDB][mariadb].
//!
//! [mysql]: https://dev.mysql.com/doc/refman/9.7/en/comments.html
//! [mariadb]: https://mariadb.com/docs/server/reference/sql-structure/sql-language-structure/comment-syntax

use super::built_ins::{FUNCTIONS, KEYWORDS, OPERATORS};
use crate::sql::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    name_quote: b'`',
    dollars: false,
    escape_strings: false,
    backslashes: true,
    bracket_names: false,
    nested_comments: false,
    executable_comments: true,
    hash_comments: true,
    returns_end_lines: false,
    more_clauses: true,
    keywords: &KEYWORDS,
    functions: &FUNCTIONS,
    operators: &OPERATORS,
};

#[cfg(test)]
mod tests {
    use super::DIALECT;
    use crate::sql::{
        Allowed,
        Refused::{self, Grouping, Into, Limit, LockingClause, Parenthesis, SetOperation, Statements, Unreadable},
        Unreadable::{Ambiguous, ExecutableComment, LineComment, OpenComment, OpenQuote},
        read,
    };

    fn refused(sql: &str) -> Option<Refused> {
        read(sql, &DIALECT, Allowed::default()).err()
    }

    #[test]
    fn text_behind_which_nothing_can_be_written_is_refused() {
        for (sql, why) in [
            ("a = 1 -- due", Unreadable(LineComment)),
            ("a = 1 --", Unreadable(LineComment)),
            ("a = 1 --\tdue", Unreadable(LineComment)),
            ("a = 1 --\x01due", Unreadable(LineComment)),
            ("a = 1 --- due", Unreadable(LineComment)),
            ("a = 1 -- due\r", Unreadable(LineComment)),
            ("a = 1 # due", Unreadable(LineComment)),
            ("a = 1#", Unreadable(LineComment)),
            ("a = 1 /* due", Unreadable(OpenComment)),
            ("a = 1 /* a */ /*", Unreadable(OpenComment)),
            ("a = 1 /*/", Unreadable(OpenComment)),
            ("a = 1 /*! or 1 */", Unreadable(ExecutableComment)),
            ("a = 1 /*!80001 or 1 */", Unreadable(ExecutableComment)),
            ("a = 1 /*M! or 1 */", Unreadable(ExecutableComment)),
            ("a = 1 /*M!100100 or 1", Unreadable(ExecutableComment)),
            ("a IN (SELECT /*+ QB_NAME(`*/`) */ 1)", Unreadable(Ambiguous)),
            ("a = 'b", Unreadable(OpenQuote)),
            ("a = \"b", Unreadable(OpenQuote)),
            ("a = `b", Unreadable(OpenQuote)),
            ("a = `b\\`` ", Unreadable(OpenQuote)),
            ("a = 'b''", Unreadable(OpenQuote)),
            ("a = 'b\\\\''", Unreadable(OpenQuote)),
            ("a = 'it\\'s'", Unreadable(Ambiguous)),
            ("a = \"it\\\"s\"", Unreadable(Ambiguous)),
            ("a = 'b\\'", Unreadable(Ambiguous)),
            ("a = _utf8mb4'b\\'", Unreadable(Ambiguous)),
            ("a = 1.e/* b */", Unreadable(Ambiguous)),
            ("a = 1\0", Unreadable(Ambiguous)),
            ("(a = 1", Parenthesis),
            ("a = 1)", Parenthesis),
            ("a = 1) OR EXISTS (SELECT 1", Parenthesis),
            ("a = 1; DELETE FROM t", Statements),
            ("a = 1 union select 2", SetOperation),
            ("a = 1.union select 2", SetOperation),
            ("a = 1e0union select 2", SetOperation),
            ("a = \"b\"union(select 2)", SetOperation),
            ("a = 1 MINUS SELECT 2", SetOperation),
            ("a = 1 LIMIT 1, 2", Limit),
            ("a = 1 OFFSET 1 ROWS", Limit),
            ("a INTO @b", Into),
            ("a = 1 PROCEDURE ANALYSE()", Into),
            ("a = 1 GROUP BY b", Grouping),
            ("a = 1 FOR UPDATE", LockingClause),
            ("a = 1 lock in share mode", LockingClause),
            ("a IN (SELECT b FROM t LOCK IN SHARE MODE)", LockingClause),
        ] {
            assert_eq!(refused(sql), Some(why), "{sql}");
        }
    }

    #[test]
    fn text_that_ends_where_it_seems_to_is_not() {
        for sql in [
            " WHERE ((`t`.`a` = ?) AND (b = ?))",
            "a = 1 -- due\n",
            "a = 1 # due\nAND b = 2",
            "a = 3 --1",
            "a = 1 /* due; 'it # */",
            "a = 1 /* /* due */",
            "a IN (SELECT /*+ NO_INDEX(t) */ b FROM t)",
            "a = 'b -- c' AND d = \"e /* f\" AND `# g` = 1 AND `h``(` = 2",
            "a = 'it''s; ' AND b = \"\"\"\"",
            "a LIKE 'b\\_c\\%' ESCAPE '\\\\'",
            "a = 'b\\\\\\\\' AND c = 'd\\n'",
            "`b\\` = 1",
            "t.union = 1 AND t.limit < 2 AND @limit = 3 AND @@global.offset = 4",
            "a$for = 1 AND $$ = 2",
            "a IN (SELECT b FROM t GROUP BY b UNION SELECT 2 LIMIT 1)",
            "substring(a FROM 1 FOR 3) = 'b' AND minus = 4",
            "GROUP_CONCAT(a ORDER BY b LIMIT 3) = 'c'",
            "1.5e-3 < c AND 1.e5 < d AND .5 < e",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_limit_of_the_query_builder_is_told_from_one_in_raw_sql() {
        let limited = |sql| read(sql, &DIALECT, Allowed { limit: true, grouping: false }).err();
        for sql in [" LIMIT ? ", " LIMIT ?  OFFSET ? ", " LIMIT 18446744073709551615  OFFSET ? "] {
            assert_eq!(limited(sql), None, "{sql}");
        }
        for sql in ["a LIMIT 1 OFFSET ?", "a LIMIT ?, ?", "a LIMIT 1 LIMIT ?", "a LIMIT ? # b"] {
            assert_eq!(limited(sql), Some(Limit), "{sql}");
        }
    }

    #[test]
    fn a_search_in_full_text_is_told_from_a_name() {
        let full_text = |sql| read(sql, &DIALECT, Allowed::default()).unwrap().full_text;
        assert!(full_text("match (a, b) AGAINST ('c' IN BOOLEAN MODE)"));
        assert!(!full_text("t.match = 'MATCH (a) AGAINST (b)' AND `match` = 1"));
    }
}
