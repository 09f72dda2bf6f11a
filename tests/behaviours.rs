//! `BEHAVIOURS.md` and the tests agree: every test that it names exists, and every test that names a behaviour stands there.
//! `FAULTS.md` and `FRICTIONS.md` name tests that exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A behaviour and a test that holds it.
type Held = BTreeSet<(String, String)>;

#[test]
fn the_table_and_the_tests_agree() {
    let (table, tests) = (held_by_the_table(), held_by_the_tests());
    let gone: Vec<_> = table.difference(&tests).collect();
    assert!(gone.is_empty(), "in the table, but not in the tests: {gone:#?}");
    let unlisted: Vec<_> = tests.difference(&table).collect();
    assert!(unlisted.is_empty(), "in the tests, but not in the table: {unlisted:#?}");
    assert!(table.len() > 100, "the table is read wrongly: {}", table.len());
}

#[test]
fn every_compile_fail_case_of_the_table_exists() {
    for word in table().split('`').filter(|word| word.ends_with(".rs") && !word.contains('*')) {
        let name = word.rsplit('/').next().unwrap();
        assert!(tests_folder().join("ui/fail").join(name).exists() || name == "behaviours.rs", "{word}");
    }
}

#[test]
fn every_test_of_the_other_tables_exists() {
    let mut tests = BTreeSet::new();
    each_module(&tests_folder(), &tests_folder(), &mut |module, text| {
        let names = text.lines().filter_map(|line| line.trim().strip_prefix("fn ")?.split(['(', '<']).next());
        tests.extend(names.map(|name| format!("{module}::{name}")));
    });
    for (table, least) in [("FAULTS.md", 40), ("FRICTIONS.md", 20)] {
        let table = fs::read_to_string(tests_folder().join(table)).unwrap();
        let is_test = |word: &&str| word.contains("::") && word.starts_with(char::is_lowercase) && !word.contains('(');
        let named: Vec<_> = table.split('`').filter(is_test).collect();
        let gone: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
        assert!(gone.is_empty(), "in the table, but not in the tests: {gone:#?}");
        assert!(named.len() > least, "the table is read wrongly: {}", named.len());
        for case in table.split('`').filter(|word| word.starts_with("tests/ui/") && word.ends_with(".rs")) {
            assert!(tests_folder().join(case.trim_start_matches("tests/")).exists(), "{case}");
        }
    }
}

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn table() -> String {
    fs::read_to_string(tests_folder().join("BEHAVIOURS.md")).unwrap()
}

fn held_by_the_table() -> Held {
    let table = table();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
    rows.filter(|(id, _)| is_id(id))
        .flat_map(|(id, rest)| {
            let paths = rest.split('`').filter(|word| word.contains("::"));
            paths.map(|path| (id.to_owned(), path.to_owned()))
        })
        .collect()
}

/// The doc comments that are nothing but behaviours, and the tests below them. An `F` of a test of a fault is that fault.
fn held_by_the_tests() -> Held {
    let mut held = Held::new();
    each_module(&tests_folder(), &tests_folder(), &mut |module, text| {
        let mut ids: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim) {
            let named: Option<Vec<_>> = line
                .strip_prefix("/// ")
                .and_then(|line| line.strip_suffix('.'))
                .map(|ids| ids.split(", ").map(str::to_owned).collect());
            if let Some(named) = named.filter(|ids| ids.iter().all(|id| is_id(id))) {
                ids = named;
                ids.retain(|id| !(module.starts_with("faults") && id.starts_with('F')));
            } else if let Some(name) = line.strip_prefix("fn ") {
                let name = name.split(['(', '<']).next().unwrap();
                held.extend(ids.drain(..).map(|id| (id, format!("{module}::{name}"))));
            } else if !(line.starts_with("///") || line.starts_with("#[")) {
                ids.clear();
            }
        }
    });
    held
}

fn is_id(word: &str) -> bool {
    word.len() == 3
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word[1..].bytes().all(|b| b.is_ascii_digit())
}

fn each_module(base: &Path, folder: &Path, see: &mut dyn FnMut(&str, &str)) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() && !path.ends_with("ui") {
            each_module(base, &path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = path.strip_prefix(base).unwrap().with_extension("");
            let module = module.to_str().unwrap().replace(['/', '\\'], "::");
            see(module.trim_end_matches("::mod"), &fs::read_to_string(&path).unwrap());
        }
    }
}
