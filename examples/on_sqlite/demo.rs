//! The transfers of `cargo xtask demo` on SQLite, which needs no server: first as plain Diesel makes them, then with `LockSet`.
//!
//! Plain Diesel reads the rows and writes them. Two transactions that have read at the same time cannot both write: SQLite tells one of
//! them that the database is locked, and the program has to run it again. A set waits for its turn before it reads.
//!
//! Run it with `cargo xtask demo --backend sqlite`, or with `cargo run --release -p examples_on_sqlite --example demo_on_sqlite`.

#[path = "../demo/bank.rs"]
mod bank;
#[path = "../demo/story/books.rs"]
mod books;
#[path = "../demo/story/in_one_set.rs"]
mod in_one_set;
#[path = "../shared/mod.rs"]
mod shared;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use clap::Parser;
use diesel::{SqliteConnection as Conn, connection::SimpleConnection, prelude::*};
use diesel_lockset::LockError;
use shared::{Database, Result};

use crate::bank::{Account, Bank, Branch, FEE, Teller, Transfer, accounts, branches, changed, tellers};

/// Moves money between random accounts of a bank in many sessions at once, on SQLite.
#[derive(Debug, Parser)]
#[command(name = "demo_on_sqlite")]
struct Options {
    /// How long each of the two ways runs.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many sessions work at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    sessions: u32,
    /// End standard output with one line of JSON.
    #[arg(long)]
    json: bool,
}

/// As pgbench's.
const TABLES: &str = "
    CREATE TABLE pgbench_branches (bid INTEGER PRIMARY KEY, bbalance INTEGER, filler TEXT);
    CREATE TABLE pgbench_tellers (tid INTEGER PRIMARY KEY, bid INTEGER, tbalance INTEGER, filler TEXT);
    CREATE TABLE pgbench_accounts (aid INTEGER PRIMARY KEY, bid INTEGER, abalance INTEGER, filler TEXT);
    INSERT INTO pgbench_branches VALUES (1, 0, NULL);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10)
        INSERT INTO pgbench_tellers SELECT i, 1, 0, NULL FROM n;
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
        INSERT INTO pgbench_accounts SELECT i, 1, 0, '' FROM n";

fn main() -> ExitCode {
    match demo(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What one way came to.
struct Phase {
    transfers: u64,
    /// Transfers that failed because the database was locked, and were begun again.
    locked: u64,
    per_second: f64,
    money_is_kept: bool,
}

fn demo(options: &Options) -> Result<bool> {
    let database = Database::create("demo")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(TABLES)?;
    let bank = books::open(conn)?;
    eprintln!("the bank is open: {bank}");
    let plain = run(&database, &bank, options, read_and_write)?;
    let lock_set = run(&database, &bank, options, in_one_set::transfer)?;
    println!("{:<14} {:>10} {:>12} {:>22} {:>10}", "", "transfers", "per second", "\"database is locked\"", "money");
    for (name, phase) in [("plain Diesel", &plain), ("LockSet", &lock_set)] {
        let money = if phase.money_is_kept { "kept" } else { "LOST" };
        println!("{name:<14} {:>10} {:>12.0} {:>22} {money:>10}", phase.transfers, phase.per_second, phase.locked);
    }
    if options.json {
        let json = |phase: &Phase| {
            let Phase { transfers, locked, per_second, .. } = phase;
            format!(r#"{{"transfers":{transfers},"locked":{locked},"per_second":{per_second:.1}}}"#)
        };
        println!(r#"{{"backend":"sqlite","plain":{},"lock_set":{}}}"#, json(&plain), json(&lock_set));
    }
    Ok(lock_set.transfers > 0 && lock_set.locked == 0 && plain.money_is_kept && lock_set.money_is_kept)
}

fn run(
    database: &Database,
    bank: &Bank,
    options: &Options,
    transfer: fn(&mut Conn, &Transfer) -> Result<(), LockError>,
) -> Result<Phase> {
    let observer = &mut database.connect()?;
    let before = books::money(observer)?;
    let (transfers, locked, began) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    let is_open = || began.elapsed() < Duration::from_secs(options.seconds.into());
    database.at_once(options.sessions as usize, |session, conn| {
        let mut dice = fastrand::Rng::with_seed(session as u64);
        while is_open() {
            let chosen = bank.random_transfer(&mut dice);
            while let Err(error) = transfer(conn, &chosen) {
                let LockError::Query(diesel::result::Error::DatabaseError(_, told)) = &error else { return Err(error) };
                if told.message() != "database is locked" {
                    return Err(error);
                }
                locked.fetch_add(1, Relaxed);
                if !is_open() {
                    return Ok(());
                }
            }
            transfers.fetch_add(1, Relaxed);
        }
        Ok::<_, LockError>(())
    })?;
    let transfers = transfers.into_inner();
    Ok(Phase {
        transfers,
        locked: locked.into_inner(),
        per_second: transfers as f64 / began.elapsed().as_secs_f64(),
        money_is_kept: books::money(observer)? == before,
    })
}

/// Reads each row when the transfer comes to it, and writes it.
fn read_and_write(conn: &mut Conn, transfer: &Transfer) -> Result<(), LockError> {
    let Transfer { payer, payee, taking, giving, branch, amount } = *transfer;
    conn.transaction(|conn| {
        for (id, change) in [(payer, -(amount + FEE)), (payee, amount)] {
            let mut account: Account = accounts::table.find(id).select(Account::as_select()).first(conn)?;
            account.balance = changed(account.balance, change);
            diesel::update(&account).set(&account).execute(conn)?;
        }
        for (id, change) in [(taking, -amount), (giving, amount)] {
            let mut teller: Teller = tellers::table.find(id).select(Teller::as_select()).first(conn)?;
            teller.balance = changed(teller.balance, change);
            diesel::update(&teller).set(&teller).execute(conn)?;
        }
        let mut branch: Branch = branches::table.find(branch).select(Branch::as_select()).first(conn)?;
        branch.balance = changed(branch.balance, FEE);
        diesel::update(&branch).set(&branch).execute(conn)?;
        Ok(())
    })
}

#[test]
fn demo_on_sqlite() -> Result<()> {
    assert!(demo(&Options { seconds: 1, sessions: 4, json: false })?);
    Ok(())
}
