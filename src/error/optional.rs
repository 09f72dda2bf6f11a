//! Turns "not found" into `None`.

use super::Result;

/// Turns the error of a row that does not exist into `None`, as Diesel's [`OptionalExtension`](diesel::OptionalExtension) does for its own
/// errors.
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// let account: Option<Account> = Account::lock_by_id(77, conn).optional()?;
/// assert_eq!(account, None);
///
/// let richest: Option<Account> = accounts::table
///     .filter(accounts::balance.gt(1_000))
///     .for_update_of(accounts::table)
///     .first(conn)
///     .optional()?;
/// assert_eq!(richest, None);
/// # Ok(()) }) }
/// ```
pub trait OptionalExtension<T> {
    /// Returns the value, or `None` for an error that [is "not found"](crate::LockError::is_not_found). The transaction goes on after such an
    /// error.
    ///
    /// Of a set of several rows, one that is missing makes it `None`: the others are locked all the same.
    ///
    /// # Errors
    ///
    /// Every other error. The transaction is not touched.
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
