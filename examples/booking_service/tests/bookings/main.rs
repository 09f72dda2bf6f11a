//! The service as its visitors meet it: a process of its own, with a database of its own, asked over HTTP.

#[path = "../../../shared/mod.rs"]
mod shared;

mod answers;
mod browser;
mod page;
mod rush;
mod server;
mod stop;
