//! Eight sessions lock random sets over three tables and change what they got. Beside it, so that the test can fail, the
//! same wishes locked one by one in the order of adding: they deadlock.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};
use fastrand::Rng;

use super::{
    Arena, Driver,
    stale::{account, job, seat},
};
use crate::{
    isolation::crowd,
    support::{
        driver::Session,
        models::{Account, Job, Seat},
        schema::{accounts, jobs, seats},
    },
};

const SESSIONS: usize = 8;
const SETS: usize = 500;

/// Enough for many deadlocks, and each takes a while to be found.
const NAIVE_ROUNDS: usize = 5;

const LIMIT: Duration = Duration::from_secs(120);

type Set = LockSet<'static, <Driver as Session>::Backend>;

/// H03, H05, I11.
#[test]
fn random_sets_never_deadlock_and_the_order_of_adding_does() {
    let arena = Arena::named("stress_naive");
    let naive = crowd::<Driver, _>(&arena, SESSIONS, LIMIT, |number, s| {
        let mut random = Rng::with_seed(number as u64);
        (0..NAIVE_ROUNDS).map(|_| one_by_one(s, &mut random)).collect::<Vec<_>>()
    });
    let naive = Counts::of(naive.into_iter().flatten(), &arena);

    let arena = Arena::named("stress_lock_set");
    let sets = crowd::<Driver, _>(&arena, SESSIONS, LIMIT, |number, s| {
        let mut random = Rng::with_seed(number as u64);
        (0..SETS).map(|_| as_a_set(s, &mut random)).collect::<Vec<_>>()
    });
    let sets = Counts::of(sets.into_iter().flatten(), &arena);

    println!(
        "{SESSIONS} sessions: {} deadlocks in {} transactions in the order of adding, {} deadlocks in {} transactions \
         with LockSet ({} of them asked to be run again)",
        naive.deadlocks, naive.transactions, sets.deadlocks, sets.transactions, sets.moved
    );
    assert_eq!(i64::try_from(naive.deadlocks).unwrap(), naive.counted_by_the_server);
    assert!(naive.deadlocks > 0, "the control shows nothing");
    assert_eq!((sets.deadlocks, sets.counted_by_the_server), (0, 0));
    assert_eq!(sets.transactions, SESSIONS * SETS);
    // Nearly always a set gets what it wants.
    assert!(sets.moved < sets.transactions / 5, "{} of {}", sets.moved, sets.transactions);
}

/// How a number of transactions ended.
struct Counts {
    transactions: usize,
    deadlocks: usize,
    counted_by_the_server: i64,
    moved: usize,
}

