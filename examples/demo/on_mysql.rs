//! MySQL and MariaDB: they have no pgbench, so the same tables are made by hand.

use diesel::{MysqlConnection as Conn, connection::SimpleConnection, dsl::sql, prelude::*, sql_types::BigInt};

use crate::{
    backend::{Backend, MakeTransfer},
    bank::Bank,
    shared::{DatabaseOn, Result},
};

#[path = "story/mod.rs"]
mod story;

/// As pgbench's, with as much in a row.
const TABLES: &str = "
    CREATE TABLE pgbench_branches (bid int NOT NULL PRIMARY KEY, bbalance int, filler char(88));
    CREATE TABLE pgbench_tellers (tid int NOT NULL PRIMARY KEY, bid int, tbalance int, filler char(84));
    CREATE TABLE pgbench_accounts (aid int NOT NULL PRIMARY KEY, bid int, abalance int, filler char(84));
    CREATE TABLE digits (n int NOT NULL PRIMARY KEY);
    INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
    INSERT INTO pgbench_branches VALUES (1, 0, NULL);
    INSERT INTO pgbench_tellers SELECT n + 1, 1, 0, NULL FROM digits;
    INSERT INTO pgbench_accounts
        SELECT 1 + a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n, 1, 0, ''
        FROM digits a, digits b, digits c, digits d, digits e;
    DROP TABLE digits";

impl Backend for Conn {
    const IN_ORDER_OF_NEED: MakeTransfer<Self> = story::in_order_of_need::transfer;
    const IN_ONE_SET: MakeTransfer<Self> = story::in_one_set::transfer;

    fn make_tables(database: &DatabaseOn<Self>) -> Result<()> {
        Ok(database.connect()?.batch_execute(TABLES)?)
    }

    fn open_bank(&mut self) -> QueryResult<Bank> {
        story::books::open(self)
    }

    fn money(&mut self) -> QueryResult<i64> {
        story::books::money(self)
    }

    /// Counted at once, so nobody has to be waited for.
    fn deadlocks(&mut self) -> QueryResult<i64> {
        let counter = "SELECT `count` FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'";
        sql::<BigInt>(counter).get_result(self)
    }

    const COUNTS_DEADLOCKS_BY_DATABASE: bool = false;
}
