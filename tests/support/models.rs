//! The models of the tests: a struct per table of [`schema`](super::schema), with keys of every kind.

use chrono::{NaiveDate, NaiveDateTime};
use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    prelude::*,
    serialize::{self, Output, ToSql},
    sql_types::Integer,
};
use diesel_lockset::Lockable;
use uuid::Uuid;

use super::schema::{
    accounts, articles, blobs, children, customers, days, docs, events, jobs, odd_order, order_items, orders, parents,
    products, purchases, s1_items, s2_items, seats, small_things, tags, tickets,
};

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, AsChangeset, Lockable)]
#[diesel(table_name = accounts)]
pub(crate) struct Account {
    pub(crate) id: i32,
    pub(crate) owner: String,
    pub(crate) balance: i32,
    pub(crate) v: i32,
}

/// Another struct over the table of [`Account`].
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
pub(crate) struct AccountSummary {
    pub(crate) id: i32,
    pub(crate) balance: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) queue: String,
    pub(crate) status: String,
    pub(crate) priority: i32,
    pub(crate) run_at: NaiveDateTime,
    pub(crate) attempts: i32,
    pub(crate) payload: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
pub(crate) struct Parent {
    pub(crate) id: i32,
    pub(crate) data: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Associations, Lockable)]
#[diesel(table_name = children, belongs_to(Parent))]
pub(crate) struct Child {
    pub(crate) id: i32,
    pub(crate) parent_id: i32,
    pub(crate) note: String,
}

/// A key of two columns.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(section, number))]
pub(crate) struct Seat {
    pub(crate) section: String,
    pub(crate) number: i32,
    pub(crate) holder: Option<String>,
}

/// A key that the server sorts by its collation.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(name))]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) uses: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(uid))]
pub(crate) struct Doc {
    pub(crate) uid: Uuid,
    pub(crate) title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(day))]
pub(crate) struct Day {
    pub(crate) day: NaiveDate,
    pub(crate) note: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(key))]
pub(crate) struct Blob {
    pub(crate) key: Vec<u8>,
    pub(crate) body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
pub(crate) struct SmallThing {
    pub(crate) id: i16,
    pub(crate) name: String,
}

/// A key type of the application's own. Without `Ord` on purpose: the server sorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = Integer)]
pub(crate) struct TicketNumber(pub(crate) i32);

impl<DB: Backend> ToSql<Integer, DB> for TicketNumber
where
    i32: ToSql<Integer, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        self.0.to_sql(out)
    }
}

impl<DB: Backend> FromSql<Integer, DB> for TicketNumber
where
    i32: FromSql<Integer, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        i32::from_sql(bytes).map(Self)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(number))]
pub(crate) struct Ticket {
    pub(crate) number: TicketNumber,
    pub(crate) title: String,
}

/// Table, key and columns are named by words of SQL, the fields are not.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = odd_order, primary_key(number))]
pub(crate) struct OddOrder {
    #[diesel(column_name = number)]
    pub(crate) code: i32,
    #[diesel(column_name = kind)]
    pub(crate) category: String,
    pub(crate) skip: i32,
    #[diesel(column_name = nowait)]
    pub(crate) hurry: i32,
    pub(crate) locked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = s1_items)]
pub(crate) struct S1Item {
    pub(crate) id: i32,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = s2_items)]
pub(crate) struct S2Item {
    pub(crate) id: i32,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
pub(crate) struct Customer {
    pub(crate) id: i64,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Associations, Lockable)]
#[diesel(belongs_to(Customer))]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) customer_id: i64,
    pub(crate) status: String,
    pub(crate) total: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Associations, Lockable)]
#[diesel(belongs_to(Order))]
pub(crate) struct OrderItem {
    pub(crate) id: i64,
    pub(crate) order_id: i64,
    pub(crate) product: String,
    pub(crate) quantity: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) stock: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Associations, Lockable)]
#[diesel(belongs_to(Product))]
pub(crate) struct Purchase {
    pub(crate) id: i64,
    pub(crate) product_id: i64,
    pub(crate) quantity: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
pub(crate) struct Article {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) revision: i32,
}

/// A row of a partitioned table.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(primary_key(id, region))]
pub(crate) struct Event {
    pub(crate) id: i64,
    pub(crate) region: String,
    pub(crate) note: String,
}
