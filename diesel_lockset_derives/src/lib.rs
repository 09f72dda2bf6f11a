//! The macros of `diesel_lockset`, which re-exports them. Use them from there.
//!
//! The module `advisory_locked` has the attribute of that name. The other modules are the passes of the derive: `ast` and `attr` (with
//! `name`) read the struct, `check` (with `key_type`) validates it, and `expand` generates the impl, or `fallback` a placeholder for it
//! if there are mistakes. All passes report to `errors`.

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

/// Implements `Lockable`: maps a model to its table and its primary key, so that its row can be locked.
///
/// It reads the attributes of Diesel's `Identifiable`, in the way in which `Identifiable` reads them. A model that has
/// them needs only the name of one more derive:
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
/// This derive needs neither `Identifiable` itself nor the other derives.
///
/// # What can be a model
///
/// A model is a struct with named fields, or a tuple struct whose key fields have a `column_name`. It has no generic parameters: a lock
/// set stores keys and fresh rows as plain values, so a model is a concrete, `'static` type, and `Send`.
///
/// There are at most eight key fields. They are not optional, and their types are
/// `Clone + Eq + Hash + Debug + Send + Sync + 'static`, as integers, strings, UUIDs and dates are; floating point
/// numbers are not.
///
/// # Attributes
///
/// ## Container attributes
///
/// * `#[diesel(table_name = path::to::table)]`: the table. Without it, the table is the name of the struct in snake case
///   with an `s`: the table of `OrderLine` is `order_lines`.
/// * `#[diesel(primary_key(section, number))]`: the columns of the key, all of them, in the order in which `table!`
///   names them. Without it, the key is the column `id`. Columns that are not the primary key of `table!` do not compile.
/// * `#[lockable(name = "Account")]`: the name of the model in messages and in the names of advisory locks. Without it, it is the
///   name of the struct: renaming the struct renames its locks, and two structs of one table have different ones. Processes of an
///   old and a new version that run side by side must agree on the name.
/// * `#[lockable(crate = path)]`: the path of `diesel_lockset`, if that is not its name: in a crate that renames it in
///   its `Cargo.toml`, or in the output of a macro (`#[lockable(crate = $crate::reexport)]`, where `reexport` has all of
///   `diesel_lockset`). `#[lockable(crate = "path")]` means the same.
///
/// ## Field attributes
///
/// * `#[diesel(column_name = id)]`: the column of the field, if that is not its name. A key is named by its columns, not
///   by its fields.
/// * `#[diesel(serialize_as = i64)]`: the type that the field is converted into for SQL. On a key field it is the type of the
///   key, as it is for `Identifiable`.
/// * `#[diesel(embed)]`: the field is no column; the key cannot be inside of it.
///
/// All other options of `#[diesel(..)]` are Diesel's, and are ignored here.
///
/// # Expansion
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
/// about the uses of the model, so that only the mistakes are shown.
#[proc_macro_derive(Lockable, attributes(lockable, diesel))]
pub fn derive_lockable(input: TokenStream) -> TokenStream {
    expand::derive(input.into()).into()
}

/// Runs the body of a model's method in a transaction under the advisory lock of `self`.
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
/// The method takes `&self` or `&mut self`, a connection, and any other parameters, and returns a `Result` whose error has
/// `From<LockError>` and `From<diesel::result::Error>`. Its body is unchanged: `?` and `return` leave the method, and all
/// parameters keep their names. The lock is that of `self` as it is when the method is called, scoped by the method's name.
///
/// # Options
///
/// * `scope = ".."`: the scope, if that is not the name of the method. Methods of one scope exclude each other.
/// * `timeout = ".."`: the time to wait: `"300ms"`, `"45s"`, `"2min"`, or `"none"` for no limit. Without it, the time is
///   `AdvisoryLock::DEFAULT_TIMEOUT`; `"0s"` does not wait. When the time is up the body is not run, and the
///   method returns the error.
/// * `try`: it is no error if another session holds the lock. The method returns `Result<Option<..>, ..>`; if the lock is not
///   free at once, or within the time of `timeout`, it is `Ok(None)` and the body is not run.
/// * `session`: no transaction around the body, for work that takes long, or that is not in the database.
/// * `shared`: any number of callers at a time, but none together with a caller whose lock is not shared.
/// * `conn = "name"`: the parameter that is the connection. Without it, it is the one whose type is `&mut ..`; if there are several, the
///   one named `conn` or `connection` (or `_conn`).
/// * `crate = path`: the path of `diesel_lockset`, if that is not its name; `crate = "path"` means the same.
///
/// # Expansion
///
/// ```text
/// fn send(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
///     ::diesel_lockset::RunAdvisoryLock::hold::<_, _, LockError>(
///         ::diesel_lockset::AdvisoryLock::timeout(
///             ::diesel_lockset::AdvisoryLock::scope(
///                 ::diesel_lockset::AdvisoryLock::on(self),
///                 "send",
///             ),
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
/// The return value cannot borrow from the connection, since the closure has the connection as its own parameter.
#[proc_macro_attribute]
pub fn advisory_locked(options: TokenStream, method: TokenStream) -> TokenStream {
    advisory_locked::attribute(options.into(), method.into()).into()
}
