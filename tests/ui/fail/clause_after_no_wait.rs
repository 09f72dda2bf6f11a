//! A further clause would forget that the query does not wait.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

diesel::table! { orders (id) { id -> Integer, customer_id -> Integer, } }
diesel::table! { customers (id) { id -> Integer, } }
diesel::joinable!(orders -> customers (customer_id));
diesel::allow_tables_to_appear_in_same_query!(orders, customers);

fn main() {
    let query = orders::table.inner_join(customers::table);
    let _ = query.for_update_of(orders::table).no_wait().for_share_of(customers::table);
}
