//! The counts as text, JSON and Markdown.

use crate::count::{Counted, Line};

pub(crate) fn text(counted: &[Counted]) -> String {
    let line = |of: &Line| {
        let Line { case, by_hand, ours, times } = of;
        let [ratio, least, most] = times.ratio;
        let times = format!("{:>9.1} {:>9.1} {ratio:>6.3} {least:.3} to {most:.3}", times.by_hand, times.ours);
        format!("{case:40} {by_hand:>10} {ours:>10} {:>6.3} {times}\n", of.ratio())
    };
    let of = |Counted { server, lines }: &Counted| {
        let lines: String = lines.iter().map(line).collect();
        let head = format!("{:>10} {:>10} {:>6} {:>9} {:>9} {:>6}", "by hand", "ours", "ratio", "us", "us", "ratio");
        format!("{server}\n{:40} {head}\n{lines}", "instructions per call, microseconds")
    };
    counted.iter().map(of).collect::<Vec<_>>().join("\n")
}

/// `{"PostgreSQL 15.18":{"one row by key":{"by_hand":15698,"ours":19000,"ratio":1.210,"time_ratio":1.05}, ..}, ..}`
pub(crate) fn json(counted: &[Counted]) -> String {
    let line = |of: &Line| {
        let (instructions, time) = (of.ratio(), of.times.ratio[0]);
        let counts = format!(r#""by_hand":{},"ours":{},"ratio":{instructions:.3}"#, of.by_hand, of.ours);
        format!(r#""{}":{{{counts},"time_ratio":{time:.3}}}"#, of.case)
    };
    let server = |Counted { server, lines }: &Counted| {
        format!(r#""{server}":{{{}}}"#, lines.iter().map(line).collect::<Vec<_>>().join(","))
    };
    format!("{{{}}}", counted.iter().map(server).collect::<Vec<_>>().join(","))
}

/// The section of `RESULTS.md`.
pub(crate) fn section(counted: &[Counted]) -> String {
    let row = |server: &str, of: &Line| {
        let [ratio, least, most] = of.times.ratio;
        let times = format!("{:.0} | {:.0} | {ratio:.2} ({least:.2} to {most:.2})", of.times.by_hand, of.times.ours);
        format!("| {server} | {} | {} | {} | {:.2} | {times} |\n", of.case, of.by_hand, of.ours, of.ratio())
    };
    let rows: String = counted.iter().flat_map(|of| of.lines.iter().map(|line| row(&of.server, line))).collect();
    format!(
        "## work\n\n{EXPLAINED}\n\n| server | call | by hand | ours | ratio | by hand, µs | ours, µs | ratio |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n{rows}"
    )
}

const EXPLAINED: &str = "\
Instructions of the client for one call, counted by callgrind: all of the process, with the client library of the server. To repeat it: \
`cargo xtask bench work`.

`by hand` is Diesel by hand that locks and loads the same rows in the order of their keys; it does not notice a missing row, nor a row that \
left the query during a wait, nor another order of keys on MySQL and MariaDB. The calls are warm: what is counted is the difference between \
twice as many calls and once as many, each in a transaction of Diesel's. The program is built with the release profile. \
Wanted were 1.25, 1.2, 1.1 and 1.2 times as many; `DESIGN.md`, \"Client work beside Diesel by hand\", says where the rest goes.

Behind them the times of a transaction with one such call, from its begin to its rollback, with the work of the server, on one machine: medians of \
151 short rounds, in which the sides take turns, each over a connection of its own. The ratio is the median of \
the ratios of the rounds, with the first and the third quartile. Wanted were 1.05, 1.0, 1.05 and 1.1.";
