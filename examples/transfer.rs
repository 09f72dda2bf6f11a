//! Money goes from one account to another, many times at once.
//!
//! Whoever locks the payer first and then the payee deadlocks with the payment in the other direction. A set of the two
//! locks them in the order of their keys, whoever pays whom, so there is nothing to catch and nothing to try again.
//!
//! Run it on SQLite, with nothing but cargo and a C compiler, with
//! `cargo run -p examples_on_sqlite --example transfer_on_sqlite`; on PostgreSQL with
//! `cargo run --features postgres --example transfer`, or on MySQL or MariaDB with
//! `cargo run -p examples_on_mysql --example transfer_on_mysql`; `cargo xtask test -- transfer` runs all three.

mod shared;

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::prelude::*;
use shared::{Conn, Database, Result};

diesel::table! {
    accounts (id) { id -> Integer, owner -> Text, balance -> Integer, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
struct Account {
    id: i32,
    owner: String,
    balance: i32,
}

#[derive(Debug, thiserror::Error)]
enum TransferError {
    #[error("{owner} has {balance} and cannot pay {amount}")]
    InsufficientFunds { owner: String, balance: i32, amount: i32 },
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// What lets `?` follow Diesel's calls. Going through `LockError` keeps the class: a deadlock stays a deadlock.
impl From<diesel::result::Error> for TransferError {
    fn from(error: diesel::result::Error) -> Self {
        LockError::from(error).into()
    }
}

/// Moves money, or refuses. The two accounts say who pays whom; what they hold may be long out of date.
fn transfer(conn: &mut Conn, payer: &Account, payee: &Account, amount: i32) -> Result<(), TransferError> {
    conn.transaction(|conn| {
        let locked = LockSet::new().row(payer).row(payee).lock(conn)?;

        // The balance that counts is the one under the lock.
        let payer = locked.row(payer)?;
        if payer.balance < amount {
            let (owner, balance) = (payer.owner.clone(), payer.balance);
            return Err(TransferError::InsufficientFunds { owner, balance, amount });
        }
        for (account, change) in [(payer, -amount), (locked.row(payee)?, amount)] {
            diesel::update(account).set(accounts::balance.eq(accounts::balance + change)).execute(conn)?;
        }
        Ok(())
    })
}

const SESSIONS: usize = 8;
const TRANSFERS_EACH: usize = 50;

fn main() -> Result<()> {
    let database = Database::create("transfer")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(
        "CREATE TABLE accounts (id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL CHECK (balance >= 0));
         INSERT INTO accounts VALUES (1, 'Ada', 100), (2, 'Bob', 100), (3, 'Cleo', 100), (4, 'Dan', 100)",
    )?;
    let balances = |conn: &mut Conn| -> QueryResult<Vec<i32>> {
        accounts::table.order(accounts::id).select(accounts::balance).load(conn)
    };
    let people: Vec<Account> = accounts::table.order(accounts::id).select(Account::as_select()).load(conn)?;
    let [ada, bob, ..] = &people[..] else { return Err("four accounts were made".into()) };

    transfer(conn, ada, bob, 30)?;
    println!("Ada pays Bob 30: the balances are {:?}", balances(conn)?);
    assert_eq!(balances(conn)?, [70, 130, 100, 100]);

    // `ada` still says 100. Were that believed, this payment would go through.
    match transfer(conn, ada, bob, 80) {
        Err(refusal @ TransferError::InsufficientFunds { .. }) => println!("Ada pays Bob 80: refused, {refusal}"),
        other => return Err(format!("should have been refused for lack of money: {other:?}").into()),
    }
    assert_eq!(balances(conn)?, [70, 130, 100, 100]);

    // Everybody pays everybody at once. Nothing is tried again: a deadlock would be an error here and end the example.
    let refused: Vec<usize> = database.at_once(SESSIONS, |session, conn| {
        let mut dice = fastrand::Rng::with_seed(session as u64);
        let mut refused = 0;
        for _ in 0..TRANSFERS_EACH {
            let payer = dice.usize(..people.len());
            let payee = (payer + dice.usize(1..people.len())) % people.len(); // anybody else
            match transfer(conn, &people[payer], &people[payee], dice.i32(1..60)) {
                Err(TransferError::InsufficientFunds { .. }) => refused += 1,
                other => other?,
            }
        }
        Ok::<_, TransferError>(refused)
    })?;
    let (tried, refused) = (SESSIONS * TRANSFERS_EACH, refused.into_iter().sum::<usize>());
    println!("{SESSIONS} sessions try {tried} transfers: {} done, {refused} refused, no deadlock", tried - refused);

    let balances = balances(conn)?;
    println!("the balances are {balances:?}, together {}", balances.iter().sum::<i32>());
    assert_eq!(balances.iter().sum::<i32>(), 400, "money is neither made nor lost");
    Ok(())
}

#[test]
fn transfer_example() -> Result<()> {
    main()
}
