//! The name of an advisory lock, as text and as the number that the server sees.

use std::fmt::{self, Display, Write};

use diesel::{
    expression::Expression,
    sql_types::{SingleValue, SqlType},
};
use sha2::{Digest, Sha256};

use super::number::{canonical, is_written_freely};
use crate::{
    key::LockName,
    lockable::{Lockable, One},
};

/// The name of an advisory lock. It is the same on every platform, in every process and in every version: tests pin it.
///
/// ```
/// use diesel_lockset::AdvisoryLock;
///
/// let lock = AdvisoryLock::named("nightly-report");
/// assert_eq!(lock.name().text(), "|nightly-report");
/// assert_eq!(lock.name().key(), 1_953_063_839_132_307_595);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AdvisoryName {
    text: String,
}

impl AdvisoryName {
    pub(super) fn of<T: Lockable<KeyColumns: KeyText<T::Key>>>(key: &T::Key) -> Self {
        let mut text = String::new();
        write_part(&mut text, &T::TYPE_NAME);
        text.push('|');
        T::KeyColumns::write(key, &mut text);
        AdvisoryName { text }
    }

    /// Builds a name of the application's own. Its first part, where a model has its type name, is empty.
    pub(super) fn own(name: &str) -> Self {
        let mut text = "|".to_owned();
        write_part(&mut text, &name);
        AdvisoryName { text }
    }

    pub(super) fn scoped(mut self, scope: &str) -> Self {
        self.text.push('|');
        write_part(&mut self.text, &scope);
        self
    }

    /// Returns the canonical text: `<type name>|<key>[|<scope>]`, or `|<name>[|<scope>]`.
    ///
    /// The key is as `Display` writes it: integers in decimal, strings as they are, UUIDs with hyphens in lower case, dates as
    /// `2026-02-28`. The columns of a composite key are separated by commas. Within each part and each key column, `\`, `|` and
    /// `,` have a `\` in front.
    ///
    /// Numbers of the SQL types `Numeric`, `Double` and `Float` are written without an exponent, without insignificant zeros and
    /// without a sign in front of zero, since `1.5` and `1.50` are one key to the server: `1.5`, `100`, `0`. On PostgreSQL from 13 on
    /// that is `trim_scale(id)::text`, in Python, up to 28 digits, `f"{Decimal(x).normalize() + 0:f}"`. The texts of all other types are
    /// taken as they are; see [`AdvisoryLock::on`](crate::AdvisoryLock::on) for keys that are equal to the server only.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the key of the lock on PostgreSQL: the first 8 bytes, big-endian, of the SHA-256 of the text.
    #[must_use]
    pub fn key(&self) -> i64 {
        i64::from_be_bytes(first_of(Sha256::new_with_prefix(&self.text)))
    }

    /// Returns the name of the lock on MySQL and MariaDB, in this database: the first 16 hexadecimal digits, in lower case, of
    /// the SHA-256 of `<database>|<text>`. These servers have one set of names for all databases.
    ///
    /// The database is as `SELECT DATABASE()` shows it. Nothing in its name is escaped: do not use `|` in names of databases.
    ///
    /// ```
    /// use diesel_lockset::AdvisoryLock;
    ///
    /// let lock = AdvisoryLock::named("nightly-report");
    /// assert_eq!(lock.name().key_in("shop"), "ff892b5c178f6069");
    /// ```
    #[must_use]
    pub fn key_in(&self, database: &str) -> String {
        let digest = Sha256::new_with_prefix(database).chain_update("|").chain_update(&self.text);
        format!("{:016x}", u64::from_be_bytes(first_of(digest)))
    }

    pub(crate) fn in_all_forms(&self) -> LockName<'_> {
        LockName { text: &self.text, key: self.key() }
    }
}

fn first_of(digest: Sha256) -> [u8; 8] {
    let digest = digest.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    first
}