impl Counts {
    fn of(ends: impl Iterator<Item = Result<(), LockError>>, arena: &Arena) -> Self {
        let counted_by_the_server = arena.deadlocks();
        let mut counts = Counts { transactions: 0, deadlocks: 0, counted_by_the_server, moved: 0 };
        for end in ends {
            counts.transactions += 1;
            match end {
                Ok(()) => {}
                Err(LockError::Deadlock { .. }) => counts.deadlocks += 1,
                Err(LockError::LimitedRowsChanged { .. }) => counts.moved += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        counts
    }
}

fn as_a_set(s: &mut Driver, random: &mut Rng) -> Result<(), LockError> {
    let wishes = Wish::some(random);
    s.begin().unwrap();
    let locked = s.lock_set(wishes.iter().fold(LockSet::new(), |set, wish| wish.add_to(set)));
    let changed = locked.and_then(|locked| {
        let accounts: Vec<i32> = locked.rows::<Account>().iter().map(|account| account.id).collect();
        let jobs: Vec<i64> = locked.rows::<Job>().iter().map(|job| job.id).collect();
        let seats: Vec<_> = locked.rows::<Seat>().iter().map(|seat| (seat.section.clone(), seat.number)).collect();
        for change in changes(random, &accounts, &jobs, &seats) {
            s.execute(&change)?;
        }
        Ok(())
    });
    end(s, random, changed)
}

fn one_by_one(s: &mut Driver, random: &mut Rng) -> Result<(), LockError> {
    let wishes = Wish::some(random);
    s.begin().unwrap();
    let locked = wishes.iter().try_for_each(|wish| {
        s.execute(&format!("{} FOR UPDATE", wish.sql()))?;
        Ok(())
    });
    end(s, random, locked)
}

/// Half of them think better of it: whoever waits may find that nothing has changed.
fn end(s: &mut Driver, random: &mut Rng, done: Result<(), LockError>) -> Result<(), LockError> {
    if done.is_ok() && random.bool() {
        s.commit().unwrap();
    } else {
        s.rollback().unwrap();
    }
    done
}

/// Statements that change rows, so that what others wait for is not what they will find.
fn changes(random: &mut Rng, accounts: &[i32], jobs: &[i64], seats: &[(String, i32)]) -> Vec<String> {
    let (mut statements, number) = (Vec::new(), random.i32(0..50));
    if let Some(id) = random.choice(accounts) {
        statements.push(format!("UPDATE accounts SET balance = {number}, v = v + 1 WHERE id = {id}"));
    }
    if let Some(id) = random.choice(jobs) {
        let status = random.choice(["NEW", "DONE"]).unwrap();
        statements.push(format!("UPDATE jobs SET status = '{status}', priority = {number} WHERE id = {id}"));
    }
    if let Some((section, number)) = random.choice(seats) {
        let holder = random.choice(["NULL", "'somebody'"]).unwrap();
        let seat = format!("section = '{section}' AND number = {number}");
        statements.push(format!("UPDATE seats SET holder = {holder} WHERE {seat}"));
    }
    statements
}

/// What one call of the builder adds.
#[derive(Debug)]
enum Wish {
    Account(i32),
    Accounts(Vec<i32>),
    Richer(i32),
    Richest(i64),
    Job(i64),
    NewJobs,
    NextJobs(i64),
    Seat(&'static str, i32),
    FreeSeats,
}

impl Wish {
    fn some(random: &mut Rng) -> Vec<Wish> {
        (0..random.usize(2..=5)).map(|_| Self::one(random)).collect()
    }

    fn one(random: &mut Rng) -> Wish {
        match random.u8(0..12) {
            0..=2 => Wish::Account(random.i32(1..=5)),
            3 => Wish::Accounts(random.choose_multiple(1..=5, 3)),
            4 => Wish::Richer(random.i32(0..50)),
            5 => Wish::Richest(random.i64(1..=2)),
            6..=7 => Wish::Job(random.i64(1..=5)),
            8 => Wish::NewJobs,
            9 => Wish::NextJobs(random.i64(1..=2)),
            10 => {
                let (section, number) = random.choice([("A", 1), ("A", 2), ("B", 1), ("B", 2), ("C", 1)]).unwrap();
                Wish::Seat(section, number)
            }
            _ => Wish::FreeSeats,
        }
    }

    fn add_to(&self, set: Set) -> Set {
        match self {
            Wish::Account(id) => set.row(&account(*id)),
            Wish::Accounts(ids) => set.ids::<Account>(ids),
            Wish::Richer(than) => set.query::<Account>(accounts::table.filter(accounts::balance.gt(*than))),
            Wish::Richest(limit) => {
                set.query::<Account>(accounts::table.order((accounts::balance.desc(), accounts::id)).limit(*limit))
            }
            Wish::Job(id) => set.row(&job(*id)),
            Wish::NewJobs => set.query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).into_boxed()),
            Wish::NextJobs(limit) => {
                let new = jobs::table.filter(jobs::status.eq("NEW"));
                set.query::<Job>(new.order((jobs::priority, jobs::id)).limit(*limit))
            }
            Wish::Seat(section, number) => set.row(&seat(section, *number)),
            Wish::FreeSeats => set.query::<Seat>(seats::table.filter(seats::holder.is_null())),
        }
    }

    /// The same, as somebody would write it who thinks of one thing at a time.
    fn sql(&self) -> String {
        match self {
            Wish::Account(id) => format!("SELECT 1 FROM accounts WHERE id = {id}"),
            Wish::Accounts(ids) => {
                let list: Vec<String> = ids.iter().map(i32::to_string).collect();
                format!("SELECT 1 FROM accounts WHERE id IN ({})", list.join(", "))
            }
            Wish::Richer(than) => format!("SELECT 1 FROM accounts WHERE balance > {than}"),
            Wish::Richest(limit) => format!("SELECT 1 FROM accounts ORDER BY balance DESC, id LIMIT {limit}"),
            Wish::Job(id) => format!("SELECT 1 FROM jobs WHERE id = {id}"),
            Wish::NewJobs => "SELECT 1 FROM jobs WHERE status = 'NEW'".to_owned(),
            Wish::NextJobs(limit) => {
                format!("SELECT 1 FROM jobs WHERE status = 'NEW' ORDER BY priority, id LIMIT {limit}")
            }
            Wish::Seat(section, number) => {
                format!("SELECT 1 FROM seats WHERE section = '{section}' AND number = {number}")
            }
            Wish::FreeSeats => "SELECT 1 FROM seats WHERE holder IS NULL".to_owned(),
        }
    }
}
