//! Keys of every type: each is locked by instance, by key, in a set and by a query, and named when it is missing.

use std::fmt::Debug;

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, LockTarget, bounds::RowQuery};

use super::{Arena, Driver, quoted};
use crate::support::{
    driver::Session,
    models::{Account, Blob, Day, Event, Job, OddOrder, Seat, SmallThing, Tag, Ticket, TicketNumber},
    probe::Held,
    schema::{accounts, blobs, days, events, jobs, odd_order, seats, small_things, tags, tickets},
};

type Backend = <Driver as Session>::Backend;

/// A row of the fixtures, and one that is not there.
pub(crate) struct Case<'c, T> {
    /// Table and condition, as SQL.
    pub(crate) row: (&'c str, &'c str),
    /// The row as somebody made it up: only its key is right.
    pub(crate) stale: T,
    /// A field that tells the row of the table from `stale`.
    pub(crate) field: fn(&T) -> &str,
    pub(crate) fresh: &'static str,
    pub(crate) missing: T,
    /// How the missing row is named in a message.
    pub(crate) named: &'static str,
}

impl<T> Case<'_, T>
where
    T: LockTarget<Backend> + Debug,
{
    #[track_caller]
    pub(crate) fn holds<Q>(self, query: impl Fn() -> Q)
    where
        Q: RowQuery<'static, T, Backend>,
    {
        let arena = Arena::new();
        let mut session = Driver::connect(arena.url());
        let key = self.stale.lock_key();
        type Lock<'l, T> = &'l dyn Fn(&mut Driver) -> Result<T, LockError>;
        let ways: [(&str, Lock<'_, T>); 5] = [
            ("instance", &|s| s.lock(&self.stale)),
            ("key", &|s| s.lock_by_id::<T>(&key)),
            ("set", &|s| s.lock_set(LockSet::new().row(&self.stale))?.take_row(&self.stale)),
            ("set of keys", &|s| s.lock_set(LockSet::new().ids::<T>([&key, &key]))?.take_id::<T>(&key)),
            ("query", &|s| s.lock_set(LockSet::new().query::<T>(query()))?.take_id::<T>(&key)),
        ];
        for (way, lock) in ways {
            session.begin().unwrap();
            let row = lock(&mut session).unwrap_or_else(|error| panic!("{way}: {error:?}"));
            assert_eq!((self.field)(&row), self.fresh, "{way}");
            assert_eq!(row.lock_key(), key, "{way}");
            assert_eq!(arena.probe(self.row.0, self.row.1), Held::Held, "{way}");
            session.rollback().unwrap();
            assert_eq!(arena.probe(self.row.0, self.row.1), Held::Free, "{way}");
        }
        self.is_named_when_missing(&mut session);
    }

    #[track_caller]
    fn is_named_when_missing(&self, session: &mut Driver) {
        session.begin().unwrap();
        let set = LockSet::new().row(&self.stale).row(&self.missing);
        let error = session.lock_set(set).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{} does not exist", self.named)), "{error}");
        let LockError::Missing { rows } = error else { panic!("{error:?}") };
        assert_eq!(rows[0].type_name(), T::TYPE_NAME);
        assert_eq!(rows[0].key().get::<T::Key>(), Some(&self.missing.lock_key()));
        assert_eq!(rows[0].key().get::<std::convert::Infallible>(), None);
        session.rollback().unwrap();
    }
}

/// R01, R07.
#[test]
fn integers_of_32_bits() {
    let row = |id| Account { id, owner: "nobody".into(), balance: 0, v: 0 };
    let case = Case {
        row: ("accounts", "id = 3"),
        stale: row(3),
        field: |row| &row.owner,
        fresh: "cleo",
        missing: row(i32::MIN),
        named: "Account -2147483648",
    };
    case.holds(|| accounts::table.find(3));
}

/// R07.
#[test]
fn integers_of_64_bits() {
    let row = |id| Job {
        id,
        queue: String::new(),
        status: String::new(),
        priority: 0,
        run_at: chrono::DateTime::UNIX_EPOCH.naive_utc(),
        attempts: 0,
        payload: String::new(),
    };
    let case = Case {
        row: ("jobs", "id = 2"),
        stale: row(2),
        field: |row| &row.payload,
        fresh: "to ben",
        missing: row(i64::MAX),
        named: "Job 9223372036854775807",
    };
    case.holds(|| jobs::table.filter(jobs::payload.eq("to ben")));
}

/// R07.
#[test]
fn integers_of_16_bits() {
    let row = |id| SmallThing { id, name: String::new() };
    let case = Case {
        row: ("small_things", "id = 32767"),
        stale: row(i16::MAX),
        field: |row| &row.name,
        fresh: "largest",
        missing: row(i16::MIN),
        named: "SmallThing -32768",
    };
    case.holds(|| small_things::table.filter(small_things::id.gt(100)));
}

/// R07.
#[test]
fn texts() {
    let row = |name: &str| Tag { name: name.into(), uses: -1 };
    for (name, condition) in [("it's", "name = 'it''s'"), ("", "name = ''"), ("Äpfel", "name = 'Äpfel'")] {
        let case = Case {
            row: ("tags", condition),
            stale: row(name),
            field: |row| if row.uses == 0 { "fresh" } else { "stale" },
            fresh: "fresh",
            missing: row("no such \"tag\" \\"),
            named: r#"Tag "no such \"tag\" \\""#,
        };
        case.holds(move || tags::table.filter(tags::name.eq(name)));
    }
}

/// R07.
#[test]
fn bytes() {
    let row = |key: &[u8]| Blob { key: key.into(), body: String::new() };
    for (key, condition, body) in
        [(&[0, 255][..], "body = 'zero byte first'", "zero byte first"), (&[], "body = 'empty key'", "empty key")]
    {
        let case = Case {
            row: ("blobs", condition),
            stale: row(key),
            field: |row| &row.body,
            fresh: body,
            missing: row(&[1, 2, 3]),
            named: "Blob [1, 2, 3]",
        };
        case.holds(move || blobs::table.filter(blobs::body.eq(body)));
    }
}

/// R07.
#[test]
fn dates() {
    let row = |date: &str| Day { day: date.parse::<NaiveDate>().unwrap(), note: String::new() };
    let case = Case {
        row: ("days", "day = '1969-12-31'"),
        stale: row("1969-12-31"),
        field: |row| &row.note,
        fresh: "before the epoch",
        missing: row("2024-02-29"),
        named: "Day 2024-02-29",
    };
    case.holds(|| days::table.filter(days::note.like("before%")));
}

/// R07.
#[test]
fn a_type_of_the_application() {
    let row = |number| Ticket { number: TicketNumber(number), title: String::new() };
    let case = Case {
        row: ("tickets", "number = 102"),
        stale: row(102),
        field: |row| &row.title,
        fresh: "broken lamp",
        missing: row(7),
        named: "Ticket TicketNumber(7)",
    };
    case.holds(|| tickets::table.filter(tickets::number.eq(TicketNumber(102))));
}

/// R02.
#[test]
fn several_columns() {
    let row = |section: &str, number| Seat { section: section.into(), number, holder: Some("somebody".into()) };
    let case = Case {
        row: ("seats", "(section, number) = ('B', 1)"),
        stale: row("B", 1),
        field: |row| row.holder.as_deref().unwrap_or("nobody"),
        fresh: "nobody",
        missing: row("C", 2),
        named: r#"Seat ("C", 2)"#,
    };
    case.holds(|| seats::table.find(("B", 1)));
}

/// R02.
#[test]
fn several_columns_of_a_table_in_parts() {
    let row = |id, region: &str| Event { id, region: region.into(), note: "stale".into() };
    let case = Case {
        row: ("events", "(id, region) = (1, 'north')"),
        stale: row(1, "north"),
        field: |row| &row.note,
        fresh: "",
        missing: row(3, "north"),
        named: r#"Event (3, "north")"#,
    };
    case.holds(|| events::table.filter(events::region.eq("north")).filter(events::id.eq(1)));
}

/// R03.
#[test]
fn names_given_by_attributes_that_need_quoting() {
    let row = |code| OddOrder { code, category: String::new(), skip: 1, hurry: 1, locked: true };
    let case = Case {
        row: (&quoted("order"), &format!("{} = 2", quoted("key"))),
        stale: row(2),
        field: |row| &row.category,
        fresh: "service",
        missing: row(9),
        named: "OddOrder 9",
    };
    case.holds(|| odd_order::table.filter(odd_order::kind.eq("service")));
}
