//! The validation of a method, with one message for each mistake.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{LitStr, PatType, ReturnType, Type, ext::IdentExt};

use super::{
    ast::{Function, bare, name},
    options::Options,
    timeout::Timeout,
};
use crate::{attr::Item, errors::Errors};

/// A valid method, with all that the expansion needs.
pub(crate) struct Method<'a> {
    pub(crate) receiver: &'a syn::Receiver,
    /// The index of the connection among the parameters, and the parameter.
    pub(crate) conn: (usize, &'a PatType),
    pub(crate) output: &'a Type,
    pub(crate) scope: LitStr,
    /// The timeout; `None` for the default.
    pub(crate) timeout: Option<Timeout>,
    pub(crate) shared: bool,
    pub(crate) form: Form,
}

/// The method of the library that runs the body: `hold`, `try_hold` or `hold_session`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Hold,
    Try,
    Session,
}

/// Validates a method. If it returns `None`, it has reported at least one error.
pub(crate) fn check<'a>(function: &'a Function, options: &Options, errors: &mut Errors) -> Option<Method<'a>> {
    check_repeated(options, errors);
    check_kind(function, errors);
    let form = check_form(options, errors);
    let scope = check_scope(function, options, errors);
    let receiver = check_receiver(function, errors);
    let conn = check_conn(function, options, errors);
    let output = check_output(function, errors);
    Some(Method {
        receiver: receiver?,
        conn: conn?,
        output: output?,
        scope: scope?,
        timeout: options.timeout.first().and_then(|item| item.value),
        shared: !options.shared.is_empty(),
        form,
    })
}

fn check_repeated(options: &Options, errors: &mut Errors) {
    fn of<T>(items: &[Item<T>]) -> impl Iterator<Item = &Ident> {
        items.iter().skip(1).map(|item| &item.key)
    }
    let values = of(&options.scope).chain(of(&options.timeout)).chain(of(&options.conn)).chain(of(&options.crate_path));
    let words = [&options.shared, &options.try_, &options.session].into_iter().flat_map(|words| words.iter().skip(1));
    for again in values.chain(words) {
        errors.under(again, format!("`{again}` is already given"));
    }
}

fn check_kind(function: &Function, errors: &mut Errors) {
    let sig = &function.sig;
    if function.body.is_none() {
        errors.under(sig, "a method without a body has nothing to run under the lock: put this where the body is");
    }
    if let Some(const_) = &sig.constness {
        errors.under(const_, "a `const` method has no connection to take the lock over");
    }
    if let Some(unsafe_) = &sig.unsafety {
        errors.under(unsafe_, "an `unsafe` method cannot run under the lock: call it from a safe one that does");
    }
    if let Some(abi) = &sig.abi {
        errors.under(abi, "an `extern` method cannot run under the lock: call one of Rust's own from it");
    }
}

fn check_form(options: &Options, errors: &mut Errors) -> Form {
    match (options.try_.first(), options.session.first()) {
        (Some(try_), Some(_)) => {
            errors.under(try_, "`try` and `session` do not go together: `try` opens a transaction");
            Form::Try
        }
        (Some(_), None) => {
            for item in options.timeout.iter().filter(|item| item.value == Some(Timeout::None)) {
                errors.under(&item.key, "`try` does not wait as long as it takes: leave `timeout` or `try` out");
            }
            Form::Try
        }
        (None, Some(_)) => Form::Session,
        (None, None) => Form::Hold,
    }
}

fn check_scope(function: &Function, options: &Options, errors: &mut Errors) -> Option<LitStr> {
    let Some(item) = options.scope.first() else {
        let method = &function.sig.ident;
        return Some(LitStr::new(&method.unraw().to_string(), Span::mixed_site().located_at(method.span())));
    };
    let scope = item.value.clone()?;
    if scope.value().is_empty() {
        errors.under(&scope, "an empty scope: leave `scope` out to lock by the name of the method");
        return None;
    }
    Some(scope)
}

fn check_receiver<'a>(function: &'a Function, errors: &mut Errors) -> Option<&'a syn::Receiver> {
    let Some(receiver) = function.receiver() else {
        errors.under(
            &function.sig.ident,
            "not a method: the lock is that of `self`, a model. For a lock by name, use `AdvisoryLock::named(..).hold(..)`",
        );
        return None;
    };
    if matches!(bare(&receiver.ty), Type::Reference(_)) {
        return Some(receiver);
    }
    errors.under(receiver, "the lock is that of a model which others may have too: take `&self` or `&mut self`");
    None
}

fn check_conn<'a>(function: &'a Function, options: &Options, errors: &mut Errors) -> Option<(usize, &'a PatType)> {
    if let Some(item) = options.conn.first() {
        let wanted = item.value.as_ref()?;
        let found =
            function.mutable_references().find(|(_, parameter)| is_named(parameter, &wanted.unraw().to_string()));
        if found.is_none() {
            let there = function.parameters().any(|(_, parameter)| is_named(parameter, &wanted.unraw().to_string()));
            let fault = if there { "is not a `&mut ..`, as a connection is" } else { "is no parameter of this method" };
            errors.under(wanted, format!("`{wanted}` {fault}"));
        }
        return found;
    }
    let candidates: Vec<_> = function.mutable_references().collect();
    // A parameter that the body does not use counts too: `_conn`.
    let is_usual =
        |parameter, wanted| name(parameter).is_some_and(|name| name.to_string().trim_start_matches('_') == wanted);
    let usual = |wanted| candidates.iter().find(|(_, parameter)| is_usual(parameter, wanted)).copied();
    match candidates[..] {
        [] => {
            // Reported under the parentheses, where the parameter is missing.
            errors.at(
                function.sig.paren_token.span.join(),
                "no connection: the lock is taken over a parameter such as `conn: &mut PgConnection`",
            );
            None
        }
        [only] => Some(only),
        [first, ..] => usual("conn").or_else(|| usual("connection")).or_else(|| {
            errors.under(
                first.1,
                "more than one `&mut ..`: say which one is the connection with `#[advisory_locked(conn = \"name\")]`",
            );
            None
        }),
    }
}

fn is_named(parameter: &PatType, wanted: &str) -> bool {
    name(parameter).is_some_and(|name| name.unraw() == wanted)
}

/// Returns the return type, unless its name shows that it is no `Result`. A type with any other name may be one.
fn check_output<'a>(function: &'a Function, errors: &mut Errors) -> Option<&'a Type> {
    const SENTENCE: &str = "the lock may not be had: return a `Result` whose error is `LockError`, or one with \
                            `From<LockError>` and `From<diesel::result::Error>`";
    let output = match &function.sig.output {
        ReturnType::Type(_, ty) => &**ty,
        ReturnType::Default => {
            errors.under(&function.sig.ident, SENTENCE);
            return None;
        }
    };
    let is_none = match bare(output) {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| is_well_known(&last.ident)),
        Type::Macro(_) => false,
        _ => true,
    };
    if is_none {
        errors.under(output.to_token_stream(), SENTENCE);
        return None;
    }
    Some(output)
}

/// Returns whether it is the name of a well-known type that is no `Result`.
fn is_well_known(ident: &Ident) -> bool {
    const NAMES: &[&str] = &[
        "bool", "char", "str", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize",
        "f32", "f64", "String", "Vec", "Option", "Box", "Self",
    ];
    NAMES.iter().any(|name| ident == name)
}
