//! The sessions of a deadlock, as the server's error lists them.

use diesel::result::Error as DieselError;

use super::LockError;

impl LockError {
    /// Returns the sessions of a [`Deadlock`](Self::Deadlock): each waited for the next one, and the last for the first, which is the session
    /// of this call. Empty for every other error, and where the server does not list them: on MySQL and MariaDB.
    ///
    /// On PostgreSQL they are the process ids of the [detail](diesel::result::DatabaseErrorInformation::details) of the server's error, in any
    /// language. The server's log has their statements. They are not asked for: nothing is sent.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let error = LockError::NotInTransaction;
    /// if let [this, others @ ..] = &error.deadlocked_sessions()[..] {
    ///     eprintln!("session {this} gave way; the others are {others:?}");
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn deadlocked_sessions(&self) -> Vec<i64> {
        match self {
            LockError::Deadlock { source, .. } => deadlocked_sessions(source),
            LockError::RetriesExhausted { source, .. } => {
                source.downcast_ref::<LockError>().map_or_else(Vec::new, LockError::deadlocked_sessions)
            }
            _ => Vec::new(),
        }
    }
}

/// Returns the sessions that the server's error lists, as [`LockError::deadlocked_sessions`] does.
pub(crate) fn deadlocked_sessions(error: &DieselError) -> Vec<i64> {
    match error {
        DieselError::DatabaseError(_, info) => info.details().and_then(circle).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Reads the circle: "Process 7 waits for ShareLock on transaction 90; blocked by process 8.", one line for each process. The first number
/// of a line is the process that waits, and the last one is the first number of the next line. A text that is not so is not understood.
fn circle(detail: &str) -> Option<Vec<i64>> {
    let ends = |line: &str| {
        let mut numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<i64>().ok());
        let first = numbers.next()?;
        Some((first, numbers.next_back()?))
    };
    let lines: Vec<(i64, i64)> = detail.lines().map(ends).collect::<Option<_>>()?;
    let next = lines.iter().cycle().skip(1);
    let closed = lines.len() > 1 && lines.iter().zip(next).all(|(line, next)| line.1 == next.0);
    closed.then(|| lines.iter().map(|line| line.0).collect())
}

#[cfg(test)]
mod tests {
    use super::circle;

    #[test]
    fn a_circle_is_read_if_it_is_one() {
        let three = "Process 71 waits for ShareLock on transaction 90; blocked by process 82.\n\
                     Process 82 waits for ExclusiveLock on tuple (0,1) of relation 71 of database 5; blocked by process 93.\n\
                     Process 93 waits for ShareLock on transaction 91; blocked by process 71.";
        assert_eq!(circle(three), Some(vec![71, 82, 93]));
        for other in [
            "",
            "Process 71 waits for ShareLock on transaction 90; blocked by process 71.",
            "Process 71 waits for ShareLock on transaction 90; blocked by process 82.\nProcess 83 waits; blocked by process 71.",
            "Process 71 waits for ShareLock on transaction 90; blocked by process 82.\nand more",
            "blocked by 82 is process 71\nblocked by 71 is process 83",
        ] {
            assert_eq!(circle(other), None, "{other}");
        }
    }
}
