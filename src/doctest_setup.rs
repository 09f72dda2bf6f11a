// What the examples in the documentation start from: models, a connection with an open transaction, a few rows.
#[allow(unused_imports)]
use diesel::prelude::*;
#[allow(unused_imports)]
use diesel_lockset::prelude::*;

diesel::table! { accounts (id) { id -> Integer, owner -> Text, balance -> Integer, } }
diesel::table! { customers (id) { id -> Integer, name -> Text, } }
diesel::table! { orders (id) { id -> BigInt, customer_id -> Integer, status -> Text, } }
diesel::table! { products (id) { id -> Integer, name -> Text, stock -> Integer, } }
diesel::joinable!(orders -> customers (customer_id));
diesel::allow_tables_to_appear_in_same_query!(accounts, customers, orders, products);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
struct Account {
    id: i32,
    owner: String,
    balance: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = orders)]
struct Order {
    id: i64,
    customer_id: i32,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = products)]
struct Product {
    id: i32,
    name: String,
    stock: i32,
}

#[allow(dead_code)]
fn establish() -> PgConnection {
    use diesel::connection::SimpleConnection;
    let url = std::env::var("PG_DATABASE_URL")
        .expect("no server: run `cargo xtask test`, or set PG_DATABASE_URL to a PostgreSQL server");
    let mut conn = PgConnection::establish(&url).expect("PG_DATABASE_URL names a server that is not there");
    conn.batch_execute(
        "CREATE TEMP TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL);
         CREATE TEMP TABLE customers (id int PRIMARY KEY, name text NOT NULL);
         CREATE TEMP TABLE orders (id bigint PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL);
         CREATE TEMP TABLE products (id int PRIMARY KEY, name text NOT NULL, stock int NOT NULL);
         INSERT INTO accounts VALUES (1, 'Ada', 100), (2, 'Bob', 50), (3, 'Cy', 10);
         INSERT INTO customers VALUES (1, 'Ada'), (2, 'Bob');
         INSERT INTO orders VALUES (1, 1, 'open'), (2, 2, 'open'), (3, 1, 'paid');
         INSERT INTO products VALUES (1, 'tea', 3)",
    )
    .expect("the fixtures are in order");
    conn
}

#[allow(dead_code)]
fn doctest(example: impl FnOnce(&mut PgConnection) -> Result<(), LockError>) {
    establish().test_transaction(example);
}
