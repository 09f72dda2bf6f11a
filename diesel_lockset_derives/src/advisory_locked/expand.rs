//! The attribute, from tokens to tokens: it reads and validates the method, and generates it anew with its body in a closure.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    FnArg, GenericArgument, PatType, Path, PathArguments, Type, parse_quote, parse_quote_spanned, spanned::Spanned,
};

use super::{
    ast::{Function, bare, is_opaque, name},
    check::{self, Form, Method},
    options::Options,
};
use crate::errors::Errors;

/// Expands the attribute. An item with a mistake is left unchanged, so that its uses cause no further errors.
pub(crate) fn attribute(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = Errors::gather(|errors| {
        let options = Options::read(options, errors);
        let Ok(function) = syn::parse2::<Function>(item.clone()) else {
            errors.under(&item, "`#[advisory_locked]` belongs on a method of a model");
            return None;
        };
        check::check(&function, &options, errors).map(|method| expand(&function, &method, &library_path(&options)))
    });
    match expanded {
        Ok(expanded) => expanded.into_token_stream(),
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote! { #errors #item }
        }
    }
}

/// Returns the path of the library. If the user gave one that cannot be read, that is an error, and the result is not used.
fn library_path(options: &Options) -> Path {
    let named = options.crate_path.first().and_then(|item| item.value.clone());
    named.unwrap_or_else(|| {
        let span = Span::mixed_site();
        parse_quote_spanned! {span=> ::diesel_lockset }
    })
}

fn expand(function: &Function, method: &Method<'_>, library: &Path) -> TokenStream {
    let Function { attrs, vis, defaultness, body, .. } = function;
    let (place, conn) = method.conn;
    // Outside of the closure the connection has a name that the body cannot see. The user's pattern (`mut`, `_`, an attribute) applies
    // to the body only.
    let outside = outside_name(conn);
    let mut sig = function.sig.clone();
    if let Some(FnArg::Typed(parameter)) = sig.inputs.get_mut(place) {
        *parameter.pat = parse_quote! { #outside };
    }
    let (conn_attrs, pattern) = (&conn.attrs, &conn.pat);

    let lock = lock(method, library);
    let site = Span::mixed_site();
    let verb = match method.form {
        Form::Hold => quote_spanned! {site=> hold },
        Form::Try => quote_spanned! {site=> try_hold },
        Form::Session => quote_spanned! {site=> hold_session },
    };
    let (async_, module, wait) = match &sig.asyncness {
        Some(async_) => {
            (Some(async_), Some(quote_spanned! {site=> nonblocking:: }), Some(quote_spanned! {site=> .await }))
        }
        None => (None, None, None),
    };
    // The error type is explicit so that rustc points at it if it lacks a `From`.
    let types = error_type(method.output).map(|error| match async_ {
        Some(_) => quote_spanned! {site=> ::<_, _, #error, _> },
        None => quote_spanned! {site=> ::<_, _, #error> },
    });
    let output = closure_output(method.output);
    let call = quote_spanned! {site=>
        #library::#module RunAdvisoryLock::#verb #types
            (#lock, #outside, #async_ |#(#conn_attrs)* #pattern| -> #output #body) #wait
    };
    let call = match method.form {
        // `None` is the result of the body, or another session held the lock.
        Form::Try => quote_spanned! {site=> ::core::result::Result::map(#call, ::core::option::Option::flatten) },
        Form::Hold | Form::Session => call,
    };
    quote_spanned! {site=>
        #(#attrs)*
        #vis #defaultness #sig {
            #call
        }
    }
}

fn lock(method: &Method<'_>, library: &Path) -> TokenStream {
    let site = Span::mixed_site();
    let (self_, scope) = (method.receiver.self_token, &method.scope);
    let mut lock = quote_spanned! {site=> #library::AdvisoryLock::scope(#library::AdvisoryLock::on(#self_), #scope) };
    let timeout = match (method.timeout, method.form) {
        (Some(timeout), _) => timeout.duration(site),
        (None, Form::Try) => None,
        (None, Form::Hold | Form::Session) => Some(quote_spanned! {site=> #library::AdvisoryLock::DEFAULT_TIMEOUT }),
    };
    if let Some(timeout) = timeout {
        lock = quote_spanned! {site=> #library::AdvisoryLock::timeout(#lock, #timeout) };
    }
    if method.shared {
        lock = quote_spanned! {site=> #library::AdvisoryLock::shared(#lock) };
    }
    lock
}

/// Returns the name of the connection in the signature, which the documentation shows.
fn outside_name(conn: &PatType) -> Ident {
    let span = Span::mixed_site().located_at(conn.pat.span());
    match name(conn) {
        Some(name) if !name.to_string().starts_with('_') => {
            let mut name = name.clone();
            name.set_span(span);
            name
        }
        _ => Ident::new("conn", span),
    }
}

/// Returns the error type, if the return type names it.
fn error_type(output: &Type) -> Option<&Type> {
    let Type::Path(path) = bare(output) else { return None };
    // The parameters of an alias with another name are unknown.
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
    let mut arguments = list.args.iter();
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(_), Some(GenericArgument::Type(error)), None) if !is_opaque(error) => Some(error),
        _ => None,
    }
}

/// Returns the return type of the closure, so that `?` in the body has its error type. An `impl Trait` in it is left for rustc to infer.
fn closure_output(output: &Type) -> Type {
    let mut output = bare(output).clone();
    if let Type::Path(path) = &mut output {
        if let Some(PathArguments::AngleBracketed(list)) = path.path.segments.last_mut().map(|last| &mut last.arguments)
        {
            for argument in &mut list.args {
                if matches!(argument, GenericArgument::Type(ty) if is_opaque(&*ty)) {
                    *argument = GenericArgument::Type(parse_quote! { _ });
                }
            }
        }
    }
    output
}
