//! `claim` while others hold rows.

use super::{Arena, Driver, claim::claim, ids};
use crate::{isolation::Play, support::driver::Session};

/// J02.
#[test]
fn what_others_hold_is_skipped_at_once() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    let first = one.run("claims", |s| {
        s.begin().unwrap();
        ids(&claim(s, 2))
    });
    let second = two.run("claims", |s| ids(&claim(s, 5)));
    assert_eq!((first, second), (vec![4, 3], vec![2, 1]));
}
