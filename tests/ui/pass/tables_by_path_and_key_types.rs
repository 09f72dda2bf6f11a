//! Tables of other modules and schemas, key types with parentheses and with `Self`, a `where` clause.

#![allow(unused_parens)]

use std::marker::PhantomData;

use diesel_lockset::Lockable;

mod schema {
    pub mod odd {
        diesel::table! {
            odd.order_ (key) {
                key -> Text,
            }
        }
    }
}

#[derive(Lockable)]
#[diesel(table_name = crate::schema::odd::order_, primary_key(key))]
struct Order {
    key: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Id<T>(String, PhantomData<fn() -> T>);

/// A key type that names the model itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Lockable)]
#[diesel(table_name = schema::odd::order_, primary_key(key))]
struct Typed {
    key: Id<Self>,
}

mod nested {
    #[derive(super::Lockable)]
    #[diesel(table_name = super::schema::odd::order_)]
    #[diesel(primary_key(key))]
    pub(crate) struct Line
    where
        i64: Copy,
    {
        pub(crate) key: (&'static str),
    }
}

fn main() {
    let key: String = Order { key: "a".to_owned() }.lock_key();
    assert_eq!(key, nested::Line { key: "a" }.lock_key());
    let typed = Typed { key: Id(key, PhantomData) };
    assert_eq!(typed.lock_key(), typed.key);
}
