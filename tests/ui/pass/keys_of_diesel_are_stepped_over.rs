use std::collections::HashMap;

use diesel::{pg::Pg, prelude::*};
use diesel_lockset::Lockable;

diesel::table! {
    customers (id) {
        id -> BigInt,
    }
}

diesel::table! {
    accounts (id) {
        id -> BigInt,
        customer_id -> BigInt,
        note -> Nullable<Text>,
    }
}

#[derive(Identifiable, Queryable)]
struct Customer {
    id: i64,
}

struct Note(HashMap<String, Option<(i32, i32)>>);

impl From<HashMap<String, Option<(i32, i32)>>> for Note {
    fn from(map: HashMap<String, Option<(i32, i32)>>) -> Self {
        Self(map)
    }
}

#[derive(Selectable, Identifiable, Associations, AsChangeset, Lockable)]
#[diesel(table_name = accounts, treat_none_as_null = true, check_for_backend(Pg))]
#[diesel(belongs_to(Customer, foreign_key = customer_id), primary_key(id),)]
struct Account {
    id: i64,
    customer_id: i64,
    #[diesel(treat_none_as_null = false, column_name = note)]
    remark: Option<String>,
}

#[derive(Lockable)]
#[diesel(base_query = accounts::table.filter(accounts::id.gt(1).and(accounts::id.lt(9))), table_name = accounts)]
#[diesel(base_query_type = HashMap<String, Vec<(i32, i32)>, std::hash::RandomState>, primary_key(id))]
struct Remark {
    #[diesel(deserialize_as = HashMap<String, Option<(i32, i32)>, std::hash::RandomState>, column_name = note)]
    note: Note,
    #[diesel(select_expression = (accounts::id + 1 - 1), select_expression_type = HashMap<u8, u8>)]
    id: i64,
}

fn main() {
    let account = Account { id: 5, customer_id: 1, remark: None };
    assert_eq!((account.lock_key(), account.customer_id, account.remark), (5, 1, None));
    let remark = Remark { id: 6, note: HashMap::new().into() };
    assert_eq!((remark.lock_key(), remark.note.0.len()), (6, 0));
    assert_eq!(Customer { id: 1 }.id, 1);
}