impl Display for AdvisoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text of a key `K` of these columns, the same everywhere. Every key that has `Display` has one, and tuples of them.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a key of type `{K}` has no text of its own that an advisory lock could be named after",
    label = "this key, or a part of it, is not `Display`",
    note = "implement `Display` for it, the same in every program that takes the lock, or choose a name: \
            `AdvisoryLock::named(&format!(\"blob-{{}}\", ..))`"
)]
pub trait KeyText<K> {
    fn write(key: &K, text: &mut String);
}

#[diagnostic::do_not_recommend]
impl<C, ST, K: Display> KeyText<K> for One<C>
where
    C: Expression<SqlType = ST>,
    ST: SqlType + SingleValue + 'static,
{
    fn write(key: &K, text: &mut String) {
        write_column::<ST>(text, key);
    }
}

macro_rules! composite_keys {
    ($(($($K:ident $C:ident $ST:ident $i:tt),+))*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($K: Display, $C, $ST),+> KeyText<($($K,)+)> for ($($C,)+)
        where
            $($C: Expression<SqlType = $ST>, $ST: SqlType + SingleValue + 'static,)+
        {
            fn write(key: &($($K,)+), text: &mut String) {
                $(
                    if $i > 0 {
                        text.push(',');
                    }
                    write_column::<$ST>(text, &key.$i);
                )+
            }
        }
    )*};
}

composite_keys! {
    (K0 C0 S0 0, K1 C1 S1 1)
    (K0 C0 S0 0, K1 C1 S1 1, K2 C2 S2 2)
    (K0 C0 S0 0, K1 C1 S1 1, K2 C2 S2 2, K3 C3 S3 3)
    (K0 C0 S0 0, K1 C1 S1 1, K2 C2 S2 2, K3 C3 S3 3, K4 C4 S4 4)
    (K0 C0 S0 0, K1 C1 S1 1, K2 C2 S2 2, K3 C3 S3 3, K4 C4 S4 4, K5 C5 S5 5)
    (K0 C0 S0 0, K1 C1 S1 1, K2 C2 S2 2, K3 C3 S3 3, K4 C4 S4 4, K5 C5 S5 5, K6 C6 S6 6)
    (K0 C0 S0 0, K1 C1 S1 1, K2 C2 S2 2, K3 C3 S3 3, K4 C4 S4 4, K5 C5 S5 5, K6 C6 S6 6, K7 C7 S7 7)
}

/// Writes one column of a key, numbers in their canonical form.
fn write_column<ST: 'static>(text: &mut String, key: &dyn Display) {
    if is_written_freely::<ST>() {
        write_part(text, &canonical(&key.to_string()));
    } else {
        write_part(text, key);
    }
}

/// Writes a part, escaped so that it contains no separator of parts.
fn write_part(text: &mut String, part: &dyn Display) {
    struct Escaped<'t>(&'t mut String);
    impl Write for Escaped<'_> {
        fn write_str(&mut self, written: &str) -> fmt::Result {
            for c in written.chars() {
                if matches!(c, '\\' | '|' | ',') {
                    self.0.push('\\');
                }
                self.0.push(c);
            }
            Ok(())
        }
    }
    // Writing into a string does not fail, unless a `Display` of the user's returns an error.
    let _ = write!(Escaped(text), "{part}");
}

#[cfg(test)]
mod tests {
    use super::AdvisoryName;

    #[test]
    fn parts_cannot_be_mistaken_for_each_other() {
        let texts = [
            AdvisoryName::own("a").scoped("b"),
            AdvisoryName::own("a|b"),
            AdvisoryName::own("a\\").scoped("b"),
            AdvisoryName::own("a\\|b"),
            AdvisoryName::own("a").scoped("b").scoped(""),
            AdvisoryName::own("a,b"),
        ]
        .map(|name| name.text);
        assert_eq!(texts, ["|a|b", "|a\\|b", "|a\\\\|b", "|a\\\\\\|b", "|a|b|", "|a\\,b"]);
    }

    #[test]
    fn a_million_names_have_a_million_keys() {
        let keys: std::collections::HashSet<i64> =
            (0..1_000_000).map(|n| AdvisoryName::own(&format!("job-{n}")).key()).collect();
        assert_eq!(keys.len(), 1_000_000);
    }
}
