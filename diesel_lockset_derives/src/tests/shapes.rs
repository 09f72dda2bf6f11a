//! Tests of the shapes that a model may have.

use super::{assert_expansion, expand};

#[test]
fn single_key() {
    assert_expansion!(
        "single_key",
        "#[diesel(table_name = accounts)]
struct Account {
    id: i64,
    balance: i64,
}"
    );
}

#[test]
fn composite_key() {
    assert_expansion!(
        "composite_key",
        "#[diesel(table_name = crate::schema::seats, primary_key(section, number))]
pub struct Seat {
    number: i32,
    guest: Option<String>,
    section: String,
}"
    );
}

#[test]
fn inferred_table() {
    assert_expansion!(
        "inferred_table",
        "struct OrderLine {
    id: uuid::Uuid,
}"
    );
}

#[test]
fn renamed_column() {
    assert_expansion!(
        "renamed_column",
        "#[diesel(table_name = accounts)]
#[diesel(primary_key(number))]
struct Account {
    #[diesel(column_name = number)]
    id: i64,
    #[diesel(column_name = id)]
    number: i64,
}"
    );
}

#[test]
fn raw_identifiers() {
    assert_expansion!(
        "raw_identifiers",
        r#"#[diesel(table_name = r#mod::types, primary_key(r#type, r#gen, r#fn))]
struct r#struct {
    r#type: String,
    #[diesel(column_name = "gen")]
    generation: i32,
    #[diesel(column_name = "r#fn")]
    function: i32,
}"#
    );
}

#[test]
fn tuple_struct() {
    assert_expansion!(
        "tuple_struct",
        "#[diesel(table_name = accounts)]
struct Account(String, #[diesel(column_name = id)] i64);"
    );
}

#[test]
fn key_serialized_as_another_type() {
    assert_expansion!(
        "key_serialized_as_another_type",
        "#[diesel(table_name = seats, primary_key(section, number))]
struct Seat {
    #[diesel(serialize_as = String, deserialize_as = Map<String, Vec<u8>>)]
    section: Section,
    number: i32,
}"
    );
}

#[test]
fn crate_path() {
    assert_expansion!(
        "crate_path",
        "#[diesel(table_name = accounts)]
#[lockable(crate = locks)]
struct Account {
    id: i64,
}"
    );
}

#[test]
fn where_clause() {
    assert_expansion!(
        "where_clause",
        "#[diesel(table_name = accounts)]
struct Account
where
    i64: Copy,
{
    id: i64,
}"
    );
}

#[test]
fn nothing_names_the_library_but_the_given_path() {
    for path in ["locks", "crate::vendor::locks", "\"crate::vendor::locks\"", "crate", "::locks"] {
        for key in ["id: i64", "number: i64", "id: Option<i64>"] {
            let expansion = expand(&format!("#[lockable(crate = {path})] struct Account {{ {key} }}"));
            assert!(!expansion.contains("diesel_lockset"), "{expansion}");
        }
    }
}

#[test]
fn keys_of_diesel_are_stepped_over() {
    let plain = expand("#[diesel(table_name = accounts, primary_key(number))] struct Account { number: i64 }");
    let busy = expand(
        "#[diesel(aggregate, treat_none_as_null = true, belongs_to(Customer, foreign_key = customer_id),)]
        #[diesel(check_for_backend(diesel::pg::Pg, diesel::mysql::Mysql), table_name = accounts)]
        #[diesel(base_query = accounts::table.filter(a::b.lt(1).and(f(x, y))), primary_key(number), future::key!(, ,))]
        #[diesel(base_query_type = Filter<accounts::table, Lt<accounts::b, fn(u8, u8) -> u8>>, sqlite_type(name = \"\"))]
        #[diesel]
        #[diesel = \"text\"]
        #[doc = \"text\"]
        #[other(table_name = b, primary_key())]
        struct Account {
            #[diesel(embed, deserialize_as = Map<K, V>, treat_none_as_default_value = false)]
            #[diesel(select_expression = (accounts::a, 1 < 2), select_expression_type = (A, Nullable<B, C>))]
            rest: Rest,
            #[diesel(skip_insertion, deserialize_as = Map<K, V>)]
            number: i64,
        }",
    );
    assert_eq!(plain, busy);
}
