//! The struct under the derive, as its attributes and fields. It borrows from the syntax tree; nothing is validated here.

use syn::{Data, DeriveInput, Field, Index, LitStr, Member, Type, TypePath, ext::IdentExt};

use crate::{
    attr::{FieldAttrs, StructAttrs},
    errors::Errors,
    name::Column,
};

/// The item under the derive.
pub(crate) struct Input<'a> {
    pub(crate) item: &'a DeriveInput,
    pub(crate) attrs: StructAttrs,
    /// The fields; empty for an enum or a union.
    pub(crate) fields: Vec<InputField<'a>>,
}

/// One field of the struct.
pub(crate) struct InputField<'a> {
    pub(crate) member: Member,
    pub(crate) ty: &'a Type,
    pub(crate) attrs: FieldAttrs,
    /// The column of the field: `column_name`, else its own name; a field of a tuple struct has none.
    pub(crate) column: Option<Column>,
}

impl<'a> Input<'a> {
    pub(crate) fn read(item: &'a DeriveInput, errors: &mut Errors) -> Self {
        let fields = match &item.data {
            Data::Struct(data) => {
                data.fields.iter().enumerate().map(|(place, field)| InputField::read(place, field, errors)).collect()
            }
            Data::Enum(_) | Data::Union(_) => Vec::new(),
        };
        Self { item, attrs: StructAttrs::read(&item.attrs, errors), fields }
    }
}

impl Input<'_> {
    /// Returns the name of the model: `#[lockable(name = "..")]`, else that of the struct.
    pub(crate) fn model_name(&self) -> String {
        let given = self.attrs.name.first().and_then(|named| named.value.as_ref());
        given.map_or_else(|| self.item.ident.unraw().to_string(), LitStr::value)
    }
}

impl<'a> InputField<'a> {
    fn read(place: usize, field: &'a Field, errors: &mut Errors) -> Self {
        let attrs = FieldAttrs::read(&field.attrs, errors);
        let column = match attrs.column_name.first() {
            Some(named) => named.value.clone(),
            None => field.ident.as_ref().map(Column::of),
        };
        Self {
            member: match &field.ident {
                Some(name) => Member::Named(name.clone()),
                None => Member::Unnamed(Index::from(place)),
            },
            ty: &field.ty,
            attrs,
            column,
        }
    }

    /// Returns the type that the field is converted into for SQL, if it is not the field's own.
    pub(crate) fn serialize_as(&self) -> Option<&TypePath> {
        self.attrs.serialize_as.last().and_then(|named| named.value.as_ref())
    }

    /// True if there is a `column_name` that could not be read.
    pub(crate) fn column_is_unclear(&self) -> bool {
        self.column.is_none() && !self.attrs.column_name.is_empty()
    }

    /// Returns the tokens under which an error about the field is reported.
    pub(crate) fn place(&self) -> &dyn quote::ToTokens {
        match &self.member {
            Member::Named(name) => name,
            Member::Unnamed(_) => self.ty,
        }
    }
}
