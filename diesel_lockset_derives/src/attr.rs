//! The parser of `#[lockable(..)]` and of the `#[diesel(..)]` keys about the table and the primary key. It checks no rules.

use proc_macro2::{Ident, Span, TokenTree};
use syn::{
    Attribute, LitStr, Meta, Path, Token, TypePath,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{
    errors::Errors,
    name::{Column, WrittenColumn},
};

const CRATE: &str = "`crate` wants the path of diesel_lockset: `#[lockable(crate = my_path)]`";
const LOCKABLE: &str = "the keys of `#[lockable(..)]` are `name` and `crate`: `#[lockable(name = \"Account\")]`";
const NAME: &str = "`name` wants a text: `#[lockable(name = \"Account\")]`";
const TABLE_NAME: &str = "`table_name` wants the path of a table: `#[diesel(table_name = accounts)]`";
const PRIMARY_KEY: &str = "`primary_key` wants columns in parentheses: `#[diesel(primary_key(section, number))]`";
const COLUMN_NAME: &str = "`column_name` wants a column: `#[diesel(column_name = id)]`";
const SERIALIZE_AS: &str = "`serialize_as` wants a type: `#[diesel(serialize_as = i64)]`";

/// A key of an attribute, with its value. There is no value if it could not be read, which is reported.
pub(crate) struct Item<T> {
    pub(crate) key: Ident,
    pub(crate) value: Option<T>,
}

/// The value of `primary_key(section, number)`.
pub(crate) struct PrimaryKey {
    /// The parentheses with their content.
    pub(crate) span: Span,
    pub(crate) columns: Vec<Column>,
}

/// The attributes of a struct. A key that is repeated is here each time.
#[derive(Default)]
pub(crate) struct StructAttrs {
    pub(crate) table_name: Vec<Item<Path>>,
    pub(crate) primary_key: Vec<Item<PrimaryKey>>,
    pub(crate) crate_path: Vec<Item<Path>>,
    pub(crate) name: Vec<Item<LitStr>>,
    /// True if there is a `#[lockable(..)]` that could not be read.
    pub(crate) lockable_is_unclear: bool,
}

/// The attributes of a field. A key that is repeated is here each time.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) column_name: Vec<Item<Column>>,
    pub(crate) serialize_as: Vec<Item<TypePath>>,
    pub(crate) embed: bool,
}

impl StructAttrs {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for attr in attrs {
            if attr.path().is_ident("lockable") {
                if let Err(error) = read.lockable(attr) {
                    read.lockable_is_unclear = true;
                    errors.push(error);
                }
            }
            each_diesel_key(attr, errors, |key, input| match key.to_string().as_str() {
                "table_name" => {
                    let value = after_eq(input, Path::parse_mod_style, TABLE_NAME, &key);
                    note(&mut read.table_name, key, value)
                }
                "primary_key" => {
                    let value = primary_key(input).map_err(|error| reword(&error, PRIMARY_KEY, &key));
                    note(&mut read.primary_key, key, value)
                }
                _ => Ok(false),
            });
        }
        read
    }

    fn lockable(&mut self, attr: &Attribute) -> syn::Result<()> {
        if !matches!(attr.meta, Meta::List(_)) {
            return Err(syn::Error::new_spanned(&attr.meta, LOCKABLE));
        }
        attr.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                let key = input.call(Ident::parse_any).map_err(|error| syn::Error::new(error.span(), LOCKABLE))?;
                if key == "crate" {
                    let value = after_eq(input, path_or_text, CRATE, &key);
                    note(&mut self.crate_path, key, value)?;
                } else if key == "name" {
                    let value = after_eq(input, |input| input.parse::<LitStr>(), NAME, &key);
                    note(&mut self.name, key, value)?;
                } else {
                    return Err(syn::Error::new(key.span(), LOCKABLE));
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        })
    }
}

impl FieldAttrs {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for attr in attrs {
            if attr.path().is_ident("lockable") {
                errors.under(&attr.meta, "`#[lockable(..)]` belongs on the struct, fields have no such key");
            }
            each_diesel_key(attr, errors, |key, input| match key.to_string().as_str() {
                "column_name" => {
                    let value = after_eq(input, WrittenColumn::parse, COLUMN_NAME, &key).and_then(Column::written);
                    note(&mut read.column_name, key, value)
                }
                "serialize_as" => {
                    let value = after_eq(input, TypePath::parse, SERIALIZE_AS, &key);
                    note(&mut read.serialize_as, key, value)
                }
                "embed" => {
                    read.embed = true;
                    Ok(true)
                }
                _ => Ok(false),
            });
        }
        read
    }
}

/// Stores a key, with its value if that was readable. Returns `true`, for a key that is honoured, or the error.
pub(crate) fn note<T>(said: &mut Vec<Item<T>>, key: Ident, value: syn::Result<T>) -> syn::Result<bool> {
    let (value, outcome) = match value {
        Ok(value) => (Some(value), Ok(true)),
        Err(error) => (None, Err(error)),
    };
    said.push(Item { key, value });
    outcome
}

/// Calls `read` at each key of `#[diesel(..)]`. A key that it does not honour is skipped: Diesel validates it.
///
/// A comma inside of a type (`deserialize_as = Map<K, V>`) looks like the end of a key here. That is harmless: the rest of the type
/// is then skipped like a key that is not honoured.
fn each_diesel_key(
    attr: &Attribute,
    errors: &mut Errors,
    mut read: impl FnMut(Ident, ParseStream<'_>) -> syn::Result<bool>,
) {
    let Meta::List(list) = &attr.meta else { return };
    if !list.path.is_ident("diesel") {
        return;
    }
    let mut reported = false;
    let walked = list.parse_args_with(|input: ParseStream<'_>| {
        while !input.is_empty() {
            if input.peek(Ident::peek_any) {
                let key = input.call(Ident::parse_any)?;
                let error = match read(key, input) {
                    Ok(true) if !input.is_empty() && !input.peek(Token![,]) => Some(input.error("expected `,`")),
                    Ok(_) => None,
                    Err(error) => Some(error),
                };
                reported |= error.is_some();
                error.into_iter().for_each(|error| errors.push(error));
            }
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    });
    // If an error was reported already, `syn` reports another one about the tokens that were not read.
    if let (Err(error), false) = (walked, reported) {
        errors.push(error);
    }
}

pub(crate) fn after_eq<T>(
    input: ParseStream<'_>,
    value: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
    form: &str,
    key: &Ident,
) -> syn::Result<T> {
    let read = input.parse::<Token![=]>().and_then(|_| value(input));
    read.map_err(|error| reword(&error, form, key))
}

/// Replaces the text of an error by `form`, and keeps its place. At the end of the input, the place is the key.
fn reword(error: &syn::Error, form: &str, key: &Ident) -> syn::Error {
    let at_end = error.to_string().starts_with("unexpected end of input");
    syn::Error::new(if at_end { key.span() } else { error.span() }, form)
}

fn primary_key(input: ParseStream<'_>) -> syn::Result<PrimaryKey> {
    let content;
    let parentheses = syn::parenthesized!(content in input);
    let columns = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
    Ok(PrimaryKey { span: parentheses.span.join(), columns: columns.iter().map(Column::of).collect() })
}

pub(crate) fn path_or_text(input: ParseStream<'_>) -> syn::Result<Path> {
    if input.peek(LitStr) {
        input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
    } else {
        Path::parse_mod_style(input)
    }
}
