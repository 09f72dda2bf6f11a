//! Names of columns and tables: raw or not, written as an identifier or as a string, or derived from a struct's name.

use proc_macro2::{Ident, Span};
use syn::{
    LitStr,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// The name of a column.
#[derive(Clone)]
pub(crate) struct Column {
    /// The plain name, as Diesel compares it.
    pub(crate) name: String,
    /// The identifier for a path.
    pub(crate) ident: Ident,
    /// The place in the user's code.
    pub(crate) span: Span,
}

impl Column {
    /// Returns the column that a field or `primary_key(..)` names.
    pub(crate) fn of(user: &Ident) -> Self {
        let name = user.unraw().to_string();
        // The span must be one of this expansion. A path of the user's own tokens only is checked by the lint
        // `unused_qualifications`, which warns as soon as the column is imported (`use accounts::dsl::*`).
        let span = Span::mixed_site().located_at(user.span());
        let ident = identifier(&name, span).unwrap_or_else(|_| user.clone());
        Self { name, ident, span: user.span() }
    }

    /// Returns the column that `column_name` names.
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

/// The value of a `column_name`, in the forms that Diesel accepts: `kind`, `r#type`, `"type"`.
pub(crate) enum WrittenColumn {
    Name(Ident),
    Text(LitStr),
}

impl Parse for WrittenColumn {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) { input.parse().map(Self::Text) } else { input.parse().map(Self::Name) }
    }
}

/// Returns `name` as a token, raw if it has to be.
pub(crate) fn identifier(name: &str, span: Span) -> syn::Result<Ident> {
    // `syn` accepts `gen` as a name, but it is a keyword in Rust 2024, the edition of the spans made here.
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

/// Returns the table of a struct without a `table_name`: snake case and an `s`, as in Diesel.
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
