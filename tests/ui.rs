//! Models and lock sets that must compile, and mistakes with the sentences they must be answered with.
//!
//! One mistake per file, named after it. rustc's words change: the `.stderr` files are those of rust 1.95, written by
//! `TRYBUILD=overwrite cargo test --features postgres,mysql,sqlite,async --test ui`.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
