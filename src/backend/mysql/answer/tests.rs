//! Tests of the bookkeeping: every requested key ends in exactly one class.

use std::collections::BTreeSet;

use super::*;

const fn row(number: u32) -> RowId {
    RowId(number)
}

fn rows<const N: usize>(numbers: [u32; N]) -> Vec<RowId> {
    numbers.map(RowId).to_vec()
}

/// Builds the state of a model with the keys 0, 1, .., which have row numbers, and with a query without a limit and one with a limit.
fn asked(count: u32) -> ModelAnswer {
    let mut answer = ModelAnswer::new(count as usize, [false, true].into_iter());
    answer.number_asked(|| (0..count).map(RowId).collect());
    answer.begin();
    answer
}

fn numbers(rows: &[RowId]) -> Vec<u32> {
    rows.iter().map(|row| row.0).collect()
}

#[test]
fn a_plain_set_answers_all_that_was_read() {
    let mut answer = ModelAnswer::new(2, std::iter::empty());
    answer.locked(row(0), true);
    answer.locked(row(1), true);
    assert!(answer.is_all_found() && answer.absent().is_empty());
    let Answer { rows, missing, skipped, same } = answer.finish();
    assert!(rows.is_none() && missing.is_empty() && skipped.is_empty() && same.is_empty());
}

#[test]
fn a_key_that_was_asked_for_twice_is_one_key() {
    let mut answer = ModelAnswer::new(3, std::iter::empty());
    answer.locked(row(0), true);
    answer.locked(row(1), true);
    assert!(!answer.is_all_found());
    answer.number_asked(|| rows([0, 1]));
    assert!(answer.is_all_found());
    assert_eq!(answer.finish().missing, []);
}

#[test]
fn a_row_of_another_model_is_no_answer_unless_it_was_asked_for_by_key() {
    let mut answer = asked(2);
    for (row, asked) in [(row(0), true), (row(5), false), (row(1), false)] {
        answer.locked(row, asked);
    }
    let Answer { rows, missing, .. } = answer.finish();
    assert_eq!((numbers(&rows.unwrap()), missing), (vec![0, 1], vec![]));
}

/// The ways in which a requested key can end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Found,
    /// The row was read for another model of the table, in a later step.
    Late,
    /// The row was found under a key in another spelling.
    OtherWords,
    Absent,
    Busy,
    /// The row was busy first, and was locked by a later statement.
    BusyThenLocked,
    BusyInOtherWords,
}

const FATES: [Fate; 7] =
    [Fate::Found, Fate::Late, Fate::OtherWords, Fate::Absent, Fate::Busy, Fate::BusyThenLocked, Fate::BusyInOtherWords];

impl Fate {
    fn befalls(self, key: u32, answer: &mut ModelAnswer) {
        let other = row(key + 100);
        match self {
            Fate::Found => answer.locked(row(key), true),
            Fate::Late => answer.locked(row(key), false),
            Fate::OtherWords => {
                answer.locked(other, true);
                answer.tell_same(row(key), other);
            }
            Fate::Absent => {}
            Fate::Busy => answer.busy(row(key)),
            Fate::BusyThenLocked => {
                answer.busy(row(key));
                answer.locked(row(key), false);
            }
            Fate::BusyInOtherWords => {
                answer.busy(other);
                answer.tell_same(row(key), other);
            }
        }
    }

    fn class(self) -> &'static str {
        match self {
            Fate::Found | Fate::Late | Fate::OtherWords | Fate::BusyThenLocked => "row",
            Fate::Absent => "missing",
            Fate::Busy | Fate::BusyInOtherWords => "skipped",
        }
    }
}

