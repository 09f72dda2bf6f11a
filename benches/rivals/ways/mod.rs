//! The rivals, one file for each library.

mod asynchronous;
mod bare;
mod diesel;
mod django;
mod lockset;
mod pgmq;
mod sea_orm;
mod sqlx;

use std::fmt;

use ::diesel::PgConnection;

use self::django::Django;
use crate::{
    backlog::Backlog,
    operation::Operation,
    shared::Result,
    slice::{Outcome, Slice, in_tasks, in_threads},
    tables,
};

/// One way to do an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Pgbench,
    Diesel,
    DieselAsync,
    Unsorted,
    Lockset,
    LocksetAsync,
    OneName,
    Sqlx,
    SeaOrm,
    Django,
    Pgmq,
}

/// The versions of the libraries, as they were built.
const BUILT: &str = include_str!("../Cargo.lock");

impl Way {
    /// Those that do the operation.
    pub(crate) fn of(operation: Operation) -> &'static [Self] {
        use Way::*;
        match operation {
            Operation::OneRow | Operation::SixRows => {
                &[Diesel, Pgbench, DieselAsync, Lockset, LocksetAsync, Sqlx, SeaOrm, Django]
            }
            Operation::Claim(_) => &[Diesel, Pgbench, DieselAsync, Lockset, LocksetAsync, Sqlx, SeaOrm, Django, Pgmq],
            Operation::Transfer => {
                &[Diesel, Pgbench, DieselAsync, Lockset, LocksetAsync, Unsorted, OneName, Sqlx, SeaOrm, Django]
            }
            Operation::NoTransaction => &[Diesel, Lockset, Sqlx, SeaOrm, Django],
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pgbench => "bare SQL (pgbench)",
            Self::Diesel => "Diesel by hand",
            Self::DieselAsync => "diesel-async by hand",
            Self::Unsorted => "Diesel, order of need",
            Self::Lockset => "this crate",
            Self::LocksetAsync => "this crate, async",
            Self::OneName => "one advisory lock",
            Self::Sqlx => "sqlx by hand",
            Self::SeaOrm => "SeaORM",
            Self::Django => "Django",
            Self::Pgmq => "pgmq",
        })
    }
}

/// The database that all work on, and what is kept between slices.
pub(crate) struct Ground<'a> {
    pub(crate) url: &'a str,
    pub(crate) backlog: Backlog<'a>,
    django: Result<Django, String>,
    pgmq: Result<(), String>,
}

impl<'a> Ground<'a> {
    pub(crate) fn prepare(url: &'a str, backlog: Backlog<'a>) -> Self {
        let django = Django::start().map_err(|error| error.to_string());
        let pgmq = pgmq::install(url).map_err(|error| error.to_string());
        Ground { url, backlog, django, pgmq }
    }

    /// Runs a slice, on this connection string: that of the database, or of a proxy in front of it.
    pub(crate) fn run(&mut self, way: Way, slice: &Slice, url: &str) -> Result<Outcome> {
        match way {
            Way::Pgbench => bare::run(slice, url),
            Way::Diesel => in_threads::<diesel::Sorted>(slice, url),
            Way::DieselAsync => in_tasks::<asynchronous::ByHand>(slice, url),
            Way::Unsorted => in_threads::<diesel::Unsorted>(slice, url),
            Way::Lockset => in_threads::<lockset::Blocking>(slice, url),
            Way::LocksetAsync => in_tasks::<asynchronous::Lockset>(slice, url),
            Way::OneName => in_threads::<lockset::OneName>(slice, url),
            Way::Sqlx => in_tasks::<sqlx::Sqlx>(slice, url),
            Way::SeaOrm => in_tasks::<sea_orm::SeaOrm>(slice, url),
            Way::Pgmq => match &self.pgmq {
                Ok(()) => in_tasks::<pgmq::Pgmq>(slice, url),
                Err(error) => Err(format!("not available: {error}").into()),
            },
            Way::Django => match &mut self.django {
                Ok(django) => django.run(slice, url),
                Err(error) => Err(format!("not available: {error}").into()),
            },
        }
    }

    /// Makes the tables as they should be before a slice, with so many jobs to take.
    pub(crate) fn ready(&self, way: Way, operation: Operation, jobs: u64, conn: &mut PgConnection) -> Result<()> {
        match (operation, way) {
            (Operation::Claim(_), Way::Pgmq) if self.pgmq.is_err() => Ok(()),
            (Operation::Claim(_), Way::Pgmq) => pgmq::ready(jobs, self.backlog.rows, conn),
            (Operation::Claim(_), _) => self.backlog.ready(jobs),
            _ => Ok(tables::reset(conn)?),
        }
    }

    /// Returns what the database says was done, and `None` if it contradicts itself.
    pub(crate) fn done(&self, way: Way, operation: Operation, conn: &mut PgConnection) -> Result<Option<i64>> {
        match (operation, way) {
            (Operation::Claim(_), Way::Pgmq) if self.pgmq.is_err() => Ok(None),
            (Operation::Claim(_), Way::Pgmq) => Ok(Some(pgmq::taken(conn)?)),
            (Operation::Claim(_), _) => Ok(Some(i64::try_from(self.backlog.taken()?)?)),
            _ => tables::done(operation, conn),
        }
    }

    /// Returns the round trips of one call, if the way says it by its statements.
    pub(crate) fn trips_by_statements(way: Way, operation: Operation) -> Option<u32> {
        (way == Way::Pgbench).then(|| bare::trips(operation))
    }

    /// The libraries and their versions.
    pub(crate) fn versions(&self) -> String {
        let built = |name: &str| {
            let found = BUILT
                .split_once(&format!("name = \"{name}\"\nversion = \""))
                .and_then(|(_, rest)| rest.split_once('"'));
            format!("{name} {}", found.map_or("?", |(version, _)| version))
        };
        let libraries = ["diesel", "diesel-async", "sqlx", "sea-orm", "pgmq"].map(built).join(", ");
        match &self.django {
            Ok(django) => format!("{libraries}, Django {}", django.version),
            Err(_) => libraries,
        }
    }
}
