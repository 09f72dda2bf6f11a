//! The impl of a model with mistakes. It exists so that the uses of the model cause no further errors.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Path, ext::IdentExt};

/// Reports the errors, and implements the trait with types that are errors themselves.
///
/// rustc reports no further errors about a type that it already reported. An array whose length does not compile
/// is such a type; a type that does not compile itself is not (rustc uses `()` in its place).
pub(crate) fn expand(item: &DeriveInput, errors: &syn::Error, library: Option<&Path>) -> TokenStream {
    let mut errors = errors.clone().into_iter().map(syn::Error::into_compile_error);
    let Some(library) = library else {
        return errors.collect();
    };
    let first = errors.next();
    let name = &item.ident;
    let type_name = name.unraw().to_string();
    let (impl_generics, type_generics, where_clause) = item.generics.split_for_impl();
    let predicates = where_clause.map(|clause| &clause.predicates).into_iter().flatten();
    quote! {
        #(#errors)*
        #[automatically_derived]
        impl #impl_generics #library::Lockable for #name #type_generics
        where
            #(#predicates,)*
            Self: ::core::marker::Send + 'static,
        {
            type Table = [(); #first];
            type Key = <Self as #library::Lockable>::Table;
            type KeyColumns = <Self as #library::Lockable>::Table;
            const TYPE_NAME: &'static ::core::primitive::str = #type_name;
            fn table() -> <Self as #library::Lockable>::Table {
                loop {}
            }
            fn lock_key(&self) -> <Self as #library::Lockable>::Key {
                loop {}
            }
        }
    }
}
