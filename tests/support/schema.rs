//! The tables of `migrations/`, as Diesel sees them.

use diesel::{allow_tables_to_appear_in_same_query, joinable, table};

table! {
    accounts (id) {
        id -> Integer,
        owner -> Text,
        balance -> Integer,
        v -> Integer,
    }
}

table! {
    jobs (id) {
        id -> BigInt,
        queue -> Text,
        status -> Text,
        priority -> Integer,
        run_at -> Timestamp,
        attempts -> Integer,
        payload -> Text,
    }
}

table! {
    parents (id) {
        id -> Integer,
        data -> Text,
    }
}

table! {
    children (id) {
        id -> Integer,
        parent_id -> Integer,
        note -> Text,
    }
}

table! {
    seats (section, number) {
        section -> Text,
        number -> Integer,
        holder -> Nullable<Text>,
    }
}

table! {
    tags (name) {
        #[max_length = 200]
        name -> Varchar,
        uses -> Integer,
    }
}

table! {
    docs (uid) {
        uid -> Uuid,
        title -> Text,
    }
}

table! {
    days (day) {
        day -> Date,
        note -> Text,
    }
}

table! {
    blobs (key) {
        key -> Binary,
        body -> Text,
    }
}

table! {
    small_things (id) {
        id -> SmallInt,
        name -> Text,
    }
}

table! {
    tickets (number) {
        number -> Integer,
        title -> Text,
    }
}

table! {
    #[sql_name = "order"]
    odd_order (number) {
        #[sql_name = "key"]
        number -> Integer,
        #[sql_name = "of"]
        kind -> Text,
        skip -> Integer,
        nowait -> Integer,
        locked -> Bool,
    }
}

table! {
    #[sql_name = "items"]
    s1.s1_items (id) {
        id -> Integer,
        name -> Text,
    }
}

table! {
    #[sql_name = "items"]
    s2.s2_items (id) {
        id -> Integer,
        name -> Text,
    }
}

table! {
    customers (id) {
        id -> BigInt,
        name -> Text,
    }
}

table! {
    orders (id) {
        id -> BigInt,
        customer_id -> BigInt,
        status -> Text,
        total -> Integer,
    }
}

table! {
    order_items (id) {
        id -> BigInt,
        order_id -> BigInt,
        product -> Text,
        quantity -> Integer,
    }
}

table! {
    products (id) {
        id -> BigInt,
        name -> Text,
        stock -> Integer,
    }
}

table! {
    purchases (id) {
        id -> BigInt,
        product_id -> BigInt,
        quantity -> Integer,
    }
}

table! {
    articles (id) {
        id -> BigInt,
        title -> Text,
        body -> Text,
        revision -> Integer,
    }
}

table! {
    events (id, region) {
        id -> BigInt,
        region -> Text,
        note -> Text,
    }
}

joinable!(children -> parents (parent_id));
joinable!(orders -> customers (customer_id));
joinable!(order_items -> orders (order_id));
joinable!(purchases -> products (product_id));

allow_tables_to_appear_in_same_query!(
    accounts,
    jobs,
    parents,
    children,
    seats,
    tags,
    tickets,
    s1_items,
    s2_items,
    customers,
    orders,
    order_items,
    products,
    purchases,
    articles,
    events,
);
