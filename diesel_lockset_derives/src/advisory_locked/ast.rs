//! The item under the attribute: a function, its parameters, and its body as tokens.

use proc_macro2::{Group, Ident, TokenStream};
use quote::ToTokens;
use syn::{
    AttrStyle, Attribute, FnArg, Pat, PatType, Receiver, Signature, Token, Type, TypeReference, Visibility,
    parse::{Parse, ParseStream, Parser},
    token,
};

/// The function under the attribute.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// The body, which is not parsed: rustc reports its mistakes. `None` for a method that is only declared.
    pub(crate) body: Option<Group>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut function = Function {
            attrs: input.call(Attribute::parse_outer)?,
            vis: input.parse()?,
            defaultness: input.parse()?,
            sig: input.parse()?,
            body: None,
        };
        if input.peek(token::Brace) {
            let mut body: Group = input.parse()?;
            let (inner, rest) = inner_attributes.parse2(body.stream())?;
            if !inner.is_empty() {
                // Inner attributes apply to the whole function, and are not allowed in the closure that its body becomes.
                function.attrs.extend(inner.into_iter().map(|attr| Attribute { style: AttrStyle::Outer, ..attr }));
                let span = body.span();
                body = Group::new(body.delimiter(), rest);
                body.set_span(span);
            }
            function.body = Some(body);
        } else {
            input.parse::<Token![;]>()?;
        }
        Ok(function)
    }
}

fn inner_attributes(input: ParseStream<'_>) -> syn::Result<(Vec<Attribute>, TokenStream)> {
    Ok((input.call(Attribute::parse_inner)?, input.parse()?))
}

impl Function {
    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.sig.receiver()
    }

    /// Returns the parameters whose type is `&mut ..`.
    pub(crate) fn mutable_references(&self) -> impl Iterator<Item = (usize, &PatType)> {
        self.parameters().filter(|(_, parameter)| {
            matches!(bare(&parameter.ty), Type::Reference(TypeReference { mutability: Some(_), .. }))
        })
    }

    /// Returns all parameters but `self`, each with its index.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (usize, &PatType)> {
        self.sig.inputs.iter().enumerate().filter_map(|(place, input)| match input {
            FnArg::Typed(parameter) => Some((place, parameter)),
            FnArg::Receiver(_) => None,
        })
    }
}

/// Returns the name of a parameter, if its pattern is a plain name.
pub(crate) fn name(parameter: &PatType) -> Option<&Ident> {
    match &*parameter.pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(&pat.ident),
        _ => None,
    }
}

/// Returns a type without parentheses, and without the group that a macro puts around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => bare(&inner.elem),
        Type::Group(inner) => bare(&inner.elem),
        ty => ty,
    }
}

/// Returns whether a type contains an `impl`. It cannot be repeated then.
pub(crate) fn is_opaque(tokens: impl ToTokens) -> bool {
    fn within(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Ident(word) => word == "impl",
            proc_macro2::TokenTree::Group(group) => within(group.stream()),
            _ => false,
        })
    }
    within(tokens.to_token_stream())
}
