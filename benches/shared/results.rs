//! `RESULTS.md`: each bench owns one section of it, between two comments.

use std::{fs, io, path::Path};

use crate::shared::Result;

const HEAD: &str = "# Results\n\nEach section is written by the bench that it names.\n";

/// Puts a section in the place of the one that this bench wrote before.
pub(crate) fn put(file: &Path, bench: &str, section: &str) -> Result<()> {
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEAD.to_owned(),
        text => text?,
    };
    Ok(fs::write(file, replaced(&text, bench, section))?)
}

fn replaced(text: &str, bench: &str, section: &str) -> String {
    let (begin, end) = (format!("<!-- {bench}: begin -->"), format!("<!-- {bench}: end -->"));
    let section = format!("{begin}\n\n{}\n\n{end}", section.trim());
    let old = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    match old {
        Some((before, after)) => format!("{before}{section}{after}"),
        None => format!("{}\n\n{section}\n", text.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn the_section_of_pick_is_replaced_and_nothing_else() {
        let first = replaced("# Results\n", "other", "kept");
        let second = replaced(&replaced(&first, "pick", "old"), "pick", "new");
        assert_eq!(
            second,
            "# Results\n\n<!-- other: begin -->\n\nkept\n\n<!-- other: end -->\n\n<!-- pick: begin -->\n\nnew\n\n\
             <!-- pick: end -->\n"
        );
    }
}
