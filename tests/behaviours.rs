//! `BEHAVIOURS.md` and the tests agree: every test that it names exists.
