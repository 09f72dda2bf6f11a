//! Clauses of a user's query by themselves, to look at their text.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::sql::Choice;

/// Whether there is a subquery in a text, or a name that looks like one.
pub(super) fn names_a_select(sql: &str) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word.eq_ignore_ascii_case("select"))
}

pub(super) struct From<'q>(pub(super) &'q dyn Choice<Pg>);

impl QueryFragment<Pg> for From<'_> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_from(pass)
    }
}

pub(super) struct Filter<'q>(pub(super) &'q dyn Choice<Pg>);

impl QueryFragment<Pg> for Filter<'_> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_filter(pass)
    }
}

#[cfg(test)]
mod tests {
    use super::names_a_select;

    #[test]
    fn a_subquery_is_one_in_any_letters() {
        assert!(names_a_select(r#" WHERE ("jobs"."id" IN (SELECT 1))"#));
        assert!(names_a_select("WHERE exists(\nselect\n1)"));
        assert!(!names_a_select(r#" WHERE ("jobs"."selected" = $1) AND "preselect""#));
    }
}
