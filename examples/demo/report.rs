//! What was measured: as a table with a verdict that says no more than the figures do, and as a line of JSON.

use std::fmt;

/// What one way of locking came to.
#[derive(Debug, Clone)]
pub(crate) struct Phase {
    pub(crate) order: &'static str,
    pub(crate) transfers: u64,
    /// Transfers that ended in `LockError::Deadlock`.
    pub(crate) deadlocks: u64,
    /// Transfers that were begun again.
    pub(crate) retries: u64,
    pub(crate) seconds: f64,
    /// What the server's statistics say about the same time.
    pub(crate) server_deadlocks: i64,
    /// Whether those may be of other programs, which use the same server.
    pub(crate) server_counts_others: bool,
    pub(crate) money_before: i64,
    pub(crate) money_after: i64,
}

impl Phase {
    fn per_second(&self) -> f64 {
        self.transfers as f64 / self.seconds
    }

    /// Whether there was a deadlock, by its own count or by the server's of this database alone.
    fn has_deadlocks(&self) -> bool {
        self.deadlocks > 0 || (self.server_deadlocks > 0 && !self.server_counts_others)
    }

    fn keeps_money(&self) -> bool {
        self.money_before == self.money_after
    }

    fn json(&self) -> String {
        let Phase { transfers, deadlocks, retries, .. } = self;
        let per_second = self.per_second();
        format!(
            r#"{{"transfers":{transfers},"deadlocks":{deadlocks},"retries":{retries},"per_second":{per_second:.1}}}"#
        )
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) naive: Phase,
    pub(crate) lock_set: Phase,
}

impl Report {
    /// Whether what `LockSet` promises was so in this run: no deadlock, by its own count and by the server's, and no
    /// money made or lost.
    pub(crate) fn promises_hold(&self) -> bool {
        let Report { naive, lock_set } = self;
        lock_set.transfers > 0 && !lock_set.has_deadlocks() && naive.keeps_money() && lock_set.keeps_money()
    }

    pub(crate) fn json(&self) -> String {
        let Report { naive, lock_set } = self;
        format!(
            r#"{{"naive":{},"lockset":{},"money_before":{},"money_after":{}}}"#,
            naive.json(),
            lock_set.json(),
            naive.money_before,
            lock_set.money_after,
        )
    }

    fn verdict(&self) -> String {
        let Report { naive, lock_set } = self;
        if let Some(phase) = [naive, lock_set].into_iter().find(|phase| !phase.keeps_money()) {
            let (order, before, after) = (phase.order, grouped(phase.money_before), grouped(phase.money_after));
            return format!("FAILED: with {order} the money went from {before} to {after}; it must stay the same.");
        }
        if lock_set.has_deadlocks() {
            let (own, server) = (lock_set.deadlocks, lock_set.server_deadlocks);
            return format!(
                "FAILED: LockSet met {own} deadlocks, and the server counted {server}; there must be none."
            );
        }
        if lock_set.transfers == 0 {
            return "FAILED: LockSet made no transfer at all, so nothing was shown.".to_owned();
        }
        if naive.deadlocks == 0 {
            return "The naive order met no deadlock this time, so this run does not show what LockSet avoids: give it \
                    more seconds or more sessions. The money is all there."
                .to_owned();
        }
        let tries = naive.transfers + naive.deadlocks;
        let (deadlocks, share) = (naive.deadlocks, naive.deadlocks as f64 * 100.0 / tries as f64);
        let rate = match naive.transfers {
            0 => "The naive order made no transfer at all".to_owned(),
            _ => format!(
                "LockSet made {:.1} times as many transfers per second",
                lock_set.per_second() / naive.per_second()
            ),
        };
        format!(
            "In the naive order {} of {} tries ended in a deadlock ({share:.1} %); with LockSet none of {} did. {rate}. \
             The money is all there.",
            grouped(deadlocks),
            grouped(tries),
            grouped(lock_set.transfers),
        )
    }
}

const HEADINGS: [&str; 7] =
    ["order", "transfers", "deadlocks", "retries", "transfers/s", "money before", "money after"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, cells: [String; 7]| {
            let [order, cells @ ..] = cells;
            write!(f, "{order:<11}")?;
            cells.iter().try_for_each(|cell| write!(f, "  {cell:>12}"))?;
            writeln!(f)
        };
        row(f, HEADINGS.map(str::to_owned))?;
        for phase in [&self.naive, &self.lock_set] {
            row(
                f,
                [
                    phase.order.to_owned(),
                    grouped(phase.transfers),
                    grouped(phase.deadlocks),
                    grouped(phase.retries),
                    format!("{:.1}", phase.per_second()),
                    grouped(phase.money_before),
                    grouped(phase.money_after),
                ],
            )?;
        }
        for phase in [&self.naive, &self.lock_set] {
            if i128::from(phase.server_deadlocks) != i128::from(phase.deadlocks) {
                let place = if phase.server_counts_others { ", in all of its databases" } else { "" };
                writeln!(f, "{}: the server counted {} deadlocks{place}", phase.order, phase.server_deadlocks)?;
            }
        }
        write!(f, "\n{}", self.verdict())
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Phase, Report, grouped};

    fn report() -> Report {
        let phase = |order, transfers, deadlocks: u32| Phase {
            order,
            transfers,
            deadlocks: deadlocks.into(),
            retries: deadlocks.into(),
            seconds: 2.0,
            server_deadlocks: deadlocks.into(),
            server_counts_others: false,
            money_before: 100_000_000,
            money_after: 100_000_000,
        };
        Report { naive: phase("naive order", 900, 100), lock_set: phase("LockSet", 2_700, 0) }
    }

    #[test]
    fn the_verdict_is_made_of_the_figures() {
        let report = report();
        assert!(report.promises_hold());
        assert_eq!(
            report.verdict(),
            "In the naive order 100 of 1,000 tries ended in a deadlock (10.0 %); with LockSet none of 2,700 did. LockSet \
             made 3.0 times as many transfers per second. The money is all there."
        );
    }

    #[test]
    fn what_is_not_so_is_not_promised() {
        let broken: [fn(&mut Report); 5] = [
            |report| report.lock_set.deadlocks = 1,
            |report| report.lock_set.server_deadlocks = 1,
            |report| report.lock_set.money_after -= 1,
            |report| report.naive.money_after += 1,
            |report| report.lock_set.transfers = 0,
        ];
        for break_it in broken {
            let mut report = report();
            break_it(&mut report);
            assert!(!report.promises_hold(), "{report}");
            assert!(report.verdict().starts_with("FAILED: "), "{report}");
        }
        let mut report = report();
        (report.lock_set.server_deadlocks, report.lock_set.server_counts_others) = (1, true);
        assert!(report.promises_hold(), "somebody else's: {report}");
        report.naive.deadlocks = 0;
        assert!(report.verdict().starts_with("The naive order met no deadlock this time"), "{report}");
    }

    #[test]
    fn json_is_one_line_with_the_agreed_names() {
        assert_eq!(
            report().json(),
            r#"{"naive":{"transfers":900,"deadlocks":100,"retries":100,"per_second":450.0},"lockset":{"transfers":2700,"deadlocks":0,"retries":0,"per_second":1350.0},"money_before":100000000,"money_after":100000000}"#
        );
    }

    #[test]
    fn thousands_are_grouped() {
        let shown = [0_i64, 999, 1_000, 1_234_567, -45_678].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567", "-45,678"]);
    }
}
