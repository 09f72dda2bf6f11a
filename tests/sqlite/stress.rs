//! Many threads and processes move money on one file: none of it is lost, and nobody sees a busy database.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockError, LockSet, LockTransaction, RunLockSet, RunLockTransaction};

use crate::file::{Account, File, Journal, accounts, number};

diesel::table! {
    transfers (id) {
        id -> Integer,
        worker -> Integer,
        number -> Integer,
    }
}

const ACCOUNTS: i32 = 20;
const EACH: i32 = 500;

/// The variables by which a process of this test learns its file, its number, and how many transfers it makes.
const VARIABLES: [&str; 3] = ["LOCKSET_SQLITE_FILE", "LOCKSET_SQLITE_WORKER", "LOCKSET_SQLITE_EACH"];

fn bank(journal: Journal) -> File {
    let file = File::new(journal);
    let accounts: Vec<_> = (1..=ACCOUNTS).map(|id| format!("({id}, 'x', 1000)")).collect();
    let text = format!(
        "DELETE FROM accounts; INSERT INTO accounts VALUES {}; CREATE TABLE transfers (id INTEGER PRIMARY KEY, worker INTEGER \
         NOT NULL, number INTEGER NOT NULL, UNIQUE (worker, number))",
        accounts.join(", ")
    );
    file.connect().batch_execute(&text).unwrap();
    file
}

/// A connection that does not wait for the disk: what is written outlives the process, if not the machine.
fn open(path: &str) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(path).unwrap();
    // The pragma itself reads the file, and must not find it busy.
    conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF; PRAGMA busy_timeout = 0").unwrap();
    conn
}

/// Moves money between two random accounts, and writes down that it did.
fn transfer(conn: &mut SqliteConnection, worker: i32, number: i32) -> Result<(), LockError> {
    let from = fastrand::i32(1..=ACCOUNTS);
    let to = (from + fastrand::i32(1..ACCOUNTS) - 1) % ACCOUNTS + 1;
    LockTransaction::new().run(conn, |conn| {
        let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
        for (id, change) in [(from, -1), (to, 1)] {
            let balance = locked.id::<Account>(id)?.balance + change;
            diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance)).execute(conn)?;
        }
        diesel::insert_into(transfers::table)
            .values((transfers::worker.eq(worker), transfers::number.eq(number)))
            .execute(conn)?;
        Ok(())
    })
}

/// A process that runs [`transfers_of_a_process`] only, on this file.
fn process(file: &File, worker: i32, each: i32) -> Child {
    let values = [file.path(), worker.to_string(), each.to_string()];
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "stress::transfers_of_a_process", "--nocapture"])
        .envs(VARIABLES.into_iter().zip(values))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// As a process of another test it works on that test's file.
#[test]
fn transfers_of_a_process() {
    let [file, worker, each] = VARIABLES.map(|name| env::var(name).ok());
    let own = bank(Journal::Wal);
    let mut conn = open(&file.unwrap_or_else(|| own.path()));
    let parse = |text: Option<String>, default| text.map_or(default, |text| text.parse().unwrap());
    let worker = parse(worker, 0);
    for number in 0..parse(each, 10) {
        transfer(&mut conn, worker, number).unwrap();
        println!("\ncommitted {number}");
    }
}

fn money_is_conserved(file: &File) {
    let conn = &mut file.connect();
    assert_eq!(number(conn, "SELECT sum(balance) FROM accounts"), i64::from(ACCOUNTS) * 1000);
    assert_eq!(number(conn, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

/// S02, T02.
#[test]
fn eight_threads_and_four_processes_lose_no_money() {
    for journal in [Journal::Wal, Journal::Rollback] {
        let (file, began) = (bank(journal), Instant::now());
        let processes: Vec<_> = (100..104).map(|worker| process(&file, worker, EACH)).collect();
        thread::scope(|scope| {
            for worker in 0..8 {
                let mut conn = open(&file.path());
                scope.spawn(move || (0..EACH).for_each(|number| transfer(&mut conn, worker, number).unwrap()));
            }
        });
        for process in processes {
            assert!(process.wait_with_output().unwrap().status.success());
        }
        money_is_conserved(&file);
        assert_eq!(number(&mut file.connect(), "SELECT count(*) FROM transfers"), 12 * i64::from(EACH));
        eprintln!("{journal:?}: 8 threads and 4 processes, {EACH} transfers each, in {:?}", began.elapsed());
    }
}

#[test]
fn what_a_killed_process_has_committed_is_there() {
    for journal in [Journal::Wal, Journal::Rollback] {
        let file = bank(journal);
        let mut killed = Vec::new();
        for round in 0..3 {
            let mut processes: Vec<_> =
                (0..4).map(|i| (round * 4 + i, process(&file, round * 4 + i, 100_000))).collect();
            for (worker, process) in &mut processes {
                let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
                let mut committed = lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<i32>().ok());
                let last = committed.by_ref().find(|number| *number >= 20).unwrap();
                process.kill().unwrap();
                // What it has said before it died.
                killed.push((*worker, committed.last().unwrap_or(last)));
                process.wait().unwrap();
            }
        }
        money_is_conserved(&file);
        let conn = &mut file.connect();
        for (worker, last) in &killed {
            let count = number(conn, &format!("SELECT count(*) FROM transfers WHERE worker = {worker}"));
            // One more may be committed whose message did not come out.
            assert!((i64::from(*last) + 1..=i64::from(*last) + 2).contains(&count), "{worker}: {last} and {count}");
        }
        // The file is free.
        transfer(conn, 1_000, 0).unwrap();
        eprintln!("{journal:?}: {} processes killed", killed.len());
    }
}
