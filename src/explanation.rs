//! The statements that a call would send, as text: the answer of [`LockSet::explain`](crate::LockSet::explain) and
//! [`ExplainPick`](crate::ExplainPick).

use std::fmt;

/// The statements that a call would send, in order, and what may follow them.
///
/// [`LockSet::explain`](crate::LockSet::explain) and [`ExplainPick`](crate::ExplainPick) return it, without a connection. The `Display`
/// has each statement with what it does in front of it, as a comment of SQL.
///
/// ```
/// # include!("doctest_setup.rs");
/// # fn main() -> Result<(), LockError> {
/// use diesel::pg::Pg;
///
/// let explanation = LockSet::<Pg>::new().ids::<Account>([1, 2]).explain()?;
/// assert_eq!(explanation.statements.len(), 1);
/// let sql = &explanation.statements[0].sql;
/// assert!(sql.contains(r#"WHERE "accounts"."id" = ANY($1)"#));
/// assert!(sql.contains(r#"ORDER BY "accounts"."id" FOR UPDATE"#));
/// println!("{explanation}");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[must_use]
pub struct Explanation {
    /// The statements that are sent whatever the server answers, unless it returns an error.
    pub statements: Vec<ExplainedStatement>,
    /// The further statements, and when they are sent: it depends on what the server answers, or on the connection.
    pub further: Vec<String>,
}

/// A statement of an [`Explanation`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedStatement {
    /// The text, with the placeholders of the backend for values: `$1`, `?`.
    pub sql: String,
    /// The purpose of the statement, and whether it waits.
    pub does: String,
}

impl Explanation {
    pub(crate) fn add(&mut self, sql: String, does: impl Into<String>) {
        self.statements.push(ExplainedStatement { sql, does: does.into() });
    }

    pub(crate) fn mention(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.further.contains(&text) {
            self.further.push(text);
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.statements.is_empty() {
            f.write_str("-- nothing is sent")?;
        }
        for (number, ExplainedStatement { sql, does }) in self.statements.iter().enumerate() {
            write!(f, "{}-- {}. {does}\n{sql};", if number == 0 { "" } else { "\n" }, number + 1)?;
        }
        self.further.iter().try_for_each(|text| write!(f, "\n-- {text}"))
    }
}
