//! Names of whatever the application has: they are data, and no two of them are one lock.

use diesel_lockset::AdvisoryLock;

use super::{Arena, Driver, free, verbs::RunAdvisoryLock};
use crate::support::{
    driver::Session,
    models::{Seat, Tag},
};

fn hostile() -> Vec<String> {
    let mut names: Vec<_> = [
        "'", "\"", "\\", "*/", "/*", ",", ";", "--", "\n", "|", "\\|", "", " ", "ä", "Ä", "a\u{308}", "🔒", "%s", "$1",
        "0",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["x".repeat(10_000), "x".repeat(10_001), format!("{}y", "x".repeat(9_999))]);
    names
}

/// K18.
#[test]
fn each_name_is_a_lock_of_its_own_and_conflicts_with_itself() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let of =
        |name: &str| [AdvisoryLock::id::<Tag>(name), AdvisoryLock::named(name), AdvisoryLock::named("x").scope(name)];
    let names = hostile();
    for (i, name) in names.iter().enumerate() {
        for (kind, lock) in of(name).into_iter().enumerate() {
            let _guard = lock.clone().acquire(one.conn()).unwrap();
            assert!(!free(&mut two, lock), "{i}");
            for (j, other) in names.iter().enumerate() {
                for (of_kind, other) in of(other).into_iter().enumerate() {
                    // Most combinations by name only: the server adds nothing to them.
                    if (i, kind) != (j, of_kind) && (i + j) % 7 == 0 {
                        assert!(free(&mut two, other), "{i} {kind} and {j} {of_kind}");
                    }
                }
            }
        }
    }
}

/// K18.
#[test]
fn parts_of_a_composite_key_cannot_be_mistaken_for_each_other() {
    let texts = [("A,1", 2), ("A", 1), ("A|1", 1), ("A\\", 1)]
        .map(|(section, number)| AdvisoryLock::id::<Seat>((section.to_owned(), number)).name().text().to_owned());
    assert_eq!(texts, ["Seat|A\\,1,2", "Seat|A,1", "Seat|A\\|1,1", "Seat|A\\\\,1"]);
}
