//! The documentation as text: code that is read without scrolling, links that lead somewhere.

use std::{fs, path::Path};

/// Code in the documentation is read in a column beside others, where a longer line hides its end.
const WIDTH: usize = 80;

/// The pages, and the code that is documented.
fn documents() -> Vec<(String, String)> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = Vec::new();
    let mut folders = vec![base.join("src"), base.join("docs")];
    let mut files: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "DESIGN.md", "CHANGELOG.md"].map(|name| base.join(name)).into();
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

/// The lines of the code blocks of a document, with their numbers. Of Rust, those of its documentation, without the hidden ones. Blocks of
/// `text` are what programs print.
fn code_lines<'t>(name: &str, text: &'t str) -> Vec<(usize, &'t str)> {
    let is_rust = Path::new(name).extension().is_some_and(|extension| extension == "rs");
    let mut lines = Vec::new();
    let (mut inside, mut is_code) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let shown = if is_rust {
            let documentation = line.trim_start();
            let documentation = documentation.strip_prefix("///").or_else(|| documentation.strip_prefix("//!"));
            documentation.map(|line| line.strip_prefix(' ').unwrap_or(line))
        } else {
            Some(line)
        };
        let Some(shown) = shown else {
            (inside, is_code) = (false, false);
            continue;
        };
        if shown.trim_start().starts_with("```") {
            inside = !inside;
            is_code = inside && !shown.contains("text");
        } else if is_code && !(is_rust && (shown == "#" || shown.starts_with("# "))) {
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

/// An example of the documentation that includes a file which is not there fails late, when all examples are compiled.
#[test]
fn files_that_examples_include_exist() {
    let mut seen = 0;
    let mut faults = Vec::new();
    // The page for contributors names such a file without being an example.
    let examples =
        documents().into_iter().filter(|(name, _)| ["src", "docs"].iter().any(|folder| name.starts_with(folder)));
    for (name, text) in examples {
        for included in text.split("include!(\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0)) {
            seen += 1;
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
            if !folder.with_file_name(included).is_file() {
                faults.push(format!("{name}: {included}"));
            }
        }
    }
    assert!(seen > 40, "the examples are read wrongly: {seen} included files");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the file can be read")
}

/// The code of the README has no hidden lines, and is the code that `front_page` runs.
#[test]
fn the_code_of_the_front_page_is_run() {
    let (readme, run) = (read("README.md"), read("tests/front_page.rs"));
    let blocks: Vec<&str> =
        readme.split("```rust\n").skip(1).filter_map(|block| Some(block.split_once("```")?.0)).collect();
    assert!(blocks.len() > 2, "the README is read wrongly");
    for block in blocks {
        assert!(run.contains(block), "not in tests/front_page.rs:\n{block}");
        assert!(
            !block.lines().any(|line| line.starts_with("# ")),
            "a page of the repository shows this line:\n{block}"
        );
    }
}

fn definitions(readme: &str) -> impl Iterator<Item = (&str, &str)> {
    readme.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
}

/// The links of the README to files, by their names.
fn links(readme: &str) -> Vec<(&str, &str)> {
    definitions(readme).filter(|(_, target)| !target.starts_with("https://")).collect()
}

/// The links of the README to pages, by their names: to the rendered ones, since a file has the hidden lines of its examples and links of
/// rustdoc.
fn page_links(readme: &str) -> Vec<(&str, &str)> {
    const PAGES: &str = "https://docs.rs/diesel_lockset/latest/diesel_lockset/_documentation/";
    definitions(readme)
        .filter_map(|(name, target)| Some((name, target.strip_prefix(PAGES)?.strip_suffix("/index.html")?)))
        .collect()
}

/// The module that shows the page of this file.
fn module_of<'f>(face: &'f str, page: &str) -> Option<&'f str> {
    let (_, behind) = face.split_once(&format!("include_str!(\"../{page}\")"))?;
    behind.split_once("pub mod ")?.1.split([' ', ';']).next()
}