#[test]
fn each_key_ends_in_exactly_one_class_whatever_befalls_it_and_the_others() {
    for (one, two) in FATES.into_iter().flat_map(|one| FATES.map(|two| (one, two))) {
        let mut answer = asked(2);
        one.befalls(0, &mut answer);
        two.befalls(1, &mut answer);
        let Answer { rows, missing, skipped, same } = answer.finish();
        let meant = |key: u32| same.iter().find(|(from, _)| from.0 == key).map_or(key, |(_, to)| to.0);
        let rows = rows.unwrap_or_else(|| vec![row(0), row(1)]);
        for (key, fate) in [(0, one), (1, two)] {
            let is_in = |rows: &[RowId]| rows.contains(&row(meant(key)));
            let classes = [("row", is_in(&rows)), ("missing", is_in(&missing)), ("skipped", is_in(&skipped))];
            let classes: Vec<_> = classes.into_iter().filter(|(_, is)| *is).map(|(class, _)| class).collect();
            assert_eq!(classes, [fate.class()], "{one:?}, {two:?}: key {key}");
        }
        let unique: BTreeSet<_> = rows.iter().chain(&missing).chain(&skipped).collect();
        assert_eq!(unique.len(), rows.len() + missing.len() + skipped.len(), "{one:?}, {two:?}");
    }
}

#[test]
fn a_query_answers_what_matched_it_under_the_lock_and_a_limited_one_what_it_chooses_now() {
    let mut answer = asked(0);
    for query in [0, 1] {
        answer.ask(query);
        (0..3).for_each(|number| answer.chosen(query, row(number)));
    }
    // Each row once, though both queries have chosen it.
    assert_eq!(numbers(answer.candidates()), [0, 1, 2]);
    (0..3).for_each(|number| answer.locked(row(number), false));
    answer.matches(0, row(1));
    answer.matches(1, row(1));
    answer.matches(1, row(2));
    assert_eq!(numbers(&answer.lost(1)), [0]);
    answer.forget_candidates();
    answer.ask(1);
    answer.chosen(1, row(1));
    assert!(answer.candidates().is_empty());
    let Answer { rows, missing, .. } = answer.finish();
    assert_eq!((numbers(&rows.unwrap()), missing), (vec![1], vec![]));
}

#[test]
fn what_was_chosen_and_is_not_held_is_looked_at_beside_what_was_asked_for() {
    let mut answer = asked(2);
    answer.ask(0);
    (1..4).for_each(|number| answer.chosen(0, row(number)));
    assert_eq!(numbers(answer.candidates()), [0, 1, 2, 3]);
    let (now, asked) = answer.candidates_at(&[1, 3]);
    assert_eq!((numbers(&now), numbers(&asked)), (vec![1, 3], vec![1]));
    answer.locked(row(3), false);
    answer.locked(row(0), true);
    assert_eq!(numbers(&answer.absent()), [1, 2]);
}

#[test]
fn what_is_told_twice_is_told_once() {
    let mut answer = asked(1);
    answer.locked(row(0), true);
    answer.locked(row(0), true);
    answer.busy(row(4));
    answer.busy(row(4));
    assert_eq!((answer.held().len(), answer.busy_rows().count()), (1, 1));
    assert!(answer.is_all_found());
}

#[test]
fn rows_that_were_locked_late_come_in_their_place() {
    let mut answer = asked(3);
    [2, 0, 1].into_iter().for_each(|number| answer.locked(row(number), true));
    answer.sort_by(vec!["c", "a", "b"]);
    assert_eq!(numbers(&answer.finish().rows.unwrap()), [0, 1, 2]);
}

#[test]
fn a_pick_counts_what_a_join_repeats_and_drops_what_does_not_match() {
    let mut answer = ModelAnswer::new(0, std::iter::once(false));
    [0, 1, 1].into_iter().for_each(|number| answer.picked(row(number)));
    answer.matches(0, row(1));
    assert_eq!((answer.held().len(), numbers(&answer.held_once())), (3, vec![0, 1]));
    assert!(answer.drop_unmatched() && !answer.drop_unmatched());
    assert_eq!(numbers(&answer.lost(0)), [0]);
    answer.changed(row(1));
    assert!(answer.is_all_changed());
    assert_eq!(numbers(&answer.picks().rows.unwrap()), [1, 1]);
}
