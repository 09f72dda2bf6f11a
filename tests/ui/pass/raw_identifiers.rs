use diesel::prelude::*;
use diesel_lockset::Lockable;

diesel::table! {
    types (r#type, r#gen) {
        r#type -> Text,
        r#gen -> Integer,
    }
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(primary_key(r#type, r#gen))]
struct Type {
    r#type: String,
    r#gen: i32,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = types, primary_key(r#type, r#gen))]
struct Kind {
    #[diesel(column_name = "type")]
    kind: String,
    #[diesel(column_name = r#gen)]
    generation: i32,
}

#[allow(non_camel_case_types)]
#[derive(Debug, Lockable)]
#[diesel(table_name = types, primary_key(r#type, r#gen))]
struct r#impl(#[diesel(column_name = "r#type")] String, #[diesel(column_name = r#gen)] i32);

fn main() {
    let key = ("a".to_owned(), 1);
    assert_eq!(Type { r#type: key.0.clone(), r#gen: key.1 }.lock_key(), key);
    assert_eq!(Kind { kind: key.0.clone(), generation: key.1 }.lock_key(), key);
    assert_eq!(r#impl(key.0.clone(), key.1).lock_key(), key);
    assert_eq!(r#impl::TYPE_NAME, "impl");
}
