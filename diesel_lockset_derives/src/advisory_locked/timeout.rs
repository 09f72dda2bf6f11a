//! The parser of a timeout: `45s`, `300ms`, `2min`, `none`.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::LitStr;

/// The value of `timeout = ".."`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// No limit.
    None,
    Millis(u64),
    Seconds(u64),
}

const FORM: &str = "is no time to wait: write a whole number and `ms`, `s` or `min`, such as \"45s\", or \"none\" for as long as it takes";

impl Timeout {
    pub(crate) fn written(text: &LitStr) -> syn::Result<Self> {
        Self::parse(&text.value())
            .ok_or_else(|| syn::Error::new(text.span(), format!("\"{}\" {FORM}", text.value().escape_debug())))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Timeout::None);
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().ok()?;
        match unit.trim_start_matches(' ') {
            "ms" => Some(Timeout::Millis(number)),
            "s" => Some(Timeout::Seconds(number)),
            "min" => number.checked_mul(60).map(Timeout::Seconds),
            _ => None,
        }
    }

    /// Generates the `Duration`; `None` if there is no limit.
    pub(crate) fn duration(self, span: proc_macro2::Span) -> Option<TokenStream> {
        match self {
            Timeout::None => None,
            Timeout::Millis(millis) => Some(quote_spanned! {span=> ::core::time::Duration::from_millis(#millis) }),
            Timeout::Seconds(seconds) => Some(quote_spanned! {span=> ::core::time::Duration::from_secs(#seconds) }),
        }
    }
}
