//! Tests of the names of tables and columns.

use proc_macro2::{Ident, Span};
use syn::parse_quote;

use super::expand;
use crate::name::{Column, identifier, infer_table};

#[test]
fn tables_are_inferred_as_diesel_does() {
    let inferred = |name: &str| {
        let name = Ident::new(name, Span::call_site());
        infer_table(&name).map(|table| table.to_string()).ok()
    };
    assert_eq!(inferred("Foo").as_deref(), Some("foos"));
    assert_eq!(inferred("FooBarBaz").as_deref(), Some("foo_bar_bazs"));
    assert_eq!(inferred("HTTPServer").as_deref(), Some("h_t_t_p_servers"));
    assert_eq!(inferred("Category").as_deref(), Some("categorys"));
    assert_eq!(inferred("Snake_Case").as_deref(), Some("snake__cases"));
    assert_eq!(inferred("Ärger").as_deref(), Some("ärgers"));
}

#[test]
fn a_table_may_be_a_keyword() {
    assert_eq!(infer_table(&parse_quote!(A)).map(|table| table.to_string()).ok().as_deref(), Some("r#as"));
    assert_eq!(infer_table(&parse_quote!(r#type)).map(|table| table.to_string()).ok().as_deref(), Some("types"));
}

#[test]
fn names_are_raw_where_they_have_to_be() {
    let spelled = |name| identifier(name, Span::call_site()).map(|ident| ident.to_string()).ok();
    assert_eq!(spelled("id").as_deref(), Some("id"));
    assert_eq!(spelled("type").as_deref(), Some("r#type"));
    assert_eq!(spelled("gen").as_deref(), Some("r#gen"));
    for no_name in ["", "self", "crate", "Self", "super", "_", "a b", "1", "a-b", "r#r#a", "a::b", "\""] {
        assert_eq!(spelled(no_name), None, "{no_name}");
    }
}

#[test]
fn columns_are_compared_without_their_spelling() {
    for written in [parse_quote!("r#type"), parse_quote!("type"), parse_quote!(r#type)] {
        let column = Column::written(written).expect("a column");
        assert_eq!((column.name.as_str(), column.ident.to_string().as_str()), ("type", "r#type"));
    }
}

#[test]
fn a_name_that_is_given_is_that_of_the_model() {
    let expanded =
        expand("#[lockable(name = \"Account\")] #[diesel(table_name = accounts)] struct Renamed { id: i64 }");
    assert!(expanded.contains("const TYPE_NAME: &'static ::core::primitive::str = \"Account\";"), "{expanded}");
    let twice = expand("#[lockable(name = \"A\", name = \"B\")] struct Account { id: i64 }");
    assert!(twice.contains("`name` is already given"), "{twice}");
    let none = expand("#[lockable(name)] struct Account { id: i64 }");
    assert!(none.contains("`name` wants a text"), "{none}");
}
