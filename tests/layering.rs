//! Holds `src/` to the levels of `CONTRIBUTING.md`: who may import whom, where `cfg(feature)` may stand, how long a file may be.

use std::{fs, path::Path};

/// A module, the modules it may import, and whether it may say `cfg(feature = ..)`.
const MODULES: &[(&str, &[&str], bool)] = &[
    ("diesel_internals", &[], false),
    ("markers", &[], false),
    ("mode", &[], false),
    ("key", &[], false),
    // Derives of `serde`.
    ("session", &[], true),
    ("error", &["session", "lockable", "key"], false),
    ("lockable", &["markers", "mode", "key"], false),
    ("sql", &["markers", "lockable", "mode", "key", "error", "diesel_internals"], false),
    ("explanation", &[], false),
    // Derives of `serde`.
    ("waits", &["session", "advisory"], true),
    ("backend", &["waits", "session", "markers", "sql", "lockable", "mode", "key", "error", "diesel_internals"], true),
    (
        "lock_set",
        &["markers", "advisory", "backend", "sql", "lockable", "mode", "key", "error", "diesel_internals"],
        false,
    ),
    ("advisory", &["markers", "lockable", "mode", "key"], false),
    ("pick", &["markers", "backend", "sql", "lockable", "mode", "key", "error", "diesel_internals"], false),
    ("transaction", &["mode", "key", "error"], false),
    (
        "core",
        &[
            "explanation",
            "waits",
            "markers",
            "advisory",
            "transaction",
            "pick",
            "lock_set",
            "backend",
            "sql",
            "lockable",
            "mode",
            "key",
            "error",
            "diesel_internals",
        ],
        true,
    ),
    (
        "blocking",
        &[
            "core",
            "waits",
            "markers",
            "advisory",
            "transaction",
            "pick",
            "lock_set",
            "backend",
            "sql",
            "lockable",
            "mode",
            "key",
            "error",
            "diesel_internals",
        ],
        true,
    ),
    (
        "nonblocking",
        &[
            // Diesel's migrations are run by blocking calls.
            "blocking",
            "core",
            "waits",
            "markers",
            "advisory",
            "transaction",
            "pick",
            "lock_set",
            "backend",
            "sql",
            "lockable",
            "mode",
            "key",
            "error",
            "diesel_internals",
        ],
        true,
    ),
    (
        "private",
        &[
            "advisory",
            "transaction",
            "core",
            "blocking",
            "pick",
            "backend",
            "sql",
            "lockable",
            "mode",
            "key",
            "diesel_internals",
        ],
        true,
    ),
    (
        "testing",
        &[
            "blocking",
            "transaction",
            "waits",
            "session",
            "lock_set",
            "backend",
            "sql",
            "key",
            "error",
            "diesel_internals",
        ],
        true,
    ),
    ("events", &["core"], false),
    ("bounds", &["backend", "blocking", "key", "pick", "sql"], false),
    ("dsl", &["markers", "sql"], false),
    ("prelude", &["blocking", "lock_set", "sql", "lockable", "error"], true),
    ("doctest_setup", &[], false),
    ("doctest_setup_async", &[], false),
];

const LONGEST_FILE: usize = 400;

#[test]
fn every_module_imports_only_what_it_may() {
    let mut faults = Vec::new();
    each_file("src", &mut |path, text| {
        let module = path.split('/').next().unwrap().trim_end_matches(".rs");
        if module == "lib" {
            return;
        }
        let Some((_, may_import, may_cfg)) = MODULES.iter().find(|(name, ..)| *name == module) else {
            return faults.push(format!("{path}: no such module in the table"));
        };
        for (i, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            let line = i + 1;
            if !may_cfg && code.contains("feature = \"") {
                faults.push(format!(
                    "{path}:{line}: `cfg(feature)` belongs into `backend`, `core`, `blocking`, `nonblocking`, `testing` or the face"
                ));
            }
            if code.contains("super::super") {
                faults.push(format!("{path}:{line}: name the module: `crate::..`"));
            }
        }
        for hit in imports(text) {
            // The prelude gathers names from the face, which has all of them.
            if module != "prelude" && hit != module && !may_import.contains(&hit.as_str()) {
                faults.push(format!("{path}: `{module}` may not import `{hit}`"));
            }
        }
    });
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_400_lines() {
    let mut faults = Vec::new();
    for root in ["src", "diesel_lockset_derives/src", "xtask/src"] {
        each_file(root, &mut |path, text| {
            let lines = text.lines().count();
            if lines > LONGEST_FILE {
                faults.push(format!("{root}/{path}: {lines} lines"));
            }
        });
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_first_what_belongs_into_it() {
    let mut faults = Vec::new();
    each_file("src", &mut |path, text| {
        let exempt = ["lib.rs", "doctest_setup.rs", "doctest_setup_async.rs"].contains(&path);
        if !exempt && !text.starts_with("//! ") {
            faults.push(path.to_owned());
        }
    });
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The modules that a file names: `crate::x`, `crate::{x, y::{..}}`, also over several lines.
fn imports(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut modules = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let mut depth = 0;
        let mut word = String::new();
        for c in rest.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                c if c.is_alphanumeric() || c == '_' => {
                    word.push(c);
                    continue;
                }
                _ => {}
            }
            let named = std::mem::take(&mut word);
            // Only the first name of a path is a module: depth 0, or depth 1 in a list of paths.
            if MODULES.iter().any(|(name, ..)| *name == named) && !modules.contains(&named) {
                modules.push(named);
            }
            if depth <= 0 {
                break;
            }
        }
    }
    modules
}

fn each_file(root: &str, see: &mut dyn FnMut(&str, &str)) {
    fn walk(base: &Path, dir: &Path, see: &mut dyn FnMut(&str, &str)) {
        let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(base, &path, see);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(base).unwrap().to_str().unwrap().replace('\\', "/");
                see(&name, &fs::read_to_string(&path).unwrap());
            }
        }
    }
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    walk(&base, &base, see);
}
