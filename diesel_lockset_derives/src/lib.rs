//! The macros of `diesel_lockset`, which re-exports them: use them from there.
//!
//! `#[advisory_locked]` has a room of its own. For the derive, the files read like the passes of a small compiler: `ast` and `attr` (with `name`) read the struct, `check` (with
//! `key_type`) judges it, `expand` writes the impl, or `fallback` what is left of it; `errors` goes along with all.

mod advisory_locked;
mod ast;
mod attr;
mod check;
mod errors;
mod expand;
mod fallback;
mod key_type;
mod name;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Implements `Lockable`: says which table and which row a model stands for, so that the row can be locked.
///
/// It reads the attributes of Diesel's `Identifiable`, in the way in which `Identifiable` reads them. A model that has
/// them needs no more than the name of one more derive:
///
/// ```text
/// #[derive(Queryable, Selectable, Identifiable, Lockable)]
/// #[diesel(table_name = accounts)]
/// struct Account {
///     id: i64,
///     balance: i64,
/// }
/// ```
///
/// `Identifiable` itself is not needed, and neither are the other derives as far as this one is concerned.
///
/// # What can be a model
///
/// A struct with named fields, or a tuple struct whose key fields have a `column_name`. It has no parameters: a lock set
/// stores keys and fresh rows as plain values, so a model is a concrete, `'static` type, and `Send`.
///
/// The key fields are not optional, are at most eight, and their types are
/// `Clone + Eq + Hash + Debug + Send + Sync + 'static`, as integers, strings, UUIDs and dates are; floating point
/// numbers are not.
///
/// # Attributes
///
/// ## Container attributes
///
/// * `#[diesel(table_name = path::to::table)]`: the table. Without it, the table is the name of the struct in snake case
///   with an `s`: `OrderLine` lives in `order_lines`.
/// * `#[diesel(primary_key(section, number))]`: the columns of the key, all of them, in the order in which `table!`
///   names them. Without it, the key is the column `id`. What is no primary key according to `table!` does not compile.
/// * `#[lockable(crate = path)]`: the path of `diesel_lockset`, if that is not its name: in a crate that renames it in
///   its `Cargo.toml`, or in the output of a macro (`#[lockable(crate = $crate::reexport)]`, where `reexport` has all of
///   `diesel_lockset`). `#[lockable(crate = "path")]` means the same.
///
/// ## Field attributes
///
/// * `#[diesel(column_name = id)]`: the column of the field, if that is not its name. A key is named by its columns, not
///   by its fields.
/// * `#[diesel(serialize_as = i64)]`: the type that stands for the field in SQL. On a key field it is the type of the
///   key, as it is for `Identifiable`.
/// * `#[diesel(embed)]`: the field is no column; the key cannot be inside of it.
///
/// All else that `#[diesel(..)]` may say is Diesel's, and stepped over.
///
/// # What is written
///
/// ```text
/// const _: () = {
///     fn key_part<K: ::diesel_lockset::__private::LockKey>(field: &K) -> K {
///         ::core::clone::Clone::clone(field)
///     }
///     #[automatically_derived]
///     impl ::diesel_lockset::Lockable for Account {
///         type Table = accounts::table;
///         type Key = i64;
///         type KeyColumns = ::diesel_lockset::__private::One<accounts::id>;
///         const TYPE_NAME: &'static ::core::primitive::str = "Account";
///         fn table() -> accounts::table {
///             accounts::table
///         }
///         fn lock_key(&self) -> i64 {
///             key_part::<i64>(&self.id)
///         }
///     }
/// };
/// ```
///
/// The key of several columns is a tuple: `type Key = (String, i32)`, `type KeyColumns = (seats::section, seats::number)`.
///
/// # Errors
///
/// All mistakes of a struct are reported at once. The trait is implemented even then, in a way that keeps rustc silent
/// about the uses of the model: what is left on the screen are the mistakes.
#[proc_macro_derive(Lockable, attributes(lockable, diesel))]
pub fn derive_lockable(input: TokenStream) -> TokenStream {
    expand::derive(input.into()).into()
}

/// On a method of a model: its body runs in a transaction under the advisory lock of `self`.
///
/// ```text
/// impl Order {
///     #[advisory_locked]
///     fn send(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
///         // ..
///     }
/// }
/// ```
///
/// The method takes `&self` or `&mut self`, a connection, and whatever else it likes, and returns a `Result` whose error has
/// `From<LockError>` and `From<diesel::result::Error>`. Its body is unchanged: `?` and `return` leave the method, and all
/// parameters have their names. The lock is that of `self` as it is when the method is called, scoped by the method's name.
///
/// # Options
///
/// * `scope = ".."`: the scope, if that is not the name of the method. Methods of one scope exclude each other.
/// * `timeout = ".."`: how long to wait, `"300ms"`, `"45s"`, `"2min"`, or `"none"` for as long as it takes. Without it, as
///   long as `AdvisoryLock::DEFAULT_TIMEOUT` says; `"0s"` does not wait. When the time is up the body is not run, and the
///   method returns the error.
/// * `try`: that somebody else has the lock is no error. The method returns `Result<Option<..>, ..>`; if the lock is not to be
///   had at once, or in the time of `timeout`, it is `Ok(None)` and the body is not run.
/// * `session`: without a transaction around the body, for work that is long, or not in the database.
/// * `shared`: any number of callers at a time, but none together with those whose lock is not shared.
/// * `conn = "name"`: which parameter is the connection. Without it, that whose type is `&mut ..`; if there are several, the
///   one named `conn` or `connection` (or `_conn`).
/// * `crate = path`: the path of `diesel_lockset`, if that is not its name; `crate = "path"` means the same.
///
/// # What is written
///
/// ```text
/// fn send(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
///     ::diesel_lockset::RunAdvisoryLock::hold::<_, _, LockError>(
///         ::diesel_lockset::AdvisoryLock::timeout(
///             ::diesel_lockset::AdvisoryLock::scope(::diesel_lockset::AdvisoryLock::on(self), "send"),
///             ::diesel_lockset::AdvisoryLock::DEFAULT_TIMEOUT,
///         ),
///         conn,
///         |conn| -> Result<bool, LockError> {
///             // ..
///         },
///     )
/// }
/// ```
///
/// What the method returns cannot borrow from the connection, which the closure has for itself.
#[proc_macro_attribute]
pub fn advisory_locked(options: TokenStream, method: TokenStream) -> TokenStream {
    advisory_locked::attribute(options.into(), method.into()).into()
}
