//! The dialect of PostgreSQL: the lexical rules by which it reads SQL text ([manual][manual]).
//!
//! [manual]: https://www.postgresql.org/docs/current/sql-syntax-lexical.html

use super::built_ins::{CALLS, OPERATORS};
use crate::sql::Dialect;

pub(super) const DIALECT: Dialect = Dialect {
    name_quote: b'"',
    dollars: true,
    escape_strings: true,
    backslashes: true,
    bracket_names: false,
    nested_comments: true,
    executable_comments: false,
    hash_comments: false,
    returns_end_lines: true,
    more_clauses: false,
    keywords: &CALLS,
    functions: &[],
    operators: &OPERATORS,
};

#[cfg(test)]
mod tests {
    use super::DIALECT;
    use crate::sql::{
        Allowed,
        Refused::{self, Grouping, Into, Limit, LockingClause, Parenthesis, SetOperation, Statements, Unreadable},
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
            ("a = 1 --", Unreadable(LineComment)),
            ("a = 1---", Unreadable(LineComment)),
            ("a = 1 +-- /* due */", Unreadable(LineComment)),
            ("a = 1 /* due */ -- '", Unreadable(LineComment)),
            ("a = 1 /* due", Unreadable(OpenComment)),
            ("a = 1 */* due", Unreadable(OpenComment)),
            ("a = 1 /* /* due */", Unreadable(OpenComment)),
            ("a = 1 /*/", Unreadable(OpenComment)),
            ("a = 1 /*! due", Unreadable(OpenComment)),
            ("a = 'b", Unreadable(OpenQuote)),
            ("a = 'b''", Unreadable(OpenQuote)),
            ("a = E'b\\'", Unreadable(OpenQuote)),
            ("a = e'b\\\\\\'", Unreadable(OpenQuote)),
            ("a = \"b", Unreadable(OpenQuote)),
            ("a = $$b", Unreadable(OpenQuote)),
            ("a = $b$ $$ $c$", Unreadable(OpenQuote)),
            ("a = 1$b$", Unreadable(OpenQuote)),
            ("a = $1$b$ ", Unreadable(OpenQuote)),
            ("a = U&'b", Unreadable(OpenQuote)),
            // The name goes up to the quote. In these quotes a backslash is a plain character unless the server is configured otherwise.
            ("fooe'\\'", Unreadable(Ambiguous)),
            ("a LIKE 'b' ESCAPE '\\'", Unreadable(Ambiguous)),
            ("a = 'it\\'s'", Unreadable(Ambiguous)),
            ("a = 1\0", Unreadable(Ambiguous)),
            ("(a = 1", Parenthesis),
            ("a = 1) OR (b = 2", Parenthesis),
            ("a = ')' AND (b = 2", Parenthesis),
            ("a = 1; DELETE FROM t", Statements),
            ("(a = 1;)", Statements),
            ("a = 1 union select 2", SetOperation),
            ("a = 1/**/union/**/select 2", SetOperation),
            ("a = 1.union select 2", SetOperation),
            ("a = 1.5union select 2", SetOperation),
            ("a = 1e-0union select 2", SetOperation),
            ("a = 'b'union select 2", SetOperation),
            ("(a = 1) INTERSECT SELECT 2", SetOperation),
            ("a = 1 EXCEPT TABLE t", SetOperation),
            (" WHERE ((a > $1) AND b = 1 UNION SELECT 2)", SetOperation),
            (" WHERE ((a > $1) AND b = 1 LIMIT 2)", Limit),
            ("a = 1 LIMIT 1", Limit),
            ("a = 1 Limit $1", Limit),
            ("a = 1 OFFSET 1", Limit),
            ("a = 1 FETCH FIRST ROW ONLY", Limit),
            ("a INTO b", Into),
            ("a = 1 GROUP BY b", Grouping),
            ("a = 1 HAVING true", Grouping),
            ("a = 1 FOR SHARE", LockingClause),
            ("a = 1 for/* */update", LockingClause),
            ("a = 1 FOR NO KEY UPDATE", LockingClause),
            ("a = 1 FOR KEY SHARE", LockingClause),
            ("a = 1 FOR READ ONLY", LockingClause),
            ("a IN (SELECT b FROM t FOR UPDATE)", LockingClause),
        ] {
            assert_eq!(refused(sql), Some(why), "{sql}");
        }
    }

    #[test]
    fn text_that_ends_where_it_seems_to_is_not() {
        for sql in [
            "",
            " WHERE ((\"t\".\"a\" = $1) AND (b = $2))",
            "a = 1 -- due\n",
            "a = 1 -- due\r AND b",
            "a = 1 /* due; 'it */",
            "a = 1 /* a /* b */ union */",
            "a = 'b -- c' AND d = 'e /* f'",
            "a = 'it''s; '",
            "a = E'it\\'s (' AND b = e'\\\\'",
            "a = 'C:\\\\' AND b = 'c\\_d'",
            "a = $$ it's -- ( $$ AND b = $x$ $$ /* $x$",
            "a$b$ = 1 AND é$b = 2",
            "\"a -- b\" = 1 AND \"c\"\"/*\" = 2 AND U&\"d(\" = 3",
            "t.union = 1 AND t.limit < 2 AND t . offset = 3",
            "a AS limit, b AS \"into\"",
            "a IN (SELECT b FROM t GROUP BY b HAVING true UNION SELECT 2 LIMIT 1 OFFSET 2)",
            "((SELECT 1) UNION (SELECT 2 LIMIT 1)) IS NOT NULL AND f(a ORDER BY b LIMIT 1)",
            "substring(a FROM 1 FOR 3) = 'b' AND substring(a for key) = 'c'",
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY a) > 3",
            "a IS DISTINCT FROM b AND c ?| ARRAY['d'] AND e # f = 0",
            "lock IN (1, 2) AND minus (3) AND procedure = 4",
            "union_all = 1 AND preselect = 2 AND for_update = 3",
            "a - -1 = b AND 1.5e-3 < c AND .5 < d",
        ] {
            assert_eq!(refused(sql), None, "{sql}");
        }
    }

    #[test]
    fn the_limit_of_the_query_builder_is_told_from_one_in_raw_sql() {
        let limited = |sql| read(sql, &DIALECT, Allowed { limit: true, grouping: false }).err();
        for sql in [" ORDER BY a LIMIT $1 ", " ORDER BY a LIMIT $1  OFFSET $2 ", " OFFSET $1 "] {
            assert_eq!(limited(sql), None, "{sql}");
        }
        for sql in ["a LIMIT 1", "a LIMIT 1 LIMIT $1", "a LIMIT $1 ORDER BY b", "a FETCH $1", "a OFFSET $1 LIMIT $2"] {
            assert_eq!(limited(sql), Some(Limit), "{sql}");
        }
        assert_eq!(limited("a LIMIT $1 /* b"), Some(Limit));
        assert_eq!(refused(" LIMIT $1 "), Some(Limit));
        assert!(read("a GROUP BY b HAVING c", &DIALECT, Allowed { limit: false, grouping: true }).is_ok());
    }

    #[test]
    fn a_subquery_is_one_in_any_letters_and_any_form() {
        let subquery = |sql| read(sql, &DIALECT, Allowed::default()).unwrap().subquery;
        for sql in [
            r#" WHERE ("jobs"."id" IN (SELECT 1))"#,
            "WHERE exists(\nselect\n1)",
            "id IN (/* all */select 1)",
            "id IN (TABLE wanted)",
            "id IN (VALUES (1), (2))",
            "id IN (values(1))",
            "EXISTS (WITH w AS (VALUES (1)) TABLE w)",
        ] {
            assert!(subquery(sql), "{sql}");
        }
        for sql in [
            r#" WHERE ("jobs"."selected" = $1) AND "preselect""#,
            r#""jobs"."select" = 'select 1' AND "table" IS NULL"#,
            "jobs.select = $$ select $$ /* select */ AND preselect AND values > 3 -- select\n",
            "payload = E'\\\\' AND a = ' select '",
        ] {
            assert!(!subquery(sql), "{sql}");
        }
    }

    #[test]
    fn what_is_not_known_to_read_nothing_is_foreign() {
        let foreign = |sql| read(sql, &DIALECT, Allowed::default()).unwrap().foreign;
        for sql in [
            r#" WHERE (job_is_new("jobs"."id"))"#,
            r#""public"."job_is_new"($1)"#,
            "pg_catalog.now() < x",
            r#""jobs"."payload" @> $1"#,
            r#""jobs"."id" ~== $1"#,
            r#""jobs"."id" ==> $1"#,
            r#"("jobs"."id")<->("a")"#,
            r#""jobs"."id" /**/==> $1"#,
            r#""jobs"."id" <=> $1"#,
            r#""jobs"."id"::verdict = 'yes'"#,
            r#"CAST("jobs"."id" AS verdict) = 'yes'"#,
            r#"year("jobs"."id") OR ifnull("jobs"."id")"#,
            "random() < 0.5",
        ] {
            assert!(foreign(sql), "{sql}");
        }
        for sql in [
            r#" WHERE (("jobs"."status" = $1) AND ("jobs"."run_at" <= now()) OR NOT ("jobs"."id" = ANY($2)))"#,
            r#""jobs"."id" IN ($1, $2) AND "jobs"."n" BETWEEN ($1 + 1) AND $2 AND "jobs"."name" != lower($3)"#,
            r#"("a" || "b") LIKE $1 AND "jobs"."job_is_new" IS NOT NULL AND COALESCE("a", $2) % 2 = 1 AND 'f(x) @> y' = "c""#,
        ] {
            assert!(!foreign(sql), "{sql}");
        }
    }
}
