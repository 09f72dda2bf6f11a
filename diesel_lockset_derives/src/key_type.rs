//! The check of a key's type by its name. All other checks are left to the bounds of the library.

use syn::{Type, TypePath};

/// Returns the message for a type whose name shows that it cannot be that of a key.
///
/// The bounds of the library refuse a float as well, but with rustc's own message and more than once.
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

/// Returns the type without parentheses, and without the group that a macro's `$ty:ty` puts around it.
fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}
