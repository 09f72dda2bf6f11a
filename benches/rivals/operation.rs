//! What is measured: the operations, and the keys that each call works on.

use std::fmt;

use fastrand::Rng;

/// What one call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A transaction that locks one row, computes a new balance out of the row, and writes it.
    OneRow,
    /// A transaction that locks three rows of each of two tables, and changes them by one statement for each table.
    SixRows,
    /// So many jobs, each for one worker alone.
    Claim(u32),
    /// A transaction that moves money between two of few rows.
    Transfer,
    /// One row locked and updated, with the transaction forgotten.
    NoTransaction,
}

/// The keys of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    OneRow(i32),
    SixRows { accounts: [i32; 3], tellers: [i32; 3] },
    Claim(u32),
    Transfer { from: i32, to: i32 },
    NoTransaction(i32),
}

/// How many rows the tables have.
pub(crate) const ACCOUNTS: i32 = 9_000;
pub(crate) const TELLERS: i32 = 900;

/// How many rows the transfers go between.
pub(crate) const HOT: i32 = 8;

impl Operation {
    pub(crate) const ALL: [Self; 7] = [
        Self::OneRow,
        Self::SixRows,
        Self::Claim(1),
        Self::Claim(10),
        Self::Claim(100),
        Self::Transfer,
        Self::NoTransaction,
    ];

    /// How many sessions do it at the same time.
    pub(crate) fn sessions(self) -> &'static [u32] {
        match self {
            Self::OneRow | Self::SixRows => &[1, 8],
            Self::Claim(_) => &[1, 8, 32],
            Self::Transfer => &[16],
            Self::NoTransaction => &[8],
        }
    }

    /// How much one call adds to what the database says was done.
    pub(crate) fn units(self) -> u32 {
        match self {
            Self::Claim(n) => n,
            Self::Transfer => 0,
            Self::OneRow | Self::SixRows | Self::NoTransaction => 1,
        }
    }

    pub(crate) fn draw(self, dice: &mut Rng) -> Work {
        match self {
            Self::OneRow => Work::OneRow(dice.i32(1..=ACCOUNTS)),
            Self::SixRows => Work::SixRows { accounts: three(ACCOUNTS, dice), tellers: three(TELLERS, dice) },
            Self::Claim(n) => Work::Claim(n),
            Self::Transfer => {
                let from = dice.i32(1..=HOT);
                Work::Transfer { from, to: 1 + (from + dice.i32(0..HOT - 1)) % HOT }
            }
            Self::NoTransaction => Work::NoTransaction(1),
        }
    }
}

/// A key out of each third of them, in any order.
fn three(keys: i32, dice: &mut Rng) -> [i32; 3] {
    let third = keys / 3;
    let mut three = [0, 1, 2].map(|part| part * third + dice.i32(1..=third));
    dice.shuffle(&mut three);
    three
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneRow => f.write_str("one row locked and updated"),
            Self::SixRows => f.write_str("3 + 3 rows of two tables locked and updated"),
            Self::Claim(1) => f.write_str("claim of 1 job"),
            Self::Claim(n) => write!(f, "claim of {n} jobs"),
            Self::Transfer => write!(f, "transfers between {HOT} hot rows"),
            Self::NoTransaction => f.write_str("the transaction forgotten"),
        }
    }
}
