//! The grammar of `#[lockable(..)]` and of the `#[diesel(..)]` keys that say which row a model is; no rules.

use proc_macro2::{Ident, Span, TokenTree};
use syn::{
    Attribute, LitStr, Meta, Path, Token, TypePath,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

use crate::{errors::Errors, name::Column};

const CRATE: &str = "`crate` wants the path of diesel_lockset: `#[lockable(crate = my_path)]`";
const LOCKABLE: &str = "the one key of `#[lockable(..)]` is `crate`: `#[lockable(crate = my_path)]`";
const TABLE_NAME: &str = "`table_name` wants the path of a table: `#[diesel(table_name = accounts)]`";
const PRIMARY_KEY: &str = "`primary_key` wants columns in parentheses: `#[diesel(primary_key(section, number))]`";
const COLUMN_NAME: &str = "`column_name` wants a column: `#[diesel(column_name = id)]`";
const SERIALIZE_AS: &str = "`serialize_as` wants a type: `#[diesel(serialize_as = i64)]`";

/// A key of an attribute with its value, and where it stands.
pub(crate) struct Item<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// `primary_key(section, number)`
pub(crate) struct PrimaryKey {
    /// The parentheses with all in them.
    pub(crate) span: Span,
    pub(crate) columns: Vec<Column>,
}

/// What the attributes of a struct say, each as often as it is said.
#[derive(Default)]
pub(crate) struct StructAttrs {
    pub(crate) table_name: Vec<Item<Path>>,
    pub(crate) primary_key: Vec<Item<PrimaryKey>>,
    pub(crate) crate_path: Vec<Item<Path>>,
    /// `#[lockable(..)]` could not be read, so nobody knows the path of the library.
    pub(crate) crate_path_is_unclear: bool,
}

/// What the attributes of a field say, each as often as it is said.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) column_name: Vec<Item<Column>>,
    pub(crate) serialize_as: Option<TypePath>,
    pub(crate) embed: bool,
}

impl StructAttrs {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for attr in attrs {
            if attr.path().is_ident("lockable") {
                if let Err(error) = read.lockable(attr) {
                    read.crate_path_is_unclear = true;
                    errors.push(error);
                }
            }
            each_diesel_key(attr, errors, |key, input| {
                if key == "table_name" {
                    let value = after_eq(input, Path::parse_mod_style, TABLE_NAME, &key)?;
                    read.table_name.push(Item { key, value });
                } else if key == "primary_key" {
                    let value = primary_key(input).map_err(|error| reword(&error, PRIMARY_KEY, &key))?;
                    read.primary_key.push(Item { key, value });
                } else {
                    return Ok(false);
                }
                Ok(true)
            });
        }
        read
    }

    fn lockable(&mut self, attr: &Attribute) -> syn::Result<()> {
        if !matches!(attr.meta, Meta::List(_)) {
            return Err(syn::Error::new_spanned(&attr.meta, LOCKABLE));
        }
        attr.parse_nested_meta(|meta| {
            let Some(key) = meta.path.get_ident().filter(|key| *key == "crate") else {
                return Err(syn::Error::new_spanned(&meta.path, LOCKABLE));
            };
            let value = after_eq(meta.input, path_or_text, CRATE, key)?;
            self.crate_path.push(Item { key: key.clone(), value });
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
            each_diesel_key(attr, errors, |key, input| {
                if key == "column_name" {
                    let value = after_eq(input, Column::parse, COLUMN_NAME, &key)?;
                    read.column_name.push(Item { key, value });
                } else if key == "serialize_as" {
                    read.serialize_as = Some(after_eq(input, TypePath::parse, SERIALIZE_AS, &key)?);
                } else if key == "embed" {
                    read.embed = true;
                } else {
                    return Ok(false);
                }
                Ok(true)
            });
        }
        read
    }
}

/// Calls `read` at each key of `#[diesel(..)]`; what it does not honour is Diesel's to judge and stepped over.
///
/// A comma inside of a type (`deserialize_as = Map<K, V>`) looks like the end of a key here. That is harmless: what
/// follows is then taken for one more key that is not honoured.
fn each_diesel_key(
    attr: &Attribute,
    errors: &mut Errors,
    mut read: impl FnMut(Ident, ParseStream<'_>) -> syn::Result<bool>,
) {
    let Meta::List(list) = &attr.meta else { return };
    if !list.path.is_ident("diesel") {
        return;
    }
    let walked = list.parse_args_with(|input: ParseStream<'_>| {
        while !input.is_empty() {
            if input.peek(Ident::peek_any) {
                let key = input.call(Ident::parse_any)?;
                match read(key, input) {
                    Ok(true) if !input.is_empty() && !input.peek(Token![,]) => {
                        errors.push(input.error("expected `,`"));
                    }
                    Ok(_) => {}
                    Err(error) => errors.push(error),
                }
            }
            while !input.is_empty() && !input.peek(Token![,]) {
                input.parse::<TokenTree>()?;
            }
            input.parse::<Option<Token![,]>>()?;
        }
        Ok(())
    });
    if let Err(error) = walked {
        errors.push(error);
    }
}

fn after_eq<T>(
    input: ParseStream<'_>,
    value: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
    form: &str,
    key: &Ident,
) -> syn::Result<T> {
    let read = || {
        input.parse::<Token![=]>()?;
        value(input)
    };
    read().map_err(|error| reword(&error, form, key))
}

/// The place that `syn` found, the right form as the sentence.
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

fn path_or_text(input: ParseStream<'_>) -> syn::Result<Path> {
    if input.peek(LitStr) {
        input.parse::<LitStr>()?.parse_with(Path::parse_mod_style)
    } else {
        Path::parse_mod_style(input)
    }
}
