//! The collector of errors: all mistakes of one item are gathered, so that a user sees them at once.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The mistakes found so far.
///
/// It exists only inside [`Errors::gather`], so no mistake can be found and not reported.
pub(crate) struct Errors {
    found: Option<syn::Error>,
}

impl Errors {
    /// Runs `look`, and returns its result, or all mistakes that it reported.
    pub(crate) fn gather<T>(look: impl FnOnce(&mut Self) -> T) -> syn::Result<T> {
        let mut errors = Self { found: None };
        let made = look(&mut errors);
        match errors.found {
            None => Ok(made),
            Some(all) => Err(all),
        }
    }

    /// Reports an error of `syn`.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.found {
            None => self.found = Some(error),
            Some(all) => all.combine(error),
        }
    }

    /// Reports a mistake at one place.
    pub(crate) fn at(&mut self, span: Span, sentence: impl Display) {
        self.push(syn::Error::new(span, sentence));
    }

    /// Reports a mistake under all of `tokens`.
    pub(crate) fn under(&mut self, tokens: impl ToTokens, sentence: impl Display) {
        self.push(syn::Error::new_spanned(tokens, sentence));
    }
}
