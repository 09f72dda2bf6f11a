//! For the table of `cargo xtask test --matrix`, which runs this one test by its name and reads what it prints.

use crate::support::{postgres::Postgres, server::Server};

#[test]
fn the_server_tells_it() {
    let conn = &mut Postgres::connect(&Postgres::url());
    let version = Postgres::text(conn, "SELECT current_setting('server_version')").unwrap().unwrap();
    println!("version: {version}");
}