/// A link of the README leads to a file of the repository, and from the documentation to a page or to a file of the package.
#[test]
fn links_of_the_front_page_lead_somewhere() {
    let (readme, face) = (read("README.md"), read("src/lib.rs"));
    let packaged = packaged();
    let mut faults = Vec::new();
    for (name, target) in links(&readme) {
        if !Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists() {
            faults.push(format!("{target} does not exist"));
        }
        if !readme.contains(&format!("[{name}]")) {
            faults.push(format!("nothing links to [{name}]"));
        }
        let Some(place) = face.find(&format!("\"[{name}]: ")) else {
            faults.push(format!("src/lib.rs does not say where [{name}] leads from the documentation"));
            continue;
        };
        let line = face[place..].lines().next().unwrap_or_default();
        if line.contains("/source/") && !(line.contains(target) && packaged.iter().any(|file| file == target)) {
            faults.push(format!("{target} is not packaged, or src/lib.rs has another path"));
        }
    }
    for (name, module) in page_links(&readme) {
        // Both the page and the link that replaces this one within the documentation.
        if !face.contains(&format!("pub mod {module} {{}}")) || !face.contains(&format!("\"[{name}]: ")) {
            faults.push(format!("src/lib.rs has no page {module}, or does not say where [{name}] leads"));
        }
        if !readme.contains(&format!("[{name}]")) {
            faults.push(format!("nothing links to [{name}]"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_page_is_shown_and_linked() {
    let (readme, face) = (read("README.md"), read("src/lib.rs"));
    let mut faults = Vec::new();
    for (name, _) in documents() {
        let is_page =
            name.starts_with("docs/") && Path::new(&name).extension().is_some_and(|extension| extension == "md");
        if !is_page {
            continue;
        }
        match module_of(&face, &name) {
            None => faults.push(format!("{name} is not a page of `_documentation`")),
            Some(module) if !page_links(&readme).iter().any(|(_, linked)| *linked == module) => {
                faults.push(format!("the README does not link {name}"));
            }
            Some(_) => {}
        }
        if links(&readme).iter().any(|(_, target)| *target == name) {
            faults.push(format!("the README links the file {name}, not its page"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The commands that the README and `CONTRIBUTING.md` give exist, and the gate runs that for tests.
#[test]
fn commands_in_the_documentation_exist() {
    let (readme, contributing, commands) = (read("README.md"), read("CONTRIBUTING.md"), read("xtask/src/cli.rs"));
    let text = format!("{readme}{contributing}");
    let named: Vec<&str> =
        text.split("cargo xtask ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_alphabetic()).next()).collect();
    assert!(named.contains(&"demo") && named.contains(&"test"), "{named:?}");
    for name in named {
        let variant = name[..1].to_uppercase() + &name[1..];
        assert!(commands.contains(&format!("    {variant}(")), "there is no `cargo xtask {name}`");
    }
    assert!(read(".ci/run").contains("step cargo xtask test"), "the gate does not run the command of the README");
}

/// Examples are in the package, and nothing that only the tests of the repository need.
#[test]
fn the_package_has_the_pages_and_the_examples() {
    let packaged = packaged();
    for name in ["docs/recipes.md", "docs/recipes_setup.rs", "examples/transfer.rs", "examples/shared/mod.rs"] {
        assert!(packaged.iter().any(|file| file == name), "{name} is not packaged");
    }
    let others: Vec<_> = packaged
        .iter()
        .filter(|file| ["migrations/", "tests/", "xtask/"].iter().any(|at| file.starts_with(at)))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// The files that `cargo package` would pack.
fn packaged() -> Vec<String> {
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline", "--package", "diesel_lockset"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    String::from_utf8_lossy(&cargo.stdout).lines().map(|line| line.replace('\\', "/")).collect()
}
