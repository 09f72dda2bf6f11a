// What the recipes start from: tables, models, and a connection with tables of its own.
#[allow(unused_imports)]
use diesel::prelude::*;
use diesel_lockset::prelude::*;

diesel::table! { accounts (id) { id -> Integer, balance -> Integer, } }
diesel::table! {
    products (id) { id -> Integer, name -> Text, stock -> Integer, }
}
diesel::table! {
    orders (id) { id -> Integer, status -> Text, total -> Integer, }
}
diesel::table! {
    items (id) {
        id -> Integer,
        order_id -> Integer,
        product_id -> Integer,
        quantity -> Integer,
    }
}
diesel::table! { customers (id) { id -> Integer, email -> Text, } }
diesel::table! { counters (name) { name -> Text, value -> BigInt, } }
diesel::table! {
    bookings (id) { id -> Integer, room -> Integer, evening -> Text, }
}
diesel::table! { tenants (id) { id -> Integer, } }
diesel::table! {
    jobs (id) {
        id -> Integer,
        tenant_id -> Integer,
        priority -> Integer,
        status -> Text,
        attempts -> Integer,
        run_at -> Timestamp,
        locked_until -> Nullable<Timestamp>,
        locked_by -> Nullable<Text>,
        last_error -> Nullable<Text>,
    }
}
diesel::table! {
    requests (key) { key -> Text, response -> Nullable<Integer>, }
}
diesel::table! {
    outbox (id) { id -> Integer, topic -> Text, sent -> Bool, }
}
diesel::table! { runs (name, day) { name -> Text, day -> Text, } }
diesel::joinable!(items -> orders (order_id));
diesel::allow_tables_to_appear_in_same_query!(orders, items);
diesel::allow_tables_to_appear_in_same_query!(tenants, jobs);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
struct Account {
    id: i32,
    balance: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    name: String,
    stock: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = orders)]
struct Order {
    id: i32,
    status: String,
    total: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = items)]
struct Item {
    id: i32,
    order_id: i32,
    product_id: i32,
    quantity: i32,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = customers)]
struct Customer {
    id: i32,
    email: String,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = counters, primary_key(name))]
struct Counter {
    name: String,
    value: i64,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = tenants)]
struct Tenant {
    id: i32,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = jobs)]
struct Job {
    id: i32,
    tenant_id: i32,
    attempts: i32,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = requests, primary_key(key))]
struct Request {
    key: String,
    response: Option<i32>,
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = outbox)]
struct Message {
    id: i32,
    topic: String,
}

fn establish() -> PgConnection {
    use diesel::connection::SimpleConnection;
    let url = std::env::var("PG_DATABASE_URL").expect("PG_DATABASE_URL");
    let mut conn = PgConnection::establish(&url).expect("a server");
    conn.batch_execute(
        "CREATE TEMP TABLE accounts (
             id int PRIMARY KEY, balance int NOT NULL);
         CREATE TEMP TABLE products (
             id int PRIMARY KEY, name text NOT NULL,
             stock int NOT NULL CHECK (stock >= 0));
         CREATE TEMP TABLE orders (
             id int PRIMARY KEY, status text NOT NULL, total int NOT NULL);
         CREATE TEMP TABLE items (
             id serial PRIMARY KEY, order_id int NOT NULL REFERENCES orders,
             product_id int NOT NULL REFERENCES products,
             quantity int NOT NULL);
         CREATE TEMP TABLE customers (
             id serial PRIMARY KEY, email text NOT NULL UNIQUE);
         CREATE TEMP TABLE counters (
             name text PRIMARY KEY, value bigint NOT NULL);
         CREATE TEMP TABLE bookings (
             id serial PRIMARY KEY, room int NOT NULL, evening text NOT NULL);
         CREATE TEMP TABLE tenants (id int PRIMARY KEY);
         CREATE TEMP TABLE jobs (
             id serial PRIMARY KEY, tenant_id int NOT NULL DEFAULT 1,
             priority int NOT NULL DEFAULT 0,
             status text NOT NULL DEFAULT 'ready',
             attempts int NOT NULL DEFAULT 0,
             run_at timestamp NOT NULL DEFAULT now(),
             locked_until timestamp, locked_by text, last_error text);
         CREATE TEMP TABLE requests (key text PRIMARY KEY, response int);
         CREATE TEMP TABLE outbox (
             id serial PRIMARY KEY, topic text NOT NULL,
             sent bool NOT NULL DEFAULT false);
         CREATE TEMP TABLE runs (
             name text, day text, PRIMARY KEY (name, day));
         INSERT INTO accounts VALUES (1, 100), (2, 50), (3, 10);
         INSERT INTO products VALUES (1, 'tea', 3), (2, 'cake', 1);
         INSERT INTO orders VALUES (1, 'open', 0), (2, 'open', 0);
         INSERT INTO counters VALUES ('invoice', 41);
         INSERT INTO tenants VALUES (1), (2);
         INSERT INTO jobs (tenant_id, priority) VALUES (1, 0), (2, 5)",
    )
    .expect("the tables");
    conn
}
