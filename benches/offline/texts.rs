//! The statements of a set, of a pick and of a claim, written without a connection: the keys are sorted for it, where the client does that.

use diesel::prelude::*;
use diesel_lockset::{ExplainPick, LockError, LockSet, bounds::LockingBackend, explanation::Explanation};
use divan::Bencher;

use crate::tables::{Account, Job, Teller, jobs, keys};

type Explained = Result<Explanation, LockError>;

/// Explains a set of this many keys of two tables.
fn set<DB: LockingBackend>(bencher: Bencher<'_, '_>, n: i64, ids: fn(&[i64]) -> LockSet<'static, DB>) {
    let keys = keys(n);
    bencher.with_inputs(|| ids(&keys)).bench_values(|set| -> Explained { set.explain() });
}

#[diesel::dsl::auto_type]
fn free() -> _ {
    jobs::table.filter(jobs::status.eq("new")).order(jobs::id)
}

macro_rules! texts {
    ($server:ident, $DB:ty) => {
        mod $server {
            use super::*;
            use crate::sets::KEYS;

            #[divan::bench(args = KEYS)]
            fn of_a_set(bencher: Bencher<'_, '_>, n: i64) {
                set::<$DB>(bencher, n, |keys| {
                    LockSet::new().ids::<Account>(keys.to_vec()).ids::<Teller>(keys.to_vec())
                });
            }

            #[divan::bench]
            fn of_a_pick() -> Explained {
                free().explain_pick::<Job, $DB>(1)
            }

            #[divan::bench]
            fn of_a_claim() -> Explained {
                free().explain_claim::<Job, $DB, _>(1, jobs::status.eq("taken"))
            }
        }
    };
}

texts!(sqlite, diesel::sqlite::Sqlite);
#[cfg(feature = "postgres")]
texts!(postgres, diesel::pg::Pg);
#[cfg(feature = "mysql")]
texts!(mysql, diesel::mysql::Mysql);
