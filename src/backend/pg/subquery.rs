//! Conditions that are not about the row alone.

/// Whether there is a subquery in a text, or a name that looks like one.
pub(super) fn names_a_select(sql: &str) -> bool {
    sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word.eq_ignore_ascii_case("select"))
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
