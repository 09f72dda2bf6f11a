//! What came out, as a table: server by server.

use std::fmt;

/// How the tests of one server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ran {
        passed: u32,
        failed: u32,
    },
    /// The test program ended before it could say how many passed.
    Broke,
    NotReached,
    /// The filter picks out no test of this family.
    NothingToRun,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    pub(super) seconds: f32,
    pub(super) version: String,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

impl Outcome {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ran { failed: 0, .. } => "ok",
            Self::Ran { .. } => "FAILED",
            Self::Broke => "BROKE OFF",
            Self::NotReached => "NOT REACHED",
            Self::NothingToRun => "no test",
        }
    }

    fn is_well(self) -> bool {
        matches!(self, Self::Ran { failed: 0, .. } | Self::NothingToRun)
    }
}

impl Table {
    /// Whether every server did well, and at least one had something to do.
    pub(super) fn is_well(&self) -> bool {
        let ran = |row: &Row| matches!(row.outcome, Outcome::Ran { passed, .. } if passed > 0);
        self.rows.iter().all(|row| row.outcome.is_well()) && self.rows.iter().any(ran)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = self.rows.iter().map(|row| row.name.len()).chain(["server".len()]).max().unwrap_or(0);
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 6]| {
            let [name, result, passed, failed, seconds, version] = cells;
            let line = format!("{name:<longest$}  {result:<11}  {passed:>6}  {failed:>6}  {seconds:>7}  {version}");
            writeln!(f, "{}", line.trim_end())
        };
        line(f, ["server", "result", "passed", "failed", "seconds", "version"])?;
        for Row { name, outcome, seconds, version } in &self.rows {
            let (passed, failed) = match outcome {
                Outcome::Ran { passed, failed } => (passed.to_string(), failed.to_string()),
                _ => ("-".to_owned(), "-".to_owned()),
            };
            line(f, [name, outcome.word(), &passed, &failed, &format!("{seconds:.1}"), version])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(outcomes: &[Outcome]) -> Table {
        let row = |(n, outcome): (usize, &Outcome)| Row {
            name: format!("server-{n}"),
            outcome: *outcome,
            seconds: 1.25,
            version: "15.14".to_owned(),
        };
        Table { rows: outcomes.iter().enumerate().map(row).collect() }
    }

    #[test]
    fn a_line_for_each_server() {
        let text = table(&[Outcome::Ran { passed: 12, failed: 1 }, Outcome::NotReached]).to_string();
        let expected = "\
server    result       passed  failed  seconds  version
server-0  FAILED           12       1      1.2  15.14
server-1  NOT REACHED       -       -      1.2  15.14
";
        assert_eq!(text, expected);
    }

    #[test]
    fn one_that_fails_spoils_it_and_so_does_a_filter_that_picks_nothing() {
        let (well, nothing) = (Outcome::Ran { passed: 1, failed: 0 }, Outcome::NothingToRun);
        assert!(table(&[well, nothing]).is_well());
        for spoilt in [Outcome::Ran { passed: 1, failed: 1 }, Outcome::Broke, Outcome::NotReached] {
            assert!(!table(&[well, spoilt]).is_well(), "{spoilt:?}");
        }
        assert!(!table(&[nothing, nothing]).is_well() && !table(&[]).is_well());
    }
}
