//! For the table of `cargo xtask test --matrix`, which runs this one test by its name and reads what it prints.

use crate::support::{mysql::MysqlFamily, server::Server};

#[test]
fn the_server_tells_it() {
    let conn = &mut MysqlFamily::connect(&MysqlFamily::url());
    let version = MysqlFamily::text(conn, "SELECT version()").unwrap().unwrap();
    println!("version: {version}");
}
