include!("../bank.rs");

use diesel::r2d2::{ConnectionManager, Pool};

fn lock(pool: &mut Pool<ConnectionManager<PgConnection>>, account: &Account) {
    let _ = account.lock(pool);
}

fn main() {}
