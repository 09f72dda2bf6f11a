include!("../bank.rs");

use diesel::{connection::LoadConnection, pg::Pg};

fn works<C: LoadConnection<Backend = Pg>>(conn: &mut C, account: &Account) {
    let _ = account.lock(conn);
}

fn does_not<C: LoadConnection>(conn: &mut C, account: &Account) {
    let _ = account.lock(conn);
}

fn main() {}
