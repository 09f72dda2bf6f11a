//! Tests of the fallback impl of a model with mistakes, and of the messages. The places of the messages are tested with rustc.

use super::{assert_expansion, expand, sentence};

#[test]
fn no_key_field() {
    assert_expansion!(
        "no_key_field",
        "struct Account {
    number: i64,
}"
    );
}

#[test]
fn several_mistakes() {
    assert_expansion!(
        "several_mistakes",
        "#[diesel(table_name = seats, table_name = places, primary_key(section, number, row))]
struct Seat<'a, T: Copy>
where
    T: 'a,
{
    section: Option<String>,
    number: f64,
    guest: &'a T,
}"
    );
}

#[test]
fn unclear_path_of_the_library() {
    // The path of the trait is unknown then.
    assert_expansion!(
        "unclear_path_of_the_library",
        "#[lockable(crate)]
struct Account {
    id: i64,
}"
    );
}

#[test]
fn what_is_no_item() {
    assert!(expand("fn lock() {}").contains("compile_error!"));
    assert!(expand("").contains("compile_error!"));
}

/// Compares the messages with a snapshot, one for each mistake.
#[test]
fn sentences() {
    let cases = [
        "enum Account { A }",
        "union Account { id: i64 }",
        "struct Account;",
        "struct Account {}",
        "struct Account();",
        "struct Account<T> { id: T }",
        "struct Account<const N: usize> { id: [u8; N] }",
        "struct Account<'a> { id: &'a str }",
        "struct Account { number: i64 }",
        "struct Account(i64);",
        "struct Account { #[diesel(embed)] id: Id }",
        "#[diesel(primary_key(number))] struct Account { id: i64 }",
        "#[diesel(primary_key(number))] struct Account { #[diesel(column_name = id)] number: i64 }",
        "#[diesel(primary_key())] struct Account { id: i64 }",
        "#[diesel(primary_key)] struct Account { id: i64 }",
        "#[diesel(primary_key = id)] struct Account { id: i64 }",
        "#[diesel(primary_key(\"id\"))] struct Account { id: i64 }",
        "#[diesel(primary_key(type))] struct Account { r#type: i64 }",
        "#[diesel(primary_key(id) more)] struct Account { id: i64 }",
        "#[diesel(primary_key(id, id))] struct Account { id: i64 }",
        "#[diesel(primary_key(id), primary_key(id))] struct Account { id: i64 }",
        "#[diesel(primary_key(a, b, c, d, e, f, g, h, i))] struct Account { id: i64 }",
        "#[diesel(table_name)] struct Account { id: i64 }",
        "#[diesel(table_name =)] struct Account { id: i64 }",
        "#[diesel(table_name(accounts))] struct Account { id: i64 }",
        "#[diesel(table_name = \"accounts\")] struct Account { id: i64 }",
        "#[diesel(table_name = accounts<i64>)] struct Account { id: i64 }",
        "#[diesel(table_name = a)] #[diesel(table_name = a)] struct Account { id: i64 }",
        "struct Account { #[diesel(column_name)] id: i64 }",
        "struct Account { #[diesel(column_name = 1)] id: i64 }",
        "struct Account { #[diesel(column_name = \"an id\")] id: i64 }",
        "struct Account { #[diesel(column_name = \"an id\")] number: i64 }",
        "struct Account { #[diesel(column_name = id, column_name = id)] id: i64 }",
        "struct Account { #[diesel(serialize_as)] id: i64 }",
        "struct Account { id: i64, #[diesel(column_name = id)] number: i64 }",
        "struct Account { id: f32 }",
        "struct Account { id: (f64) }",
        "struct Account { id: std::option::Option<i64> }",
        "struct Account { #[diesel(serialize_as = Option<i64>)] id: i64 }",
        "struct Account { #[lockable(key)] id: i64 }",
        "#[lockable] struct Account { id: i64 }",
        "#[lockable = \"locks\"] struct Account { id: i64 }",
        "#[lockable(\"locks\")] struct Account { id: i64 }",
        "#[lockable(table::name)] struct Account { id: i64 }",
        "#[lockable(table = accounts)] struct Account { id: i64 }",
        "#[lockable(crate)] struct Account { id: i64 }",
        "#[lockable(crate = 1)] struct Account { id: i64 }",
        "#[lockable(crate = locks more)] struct Account { id: i64 }",
        "#[lockable(crate = \"\")] struct Account { id: i64 }",
        "#[lockable(crate(locks))] struct Account { id: i64 }",
        "#[lockable(crate = a, crate = b)] struct Account { id: i64 }",
    ];
    let mut told = String::new();
    for case in cases {
        let expansion = expand(case);
        let sentences: Vec<_> = expansion.split("compile_error!").skip(1).filter_map(sentence).collect();
        assert_eq!(sentences.len(), 1, "one mistake, one sentence: {expansion}");
        told.push_str(&format!("{case}\n    {}\n", sentences[0]));
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("sentences", told);
    });
}
