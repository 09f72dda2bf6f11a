//! What the demo shows, in Diesel's words for one kind of connection, which the module around this one calls `Conn`.
//!
//! Included once for each kind. The same with a type parameter would be bounds for the most part, and this is to be read.

use super::Conn;

pub(crate) mod books;
pub(crate) mod in_one_set;
pub(crate) mod in_order_of_need;
