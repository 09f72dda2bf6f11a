//! Counts of one server, as text and as JSON.

use std::fmt;

use crate::proxy::Count;

/// The counts of one verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) verb: String,
    /// In the first call on a connection.
    pub(crate) cold: Count,
    /// In each call after the first.
    pub(crate) warm: Count,
}

/// The counts of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) server: String,
    pub(crate) version: String,
    pub(crate) lines: Vec<Line>,
}

impl Counts {
    pub(crate) fn of(&self, verb: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.verb == verb)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.lines.iter().map(|line| line.verb.len()).max().unwrap_or(0);
        writeln!(f, "{} {}", self.server, self.version)?;
        writeln!(f, "{:widest$}  cold  warm  bytes cold  bytes warm", "verb")?;
        self.lines.iter().try_for_each(|Line { verb, cold, warm }| {
            writeln!(f, "{verb:widest$}  {:>4}  {:>4}  {:>10}  {:>10}", cold.trips, warm.trips, cold.bytes, warm.bytes)
        })
    }
}

/// `{"postgres":{"lock_by_id":{"cold":2,"warm":1,"cold_bytes":500,"warm_bytes":100}, ..}, ..}`
pub(crate) fn json(counts: &[Counts]) -> String {
    let line = |Line { verb, cold, warm }: &Line| {
        format!(
            r#""{verb}":{{"cold":{},"warm":{},"cold_bytes":{},"warm_bytes":{}}}"#,
            cold.trips, warm.trips, cold.bytes, warm.bytes
        )
    };
    let server = |Counts { server, lines, .. }: &Counts| {
        format!(r#""{server}":{{{}}}"#, lines.iter().map(line).collect::<Vec<_>>().join(","))
    };
    format!("{{{}}}", counts.iter().map(server).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_trips_is_one_line_by_server_and_verb() {
        let count = |trips, bytes| Count { trips, bytes };
        let lines = vec![Line { verb: "lock".to_owned(), cold: count(2, 300), warm: count(1, 100) }];
        let counts = |server: &str| Counts { server: server.to_owned(), version: "1".to_owned(), lines: lines.clone() };
        let line = r#"{"lock":{"cold":2,"warm":1,"cold_bytes":300,"warm_bytes":100}}"#;
        assert_eq!(json(&[counts("a"), counts("b")]), format!(r#"{{"a":{line},"b":{line}}}"#));
    }
}
