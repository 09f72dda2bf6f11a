//! The validation of a model, with one message for each mistake.

use proc_macro2::{Ident, Span};
use syn::{Data, Fields, GenericParam, Path, Type};

use crate::{
    ast::{Input, InputField},
    attr::{Item, PrimaryKey},
    errors::Errors,
    key_type,
    name::{Column, infer_table},
};

/// The library implements its key traits for tuples up to this length.
const MAX_KEY_COLUMNS: usize = 8;

/// A valid model, with all that the expansion needs.
pub(crate) struct Model<'a> {
    pub(crate) table: Path,
    /// The place in the user's code that names the key.
    pub(crate) key_span: Span,
    pub(crate) key: Vec<KeyField<'a>>,
}

/// One field of the key, in the order of the columns of the key.
pub(crate) struct KeyField<'a> {
    pub(crate) field: &'a InputField<'a>,
    pub(crate) column: Column,
}

/// Validates a struct. If it returns `None`, it has reported at least one error.
pub(crate) fn check<'a>(input: &'a Input<'a>, errors: &mut Errors) -> Option<Model<'a>> {
    check_once(&input.attrs.crate_path, "`crate` is already given: one path of diesel_lockset is enough", errors);
    check_once(&input.attrs.name, "`name` is already given: a model has one name", errors);
    if !is_struct_with_fields(input, errors) {
        return None;
    }
    check_generics(input, errors);
    check_column_names(input, errors);
    let table = check_table(input, errors);
    let wanted = check_primary_key(input, errors)?;
    let key = wanted.columns.iter().filter_map(|column| check_key_field(input, column, errors)).collect();
    Some(Model { table: table?, key_span: wanted.span, key })
}

fn check_once<T>(items: &[Item<T>], sentence: &str, errors: &mut Errors) {
    for again in items.iter().skip(1) {
        errors.under(&again.key, sentence);
    }
}

fn is_struct_with_fields(input: &Input<'_>, errors: &mut Errors) -> bool {
    let sentence = match &input.item.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(_) | Fields::Unnamed(_) if !data.fields.is_empty() => return true,
            _ => "`Lockable` needs a struct with fields: the key of the row is read from them",
        },
        Data::Enum(_) => "`Lockable` is for structs: an enum does not stand for the rows of one table",
        Data::Union(_) => "`Lockable` is for structs: a union cannot be loaded from a row",
    };
    errors.under(&input.item.ident, sentence);
    false
}

fn check_generics(input: &Input<'_>, errors: &mut Errors) {
    let params = &input.item.generics.params;
    if params.is_empty() {
        return;
    }
    let advice = if params.iter().all(|param| matches!(param, GenericParam::Lifetime(_))) {
        "own the data instead of borrowing it"
    } else {
        "name the concrete types, or wrap them in a struct that does"
    };
    errors.under(
        params,
        format!(
            "a lock set stores keys and fresh rows as plain values, so a model must be a concrete, `'static` type: \
             {advice}"
        ),
    );
}

fn check_column_names(input: &Input<'_>, errors: &mut Errors) {
    for field in &input.fields {
        for again in field.attrs.column_name.iter().skip(1) {
            errors.under(&again.key, "`column_name` is already given: a field holds one column");
        }
    }
}

fn check_table(input: &Input<'_>, errors: &mut Errors) -> Option<Path> {
    let mut named = input.attrs.table_name.iter();
    let table = match named.next() {
        Some(item) => item.value.clone(),
        None => infer_table(&input.item.ident).map_err(|error| errors.push(error)).ok().map(Path::from),
    };
    for again in named {
        errors.under(&again.key, "`table_name` is already given: the rows of a model live in one table");
    }
    table
}

/// Returns the columns of the key: those of `primary_key(..)`, or the default one.
fn check_primary_key(input: &Input<'_>, errors: &mut Errors) -> Option<PrimaryKey> {
    let mut named = input.attrs.primary_key.iter();
    let Some(Item { key, value }) = named.next() else {
        return Some(default_key(input));
    };
    for again in named {
        errors.under(&again.key, "`primary_key` is already given: name all columns of the key in one");
    }
    let PrimaryKey { columns, span } = value.as_ref()?;
    if columns.is_empty() {
        errors.under(key, "`primary_key()` names no column, and a row without a key cannot be locked");
        return None;
    }
    if columns.len() > MAX_KEY_COLUMNS {
        errors.under(key, format!("a key of {} columns: at most {MAX_KEY_COLUMNS} are supported", columns.len()));
        return None;
    }
    let mut distinct: Vec<Column> = Vec::new();
    for column in columns {
        if distinct.iter().any(|seen| seen.name == column.name) {
            errors.at(column.span, format!("column `{}` is already part of the key", column.name));
        } else {
            distinct.push(column.clone());
        }
    }
    Some(PrimaryKey { span: *span, columns: distinct })
}

fn default_key(input: &Input<'_>) -> PrimaryKey {
    let fields = &input.fields;
    let of_field = fields.iter().find_map(|field| field.column.as_ref().filter(|column| column.name == "id"));
    let span = of_field.map_or_else(|| input.item.ident.span(), |column| column.span);
    PrimaryKey { span, columns: vec![Column::of(&Ident::new("id", span))] }
}

fn check_key_field<'a>(input: &'a Input<'a>, wanted: &Column, errors: &mut Errors) -> Option<KeyField<'a>> {
    // An embedded field has the columns of its struct; its own name is not one of them.
    let mut holders = input.fields.iter().filter_map(|field| match &field.column {
        Some(column) if column.name == wanted.name && !field.attrs.embed => Some((field, column)),
        _ => None,
    });
    let Some((field, column)) = holders.next() else {
        if !input.fields.iter().any(InputField::column_is_unclear) {
            errors.at(wanted.span, no_such_field(input, &wanted.name));
        }
        return None;
    };
    for (again, _) in holders {
        let sentence = format!("a second field for the key column `{}`: only one can hold the key", wanted.name);
        errors.under(again.place(), sentence);
    }
    check_key_type(field, errors);
    Some(KeyField { field, column: column.clone() })
}

fn no_such_field(input: &Input<'_>, column: &str) -> String {
    let asked = !input.attrs.primary_key.is_empty();
    let mut advice = vec![];
    if !asked {
        advice.push("name the key with `#[diesel(primary_key(..))]`".to_owned());
    }
    advice.push(format!("mark its field with `#[diesel(column_name = {column})]`"));
    let embedded = if input.fields.iter().any(|field| field.attrs.embed) {
        " (fields inside of an `#[diesel(embed)]` cannot be the key)"
    } else {
        ""
    };
    format!("no field holds the key column `{column}`: {}{embedded}", advice.join(", or "))
}

fn check_key_type(field: &InputField<'_>, errors: &mut Errors) {
    let as_another = field.serialize_as().cloned().map(Type::Path);
    let ty = as_another.as_ref().unwrap_or(field.ty);
    if let Some(sentence) = key_type::refusal(ty) {
        errors.under(ty, sentence);
    }
}
