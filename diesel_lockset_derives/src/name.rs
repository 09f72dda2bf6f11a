//! Names of columns and tables: raw or not, written as an identifier or as a string, or made up from a struct's name.

use proc_macro2::{Ident, Span};
use syn::{
    LitStr,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// The name of a column.
#[derive(Clone)]
pub(crate) struct Column {
    /// As Diesel compares it.
    pub(crate) name: String,
    /// As a path says it.
    pub(crate) ident: Ident,
    /// Where the user says it.
    pub(crate) span: Span,
}

impl Column {
    /// The column that a field or `primary_key(..)` names.
    pub(crate) fn of(user: &Ident) -> Self {
        let name = user.unraw().to_string();
        // The span that is left must be one of this expansion: a path of nothing but the user's own tokens is the
        // user's to the lint `unused_qualifications` as soon as the column is imported (`use accounts::dsl::*`).
        let span = Span::mixed_site().located_at(user.span());
        let ident = identifier(&name, span).unwrap_or_else(|_| user.clone());
        Self { name, ident, span: user.span() }
    }

    /// The column that `column_name` names.
    pub(crate) fn written(written: WrittenColumn) -> syn::Result<Self> {
        let text = match written {
            WrittenColumn::Name(name) => return Ok(Self::of(&name)),
            WrittenColumn::Text(text) => text,
        };
        let value = text.value();
        let name = value.strip_prefix("r#").unwrap_or(&value);
        let mut ident = identifier(name, text.span())?;
        ident.set_span(Span::mixed_site().located_at(text.span()));
        Ok(Self { name: name.to_owned(), ident, span: text.span() })
    }
}

/// A column as Diesel takes it: `column_name = kind`, `column_name = r#type`, `column_name = "type"`.
pub(crate) enum WrittenColumn {
    Name(Ident),
    Text(LitStr),
}

impl Parse for WrittenColumn {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) { input.parse().map(Self::Text) } else { input.parse().map(Self::Name) }
    }
}

/// `name` as a token, raw where it has to be.
pub(crate) fn identifier(name: &str, span: Span) -> syn::Result<Ident> {
    // `gen` is a name to `syn`, a keyword to Rust 2024, whose rules hold for the spans made here.
    let plain = match name {
        "gen" => syn::parse_str("r#gen"),
        _ => syn::parse_str(name),
    };
    let mut ident: Ident = plain.or_else(|_| syn::parse_str(&format!("r#{name}"))).map_err(|_| {
        let sentence = format!("`{name}` is not an identifier: write the name that `table!` gives the column");
        syn::Error::new(span, sentence)
    })?;
    ident.set_span(span);
    Ok(ident)
}

/// The table of a struct that names none: snake case and an `s`, as in Diesel.
pub(crate) fn infer_table(model: &Ident) -> syn::Result<Ident> {
    let mut table = String::new();
    for (place, letter) in model.unraw().to_string().chars().enumerate() {
        if place > 0 && letter.is_uppercase() {
            table.push('_');
        }
        if place == 0 || letter.is_uppercase() {
            table.extend(letter.to_lowercase());
        } else {
            table.push(letter);
        }
    }
    table.push('s');
    identifier(&table, Span::mixed_site().located_at(model.span()))
}
