#![deny(unused_must_use)]

include!("../bank.rs");

fn set() {
    accounts::table.for_update_of(accounts::table);
}

fn main() {}
