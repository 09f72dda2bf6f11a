//! The derive of `diesel_lockset`, which re-exports it: use it from there.

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

/// Implements `Lockable`: says which table and which row a model stands for, so that it can be locked.
#[proc_macro_derive(Lockable, attributes(lockable, diesel))]
pub fn derive_lockable(input: TokenStream) -> TokenStream {
    expand::derive(input.into()).into()
}
