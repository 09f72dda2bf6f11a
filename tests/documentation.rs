//! The documentation as text: code that is read without scrolling, links that lead somewhere.

use std::{fs, path::Path};

/// Code in the documentation is read in a column beside others, where a longer line hides its end.
const WIDTH: usize = 80;

/// The pages, and the code that is documented.
fn documents() -> Vec<(String, String)> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = Vec::new();
    let mut folders = vec![base.join("src"), base.join("docs")];
    let mut files: Vec<_> = ["README.md", "CONTRIBUTING.md", "DESIGN.md", "CHANGELOG.md"].map(|name| base.join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() { &mut folders } else { &mut files }.push(path);
        }
    }
    for path in files {
        let name = path.strip_prefix(base).expect("it is below").display().to_string();
        documents.push((name, fs::read_to_string(&path).expect("the file can be read")));
    }
    documents
}

/// The lines of the code blocks of a document, with their numbers. Of Rust, those of its documentation, without the hidden ones.
fn code_lines<'t>(name: &str, text: &'t str) -> Vec<(usize, &'t str)> {
    let is_rust = Path::new(name).extension().is_some_and(|extension| extension == "rs");
    let mut lines = Vec::new();
    let mut inside = false;
    for (number, line) in (1..).zip(text.lines()) {
        let shown = if is_rust {
            let documentation = line.trim_start();
            let documentation = documentation.strip_prefix("///").or_else(|| documentation.strip_prefix("//!"));
            documentation.map(|line| line.strip_prefix(' ').unwrap_or(line))
        } else {
            Some(line)
        };
        let Some(shown) = shown else {
            inside = false;
            continue;
        };
        if shown.trim_start().starts_with("```") {
            inside = !inside;
        } else if inside && !(is_rust && (shown == "#" || shown.starts_with("# "))) {
            lines.push((number, shown));
        }
    }
    lines
}

#[test]
fn code_in_the_documentation_is_read_without_scrolling() {
    let documents = documents();
    let mut seen = 0;
    let mut faults = Vec::new();
    for (name, text) in &documents {
        for (number, line) in code_lines(name, text) {
            seen += 1;
            let width = line.chars().count();
            if width > WIDTH {
                faults.push(format!("{name}:{number}: {width} columns: {line}"));
            }
        }
    }
    assert!(seen > 500, "the documents are read wrongly: {seen} lines of code");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
