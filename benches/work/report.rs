//! The counts as text, JSON and Markdown.

use crate::count::{Counted, Line};

pub(crate) fn text(counted: &[Counted]) -> String {
    let line = |Line { case, by_hand, ours }: &Line| format!("{case:40} {by_hand:>10} {ours:>10}");
    let of = |Counted { server, lines }: &Counted| {
        let lines: String = lines.iter().map(|of| format!("{} {:>6.3}\n", line(of), of.ratio())).collect();
        format!("{server}\n{:40} {:>10} {:>10} {:>6}\n{lines}", "instructions per call", "by hand", "ours", "ratio")
    };
    counted.iter().map(of).collect::<Vec<_>>().join("\n")
}

/// `{"PostgreSQL 15.18":{"one row by key":{"by_hand":15698,"ours":19000,"ratio":1.210}, ..}, ..}`
pub(crate) fn json(counted: &[Counted]) -> String {
    let line = |of: &Line| {
        format!(r#""{}":{{"by_hand":{},"ours":{},"ratio":{:.3}}}"#, of.case, of.by_hand, of.ours, of.ratio())
    };
    let server = |Counted { server, lines }: &Counted| {
        format!(r#""{server}":{{{}}}"#, lines.iter().map(line).collect::<Vec<_>>().join(","))
    };
    format!("{{{}}}", counted.iter().map(server).collect::<Vec<_>>().join(","))
}

/// The section of `RESULTS.md`.
pub(crate) fn section(counted: &[Counted]) -> String {
    let row = |server: &str, of: &Line| {
        format!("| {server} | {} | {} | {} | {:.2} |\n", of.case, of.by_hand, of.ours, of.ratio())
    };
    let rows: String = counted.iter().flat_map(|of| of.lines.iter().map(|line| row(&of.server, line))).collect();
    format!(
        "## work\n\n{EXPLAINED}\n\n| server | call | by hand | ours | ratio |\n| --- | --- | --- | --- | --- |\n{rows}"
    )
}

const EXPLAINED: &str = "\
Instructions of the client for one call, counted by callgrind: all of the process, with the client library of the server. To repeat it: \
`cargo xtask bench work`.

`by hand` is Diesel by hand that locks and loads the same rows in the order of their keys; it does not notice a missing row, nor a row that \
left the query during a wait, nor another order of keys on MySQL and MariaDB. The calls are warm: what is counted is the difference between \
twice as many calls and once as many, each in a transaction of Diesel's. The program is built with the release profile. \
Wanted were 1.25, 1.2, 1.1 and 1.2 times as many; `DESIGN.md`, \"Client work beside Diesel by hand\", says where the rest goes.";
