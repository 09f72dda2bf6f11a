//! Names for the helper tables (CTEs) and helper columns of a statement, chosen so that they hide no name of the user's.
//!
//! A CTE hides a table of its name from every subquery of the statement. A helper column makes a column that is written without its table
//! ambiguous. Fixed lists of unlikely names failed: a user's table is called `session`.

use std::borrow::Cow;

use diesel::{
    backend::Backend,
    query_builder::{AstPass, QueryBuilder, QueryFragment},
    result::QueryResult,
};

use crate::diesel_internals::sql_of;

/// The usual name of a helper, as text for `push_sql`, in a statement that is [`Named`]. A NUL stands on both sides of it, a character that
/// no server accepts in a statement.
macro_rules! helper_name {
    ($name:literal) => {
        concat!("\0", $name, "\0")
    };
}
pub(crate) use helper_name;

/// Writes the name of the helper column for a column of the key, or for the column behind the key.
pub(crate) fn key_helper<DB: Backend>(pass: &mut AstPass<'_, '_, DB>, column: usize) {
    const NAMES: [&str; 9] = [
        helper_name!("k0"),
        helper_name!("k1"),
        helper_name!("k2"),
        helper_name!("k3"),
        helper_name!("k4"),
        helper_name!("k5"),
        helper_name!("k6"),
        helper_name!("k7"),
        helper_name!("k8"),
    ];
    pass.push_sql(NAMES[column]);
}

/// A statement whose helpers get their usual names, or free ones if a usual name occurs anywhere else in the text of the statement.
pub(crate) struct Named<F>(pub(crate) F);

impl<DB, F> QueryFragment<DB> for Named<F>
where
    DB: Backend<QueryBuilder: Default> + Default,
    F: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut DB::QueryBuilder, _: &DB) -> QueryResult<()> {
        let text = sql_of::<DB>(&self.0)?;
        let mut pieces = text.split('\0');
        out.push_sql(pieces.next().unwrap_or_default());
        // Names without quotes are the same in upper and lower case.
        let lower = text.to_ascii_lowercase();
        let mut known: Vec<(&str, String)> = Vec::new();
        while let (Some(usual), Some(rest)) = (pieces.next(), pieces.next()) {
            let place = match known.iter().position(|(name, _)| *name == usual) {
                Some(place) => place,
                None => {
                    let mut quoted = DB::QueryBuilder::default();
                    quoted.push_identifier(&free_name(usual, &lower))?;
                    known.push((usual, quoted.finish()));
                    known.len() - 1
                }
            };
            out.push_sql(&known[place].1);
            out.push_sql(rest);
        }
        Ok(())
    }
}

fn free_name<'n>(usual: &'n str, text: &str) -> Cow<'n, str> {
    let mut name = Cow::Borrowed(usual);
    let mut number = 0_u32;
    while occurs(&name, text) {
        number += 1;
        name = Cow::Owned(format!("lockset_{}_{number}", usual.trim_start_matches('_')));
    }
    name
}

/// Returns whether a name occurs in the text as a whole word, quoted or not.
fn occurs(name: &str, text: &str) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '\0');
    // A search for a single character is many times faster than one for a longer text, and the last character of most names is rare.
    let Some(last) = name.chars().next_back() else { return false };
    text.match_indices(last).any(|(at, _)| {
        let end = at + last.len_utf8();
        text[..end]
            .strip_suffix(name)
            .is_some_and(|before| !before.ends_with(of_word) && !text[end..].starts_with(of_word))
    })
}

#[cfg(test)]
mod tests {
    use super::{free_name, occurs};

    #[test]
    fn a_word_is_not_a_part_of_one() {
        for (text, found) in [
            ("select * from wanted", true),
            ("\"wanted\".\"id\"", true),
            ("`wanted`", true),
            ("un(wanted)", true),
            ("unwanted wanted_rows wantedß wanted$", false),
            ("from \0wanted\0", false),
        ] {
            assert_eq!(occurs("wanted", text), found, "{text}");
        }
    }

    #[test]
    fn a_name_that_occurs_is_not_taken() {
        assert_eq!(free_name("_picked", "\0_picked\0"), "_picked");
        assert_eq!(free_name("_picked", "\"_picked\" \0_picked\0"), "lockset_picked_1");
        assert_eq!(free_name("_picked", "_picked, lockset_picked_1"), "lockset_picked_2");
    }
}
