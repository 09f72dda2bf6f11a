//! The derive, from tokens to tokens: it reads and validates the struct, and generates the impl of a valid model.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, Path, spanned::Spanned};

use crate::{
    ast::Input,
    check::{self, KeyField, Model},
    errors::Errors,
    fallback,
};

/// Expands the derive.
pub(crate) fn derive(tokens: TokenStream) -> TokenStream {
    let item: DeriveInput = match syn::parse2(tokens) {
        Ok(item) => item,
        Err(error) => return error.into_compile_error(),
    };
    let mut library = None;
    let expanded = Errors::gather(|errors| {
        let input = Input::read(&item, errors);
        let path = library_path(&input);
        let expanded = check::check(&input, errors).zip(path.as_ref());
        let expanded = expanded.map(|(model, path)| expand(&item, &input.model_name(), &model, path));
        library = path;
        expanded
    });
    match expanded {
        Ok(expanded) => expanded.into_token_stream(),
        Err(errors) => fallback::expand(&item, &errors, library.as_ref()),
    }
}

/// Returns the path of the library; `None` if the user gave one that cannot be read.
fn library_path(input: &Input<'_>) -> Option<Path> {
    match input.attrs.crate_path.first() {
        Some(named) => named.value.clone(),
        None if input.attrs.lockable_is_unclear => None,
        None => Some(syn::parse_quote!(::diesel_lockset)),
    }
}

fn expand(item: &DeriveInput, type_name: &str, model: &Model<'_>, library: &Path) -> TokenStream {
    // With a span of this expansion, a deprecated model causes no warning here: only the user's own uses do.
    let mut name = item.ident.clone();
    name.set_span(Span::mixed_site().located_at(name.span()));
    let where_clause = &item.generics.where_clause;
    let table = &model.table;
    let key = key_type(model);
    let key_columns = key_columns(model, library);
    let lock_key = lock_key(model);
    quote! {
        const _: () = {
            fn key_part<K: #library::__private::LockKey>(field: &K) -> K {
                ::core::clone::Clone::clone(field)
            }
            #[automatically_derived]
            impl #library::Lockable for #name #where_clause {
                type Table = #table::table;
                type Key = #key;
                type KeyColumns = #key_columns;
                const TYPE_NAME: &'static ::core::primitive::str = #type_name;
                fn table() -> #table::table {
                    #table::table
                }
                fn lock_key(&self) -> #key {
                    #lock_key
                }
            }
        };
    }
}

fn key_type(model: &Model<'_>) -> TokenStream {
    let types = model.key.iter().map(sql_side);
    match model.key.len() {
        1 => quote! { #(#types)* },
        _ => {
            let span = Span::mixed_site().located_at(model.key_span);
            quote_spanned! {span=> (#(#types),*) }
        }
    }
}

/// Generates `KeyColumns`. A key that is not the primary key is an error of this type, so its span is the place that names the key.
fn key_columns(model: &Model<'_>, library: &Path) -> TokenStream {
    let table = &model.table;
    let columns = model.key.iter().map(|field| {
        let column = &field.column.ident;
        quote! { #table::#column }
    });
    let span = Span::mixed_site().located_at(model.key_span);
    let library = located_at(library, span);
    match model.key.len() {
        1 => quote_spanned! {span=> #library::__private::One<#(#columns)*> },
        _ => quote_spanned! {span=> (#(#columns),*) },
    }
}

fn lock_key(model: &Model<'_>) -> TokenStream {
    let parts = model.key.iter().map(key_part);
    match model.key.len() {
        1 => quote! { #(#parts)* },
        _ => quote! { (#(#parts),*) },
    }
}

/// Generates the copy of one key field: a call with an explicit type, so that rustc points at a type that cannot be a key.
///
/// With a bound in a `where` clause instead, rustc reports a missing supertrait (`Eq`), not that the type is no key.
fn key_part(field: &KeyField<'_>) -> TokenStream {
    let member = &field.field.member;
    let ty = sql_side(field);
    let span = Span::mixed_site().located_at(ty.span());
    let value = match field.field.serialize_as() {
        None => quote! { &self.#member },
        Some(_) => quote! { &::core::convert::Into::<#ty>::into(::core::clone::Clone::clone(&self.#member)) },
    };
    quote_spanned! {span=> key_part::<#ty>(#value) }
}

fn sql_side(field: &KeyField<'_>) -> TokenStream {
    match field.field.serialize_as() {
        Some(ty) => ty.to_token_stream(),
        None => field.field.ty.to_token_stream(),
    }
}

/// Returns the same path with another place for errors. Its names keep their resolution (`$crate`).
fn located_at(path: &Path, span: Span) -> TokenStream {
    let relocated = path.to_token_stream().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(span));
        token
    });
    relocated.collect()
}
