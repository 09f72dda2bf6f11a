//! What the spelling of a key's type already tells; all else is left to the bounds of the library.

use syn::{Type, TypePath};

/// Why a type can not be that of a key, if its name says so.
///
/// The bounds of the library refuse a float as well, but with rustc's words and more than once.
pub(crate) fn refusal(ty: &Type) -> Option<&'static str> {
    let Type::Path(TypePath { qself: None, path }) = ungrouped(ty) else {
        return None;
    };
    if path.is_ident("f32") || path.is_ident("f64") {
        return Some("a floating point number has no total equality, so it cannot be (part of) a key");
    }
    let last = path.segments.last()?;
    if last.ident == "Option" && !last.arguments.is_empty() {
        return Some("a column of a primary key is never NULL, so its field cannot be an `Option`");
    }
    None
}

/// The type without what a macro's `$ty:ty` or a pair of parentheses puts around it.
fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}
