//! Bare SQL: pgbench with statements by hand, prepared.

use std::time::Duration;

use crate::{
    backlog::{NEXT_JOBS, TAKEN},
    operation::{ACCOUNTS, HOT, Operation, TELLERS},
    pgbench,
    shared::Result,
    slice::{Outcome, Slice},
};

/// Makes all calls of the slice, however long they take: its order of the locks knows no deadlock.
pub(crate) fn run(slice: &Slice, url: &str) -> Result<Outcome> {
    let Slice { operation, sessions, calls, .. } = *slice;
    let variables = ["new=new".to_owned(), format!("taken={TAKEN}")];
    let rate = pgbench::run(&script(operation), &variables.each_ref().map(String::as_str), sessions, calls, url)?;
    let calls = u64::from(calls * sessions);
    let seconds = Duration::from_secs_f64(calls as f64 / rate).as_secs_f64();
    Ok(Outcome { calls, seconds, warm: 0, retries: 0 })
}

/// Each statement is a round trip.
pub(crate) fn trips(operation: Operation) -> u32 {
    let statement = |line: &&str| !line.starts_with('\\');
    u32::try_from(script(operation).lines().filter(statement).count()).unwrap_or(u32::MAX)
}

fn script(operation: Operation) -> String {
    match operation {
        Operation::OneRow | Operation::NoTransaction => format!(
            "\\set id random(1, {ACCOUNTS})\nBEGIN;\nSELECT id, balance FROM accounts WHERE id = :id FOR UPDATE \\gset\n\
             UPDATE accounts SET balance = :balance + 1 WHERE id = :id;\nCOMMIT;\n"
        ),
        Operation::SixRows => {
            let keys = |name: &str, keys: i32| {
                let third = keys / 3;
                let key = |part| format!("\\set {name}{part} random({}, {})\n", part * third + 1, (part + 1) * third);
                [0, 1, 2].map(key).concat()
            };
            let lock = |table: &str, name: &str| {
                format!(
                    "SELECT id, balance FROM {table} WHERE id IN (:{name}0, :{name}1, :{name}2) ORDER BY id FOR UPDATE;\n"
                )
            };
            let change = |table: &str, name: &str, change: &str| {
                format!("UPDATE {table} SET balance = balance {change} WHERE id IN (:{name}0, :{name}1, :{name}2);\n")
            };
            [
                keys("a", ACCOUNTS),
                keys("t", TELLERS),
                "BEGIN;\n".to_owned(),
                lock("accounts", "a"),
                lock("tellers", "t"),
                change("accounts", "a", "+ 1"),
                change("tellers", "t", "- 1"),
                "COMMIT;\n".to_owned(),
            ]
            .concat()
        }
        Operation::Claim(n) => format!(
            "UPDATE jobs SET status = :taken WHERE id = ANY(ARRAY(SELECT id {NEXT_JOBS} LIMIT {n} FOR UPDATE SKIP LOCKED)) \
             RETURNING id, status, priority, payload;\n"
        ),
        Operation::Transfer => format!(
            "\\set from random(1, {HOT})\n\\set to 1 + (:from + random(0, {HOT} - 2)) % {HOT}\n\
             BEGIN;\nSELECT sum(balance) FILTER (WHERE id = :from) AS payer, sum(balance) FILTER (WHERE id = :to) AS payee \
             FROM (SELECT id, balance FROM accounts WHERE id IN (:from, :to) ORDER BY id FOR UPDATE) AS locked \\gset\n\
             UPDATE accounts SET balance = :payer - 1 WHERE id = :from;\n\
             UPDATE accounts SET balance = :payee + 1 WHERE id = :to;\n\
             COMMIT;\n"
        ),
    }
}
