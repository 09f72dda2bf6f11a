//! Names for the helper tables and columns of a statement, chosen so that they hide nothing that the user names.
//!
//! A common table expression hides a table of its name from every subquery of the statement, and a helper column makes a column
//! that is written without its table ambiguous. Fixed lists of unlikely names failed: somebody's table is called `session`.

use diesel::{
    backend::Backend,
    query_builder::{AstPass, QueryBuilder, QueryFragment},
    result::QueryResult,
};

use crate::diesel_internals::sql_of;

/// Stands on both sides of a helper's name until the whole text is known. No server takes it in a statement.
const MARK: char = '\0';

/// Writes a helper's name. The statement must be [`Named`].
pub(crate) fn helper<DB: Backend>(pass: &mut AstPass<'_, '_, DB>, name: &str) {
    pass.push_sql(&format!("{MARK}{name}{MARK}"));
}

/// A statement whose helpers have their usual names, or others if those occur anywhere else in its text.
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
        // Letters may be large or small where names are not quoted.
        let lower = text.to_ascii_lowercase();
        let mut known: Vec<(&str, String)> = Vec::new();
        for (i, piece) in text.split(MARK).enumerate() {
            if i % 2 == 0 {
                out.push_sql(piece);
                continue;
            }
            let place = known.iter().position(|(usual, _)| *usual == piece).unwrap_or_else(|| {
                known.push((piece, free_name(piece, &lower)));
                known.len() - 1
            });
            out.push_identifier(&known[place].1)?;
        }
        Ok(())
    }
}

fn free_name(usual: &str, text: &str) -> String {
    let others = (1_u32..).map(|number| format!("lockset_{}_{number}", usual.trim_start_matches('_')));
    std::iter::once(usual.to_owned()).chain(others).find(|name| !occurs(name, text)).unwrap_or_default()
}

/// Whether a name occurs as a word, quoted or not.
fn occurs(name: &str, text: &str) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | MARK);
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(of_word) && !text[at + name.len()..].starts_with(of_word))
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
