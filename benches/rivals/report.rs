//! What was measured, as the section of `RESULTS.md`.

use crate::{
    measure::{Contest, Line, Plan},
    operation::Operation,
    slice::WARM,
};

pub(crate) fn section(circumstances: &str, versions: &str, plan: &Plan, contests: &[Contest]) -> String {
    let tables: Vec<String> = Operation::ALL
        .iter()
        .map(|operation| {
            let of_operation: Vec<&Contest> =
                contests.iter().filter(|contest| contest.operation == *operation).collect();
            let table = match operation {
                Operation::NoTransaction => lost(&of_operation),
                _ => rates(&of_operation),
            };
            format!("### {operation}\n\n{}\n\n{table}", explained(*operation))
        })
        .collect();
    format!(
        "## rivals\n\n{circumstances}. {versions}. {} rounds, slices of {} s. To repeat it: `cargo xtask bench rivals`.\n\n{EXPLAINED}\n\n\
         ![ratios to Diesel by hand](rivals.svg)\n\n{}",
        plan.rounds,
        plan.time.as_secs_f64(),
        tables.join("\n"),
    )
}

const EXPLAINED: &str = "\
Client and server share the cores: a client that works more leaves less to the server. In each round each way makes the same number of calls, \
one way after the other, and each round begins with another way. Rates are calls per second of all sessions together, medians of the rounds; \
`ratio` is the median of the ratios to Diesel by hand in the same round, with the lowest and the highest behind it. Each session has a \
connection of its own, opened before the time is taken, and statements that stay prepared as far as the library prepares them (Diesel does not \
keep an `UPDATE` prepared). A blocking way has a thread for each session, an asynchronous one a task on a runtime with a thread for each core, \
Django a process. Round trips are those of one call, warm, counted by a proxy; those of pgbench, which does not warm up, are its statements; what an \
asynchronous client sends without waiting for the answer may count as one; the last of SeaORM's is the ping of its pool. After each slice the \
database is compared with what was counted: the balances have changed by as much as the calls say, and as many jobs are taken as were handed \
out. A way that fails says so in its row.";

fn explained(operation: Operation) -> String {
    match operation {
        Operation::OneRow => "A transaction that locks a random row of 9,000, computes the new balance from it, and writes it.".to_owned(),
        Operation::SixRows => "A transaction that locks and loads three random rows of each of two tables and changes them by one `UPDATE` for \
                               each table. By hand: `ORDER BY id FOR UPDATE`, table after table."
            .to_owned(),
        Operation::Claim(1) => "The next job of a backlog is marked as taken and returned. sqlx and pgbench: one statement (`UPDATE .. WHERE id = \
                                ANY(ARRAY(SELECT .. FOR UPDATE SKIP LOCKED)) RETURNING ..`). Diesel, SeaORM, Django: a transaction that selects \
                                with `SKIP LOCKED` and updates. pgmq (`read_batch`) hands out \
                                messages of a table of its own, with other columns and indexes."
            .to_owned(),
        Operation::Claim(n) => format!("The same for {n} jobs in one call."),
        Operation::Transfer => "A transaction that locks two of eight rows and moves money. By hand: both rows by one statement, `ORDER BY id FOR \
                                UPDATE`. `order of need` locks each row when it comes to it; the server ends a deadlock after \
                                `deadlock_timeout` (1 s), and a slice ends after 2 s. `one advisory lock` takes one name for all transfers. \
                                Deadlocks are those that the server counted, in all rounds."
            .to_owned(),
        Operation::NoTransaction => format!(
            "What becomes of one row that 8 sessions lock, read, and update, when the programmer forgets the transaction: calls that \
             succeeded, and how many of their updates are gone. An error at the first of the calls, which are {WARM} before the others, is \
             shown in place of the numbers."
        ),
    }
}

/// A row for each way; for each number of sessions its rate and its ratio.
fn rates(contests: &[&Contest]) -> String {
    let has_conflicts = contests.iter().any(|contest| contest.operation == Operation::Transfer);
    let mut headings = vec!["way".to_owned(), "round trips".to_owned()];
    for contest in contests {
        headings.extend([format!("{} at once: calls/s", contest.sessions), "ratio".to_owned()]);
    }
    if has_conflicts {
        headings.extend(["deadlocks", "begun again", "calls"].map(str::to_owned));
    }
    let Some(first) = contests.first() else { return String::new() };
    let rows = first.lines.iter().enumerate().map(|(place, line)| {
        let trips = line.trips.map_or_else(|| "?".to_owned(), |trips| trips.to_string());
        let mut cells = vec![line.way.to_string(), trips];
        for contest in contests {
            cells.extend(compared(&contest.lines[place], &contest.lines[0]));
            if has_conflicts {
                let line = &contest.lines[place];
                let sums = [line.sum(|outcome| outcome.retries), line.sum(|outcome| outcome.calls)];
                cells.push(line.deadlocks.to_string());
                cells.extend(sums.map(|sum| sum.to_string()));
            }
        }
        cells
    });
    table(&headings, rows)
}

fn compared(line: &Line, by_hand: &Line) -> [String; 2] {
    if let Some(failure) = &line.failure {
        return [first_line(failure), String::new()];
    }
    let (ratio, low, high) = line.ratio(by_hand);
    [format!("{:.0}", line.rate()), format!("{ratio:.2} ({low:.2} to {high:.2})")]
}

fn lost(contests: &[&Contest]) -> String {
    let rows = contests.iter().flat_map(|contest| &contest.lines).map(|line| match &line.failure {
        Some(failure) => vec![line.way.to_string(), first_line(failure), String::new()],
        None => vec![
            line.way.to_string(),
            line.sum(|outcome| outcome.calls + outcome.warm).to_string(),
            line.lost.to_string(),
        ],
    });
    table(&["way", "calls", "updates lost"].map(str::to_owned), rows)
}

fn table(headings: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = vec!["---".to_owned(); headings.len()];
    format!("{}{}{}", row(headings), row(&rule), rows.map(|cells| row(&cells)).collect::<String>())
}

/// What fits into a cell.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().replace('|', "\\|")
}
