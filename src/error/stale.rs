//! The fields of a row that differ from those of an instance.

use std::fmt::{self, Debug};

use super::RowName;

/// A row that is not as its instance says. It comes with [`LockError::Stale`](crate::LockError::Stale).
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// # let shown = Account { id: 1, owner: "Ada".to_owned(), balance: 90 };
/// match LockSet::new().unchanged(&shown).lock(conn) {
///     Err(LockError::Stale { rows }) => {
///         let field = &rows[0].fields[0];
///         assert_eq!((&*field.name, &*field.now), ("balance", "100"));
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StaleRow {
    /// The row.
    pub row: RowName,
    /// The fields that differ, in the order of the struct; empty if its `Debug` does not show fields.
    pub fields: Vec<FieldChange>,
}

/// A field of a row that is not as the instance says, as `Debug` writes it: see [`StaleRow`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldChange {
    /// The name of the field; its number in a tuple struct.
    pub name: String,
    /// The value of the instance.
    pub loaded: String,
    /// The value of the row under the lock.
    pub now: String,
}

impl StaleRow {
    /// Compares the two by what their `Debug` shows.
    pub(crate) fn new(row: RowName, loaded: &dyn Debug, now: &dyn Debug) -> Self {
        let (before, after) = (fields(loaded), fields(now));
        let pairs =
            before.into_iter().zip(after).filter(|((name, loaded), (other, now))| name == other && loaded != now);
        let fields = pairs.map(|((name, loaded), (_, now))| FieldChange { name, loaded, now }).collect();
        StaleRow { row, fields }
    }
}

impl fmt::Display for StaleRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.row)?;
        for (number, FieldChange { name, loaded, now }) in self.fields.iter().enumerate() {
            let separator = if number == 0 { " (" } else { ", " };
            write!(f, "{separator}{name}: {loaded} is now {now}")?;
        }
        f.write_str(if self.fields.is_empty() { "" } else { ")" })
    }
}

/// Returns the fields of a struct, by its `{:#?}`: a field begins at four spaces, and goes on at more of them.
fn fields(value: &dyn Debug) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let text = format!("{value:#?}");
    let lines: Vec<&str> = text.lines().collect();
    let inner = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
    for line in inner.iter().filter_map(|line| line.strip_prefix("    ")) {
        match fields.last_mut() {
            Some((_, value)) if line.starts_with([' ', '}', ']', ')']) => {
                value.push(' ');
                value.push_str(line.trim_start());
            }
            _ => {
                let number = fields.len().to_string();
                let (name, value) = line.split_once(": ").filter(|(name, _)| is_name(name)).unwrap_or((&number, line));
                fields.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    for (_, value) in &mut fields {
        value.truncate(value.trim_end_matches(',').len());
    }
    fields
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RowKey;

    #[derive(Debug, Clone)]
    #[allow(dead_code)]
    struct Account {
        id: i32,
        owner: Option<String>,
        tags: Vec<&'static str>,
        balance: i64,
    }

    #[derive(Debug)]
    #[allow(dead_code)]
    struct Pair(i32, &'static str);

    struct Secret;

    impl Debug for Secret {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("secret")
        }
    }

    fn stale(loaded: &dyn Debug, now: &dyn Debug) -> String {
        StaleRow::new(RowName::new("Account", "", RowKey::new(1)), loaded, now).to_string()
    }

    #[test]
    fn the_fields_that_differ_are_named_with_both_values() {
        let loaded = Account { id: 1, owner: Some("a: b,".to_owned()), tags: vec!["x"], balance: 100 };
        let now = Account { owner: None, tags: vec!["x", "y"], balance: -5, ..loaded.clone() };
        let expected = "Account 1 (owner: Some( \"a: b,\", ) is now None, tags: [ \"x\", ] is now [ \"x\", \"y\", ], \
                        balance: 100 is now -5)";
        assert_eq!(stale(&loaded, &now), expected);
        assert_eq!(stale(&Pair(1, "a"), &Pair(1, "b")), "Account 1 (1: \"a\" is now \"b\")");
    }

    #[test]
    fn what_shows_no_fields_names_the_row_alone() {
        assert_eq!(stale(&Secret, &Secret), "Account 1");
        assert_eq!(stale(&1, &2), "Account 1");
    }
}
