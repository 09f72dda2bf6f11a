//! Tests without a server: each requested key ends in exactly one class.

use super::{Outcome, Reasons};
use crate::sql::{Answer, RowId};

const KEYS: u32 = 3;

fn rows(numbers: &[u32]) -> Vec<RowId> {
    numbers.iter().copied().map(RowId).collect()
}

/// The reports that the server may give on one key.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Told {
    Came,
    Skipped,
    Nothing,
    /// The row came back with a key that differs in Rust, under a number of its own.
    CameInOtherLetters,
    /// The row was skipped, and its key differs in Rust.
    SkippedInOtherLetters,
}

const ALL: [Told; 5] =
    [Told::Came, Told::Skipped, Told::Nothing, Told::CameInOtherLetters, Told::SkippedInOtherLetters];

/// Returns every combination of reports for all keys.
fn ways() -> impl Iterator<Item = Vec<Told>> {
    let count = ALL.len().pow(KEYS);
    (0..count).map(|way| (0..KEYS).map(|key| ALL[way / ALL.len().pow(key) % ALL.len()]).collect())
}

fn told(way: &[Told], times: usize) -> Answer {
    let mut outcome = Outcome::default();
    let asked: Vec<_> = (0..KEYS).map(RowId).collect();
    let other = |key: usize| RowId(KEYS + key as u32);
    for (key, told) in way.iter().enumerate() {
        match told {
            Told::Came => outcome.came(asked[key]),
            Told::CameInOtherLetters => outcome.came(other(key)),
            _ => {}
        }
    }
    for _ in 0..times {
        let unknown = outcome.find_unknown(&asked, true);
        for (place, key) in unknown.iter().enumerate() {
            let key = key.0 as usize;
            match way[key] {
                Told::Skipped => outcome.is_same(place, asked[key], true),
                Told::CameInOtherLetters | Told::SkippedInOtherLetters => outcome.is_same(place, other(key), true),
                Told::Came | Told::Nothing => {}
            }
        }
        for row in outcome.take_skipped() {
            outcome.is_skipped(row);
        }
    }
    outcome.answer(&asked)
}

#[test]
fn each_key_ends_in_exactly_one_class() {
    for way in ways() {
        let answer = told(&way, 1);
        let all = answer.rows.clone().unwrap_or_else(|| {
            let came = (0..).zip(&way).filter_map(|(key, told)| match told {
                Told::Came => Some(RowId(key)),
                Told::CameInOtherLetters => Some(RowId(KEYS + key)),
                _ => None,
            });
            came.collect()
        });
        for (key, told) in (0..).zip(&way) {
            let row = answer.same.iter().find(|(same, _)| *same == RowId(key)).map_or(RowId(key), |(_, row)| *row);
            let classes = [all.contains(&row), answer.skipped.contains(&row), answer.missing.contains(&RowId(key))];
            let right = match told {
                Told::Came | Told::CameInOtherLetters => [true, false, false],
                Told::Skipped | Told::SkippedInOtherLetters => [false, true, false],
                Told::Nothing => [false, false, true],
            };
            assert_eq!(classes, right, "{way:?}, key {key}: {answer:?}");
        }
    }
}

#[test]
fn to_be_told_twice_is_to_be_told_once() {
    for way in ways() {
        let sorted = |mut answer: Answer| {
            answer.same.sort();
            answer.skipped.sort();
            (answer.rows, answer.missing, answer.skipped, answer.same)
        };
        assert_eq!(sorted(told(&way, 2)), sorted(told(&way, 1)), "{way:?}");
    }
}

#[test]
fn as_many_rows_as_keys_are_all_of_them_and_no_key_is_looked_up() {
    let mut outcome = Outcome::default();
    assert!(!outcome.is_complete(2) && outcome.is_complete(0));
    outcome.came(RowId(0));
    assert!(!outcome.is_complete(2));
    outcome.came(RowId(1));
    assert!(outcome.is_complete(2));
    let answer = outcome.answer(&[]);
    assert_eq!((answer.rows, answer.missing.len()), (None, 0));
}

#[test]
fn what_a_row_was_locked_for_decides_what_is_asked_again() {
    let reasons = Reasons::default();
    let mut outcome = Outcome::default();
    outcome.locked(RowId(0), Reasons { asked: true, doubtful: true, ..reasons });
    outcome.locked(RowId(1), Reasons { firm: true, moved: true, ..reasons });
    outcome.locked(RowId(2), Reasons { doubtful: true, ..reasons });
    outcome.locked(RowId(3), Reasons { limited: true, ..reasons });
    outcome.locked(RowId(4), reasons);
    assert!(outcome.is_unsettled());
    let mut held = outcome.look_again();
    held.sort();
    assert_eq!(
        (held, outcome.firm(), outcome.doubtful()),
        (rows(&[0, 1, 2, 3, 4]), &rows(&[0, 1])[..], &rows(&[2])[..])
    );
    for (row, wanted) in [(0, true), (1, true), (2, false), (3, true), (4, false)] {
        outcome.seen(RowId(row), true, wanted);
    }
    outcome.seen(RowId(5), false, true);
    assert!(!outcome.is_unsettled());
    assert_eq!(outcome.lock_more(), rows(&[5]));
    assert_eq!(outcome.left_out(), rows(&[5]));
    outcome.locked_more(RowId(5));
    assert_eq!(outcome.left_out(), []);
    assert_eq!(outcome.answer(&rows(&[0])).rows, Some(rows(&[0, 1, 3])));
}

#[test]
fn queries_are_short_if_one_group_is() {
    let mut outcome = Outcome::default();
    outcome.count(0, 1, true);
    outcome.count(1, 2, false);
    assert!(outcome.is_short());
    outcome.count(1, 2, true);
    outcome.count(1, 2, true);
    assert!(!outcome.is_short());
    outcome.none_came(true);
    assert!(outcome.is_short());
}

#[test]
fn what_is_found_to_exist_is_locked_late_or_left_out() {
    let mut outcome = Outcome::default();
    let asked = rows(&[0, 1, 2, 3]);
    outcome.came(RowId(1));
    assert_eq!(outcome.absent(&asked), rows(&[0, 2, 3]));
    for row in [0, 2] {
        outcome.is_there(RowId(row));
    }
    assert!(outcome.take_there());
    assert_eq!(outcome.lock_more(), rows(&[0, 2]));
    outcome.locked_late(RowId(2));
    assert_eq!(outcome.left_out(), rows(&[0]));
    assert!(!outcome.take_there(), "the row was deleted once more");
    assert_eq!(outcome.rows(), (&rows(&[1, 2])[..], true));
    outcome.reorder(rows(&[2, 1]));
    let answer = outcome.answer(&asked);
    assert_eq!((answer.rows, answer.missing, answer.skipped), (Some(rows(&[2, 1])), rows(&[0, 3]), rows(&[])));
}
