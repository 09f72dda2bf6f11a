//! Building a set: its keys are merged by table.

use diesel::sqlite::Sqlite;
use diesel_lockset::LockSet;
use divan::{Bencher, black_box};

use crate::tables::{Account, Branch, Teller, Vault, keys};

pub(crate) const KEYS: [i64; 4] = [1, 6, 1_000, 10_000];

#[divan::bench(args = KEYS)]
fn of_one_table(bencher: Bencher<'_, '_>, n: i64) {
    let keys = keys(n);
    bencher.bench(|| LockSet::<Sqlite>::new().ids::<Account>(black_box(&keys).iter().copied()));
}

/// A fourth of the keys for each table, or one.
#[divan::bench(args = KEYS)]
fn of_four_tables(bencher: Bencher<'_, '_>, n: i64) {
    let keys = keys((n / 4).max(1));
    bencher.bench(|| {
        let keys = || black_box(&keys).iter().copied();
        LockSet::<Sqlite>::new().ids::<Account>(keys()).ids::<Teller>(keys()).ids::<Branch>(keys()).ids::<Vault>(keys())
    });
}

/// The same table in turns with another, key by key.
#[divan::bench(args = KEYS)]
fn of_two_tables_in_turns(bencher: Bencher<'_, '_>, n: i64) {
    let keys = keys((n / 2).max(1));
    bencher.bench(|| {
        let both = |set: LockSet<'static, Sqlite>, key: &i64| set.id::<Account>(*key).id::<Teller>(*key);
        black_box(&keys).iter().fold(LockSet::new(), both)
    });
}
