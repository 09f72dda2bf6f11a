//! `pinned.txt`: the counts that the verbs are held to. One section for each server, a line for each verb.

use std::{fs, path::PathBuf};

use crate::{
    counts::{Counts, Line},
    proxy::Count,
    shared::Result,
};

const HEAD: &str = "Round trips of each verb: in the first call on a connection (cold), and in each call after it (warm).\n\
                    Written by `cargo xtask bench trips --accept`, for the servers that it counts on.\n";

const HOW_TO_ACCEPT: &str =
    "The numbers are in benches/trips/pinned.txt. To accept what was counted: `cargo xtask bench trips --accept`\n";

/// The order of the sections.
const SERVERS: [(&str, &str); 3] = [("postgres", "PostgreSQL"), ("mariadb", "MariaDB"), ("mysql", "MySQL")];
/// Those that follow.
const ASYNC: [(&str, &str); 3] =
    [("postgres-async", "PostgreSQL"), ("mariadb-async", "MariaDB"), ("mysql-async", "MySQL")];

pub(crate) struct Pinned(Vec<Counts>);

impl Pinned {
    pub(crate) fn read() -> Result<Self> {
        Self::parse(&fs::read_to_string(file())?)
    }

    pub(crate) fn write(&self) -> Result<()> {
        Ok(fs::write(file(), self.text())?)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut all: Vec<Counts> = Vec::new();
        for line in text.strip_prefix(HEAD).unwrap_or(text).lines().filter(|line| !line.is_empty()) {
            let bad = || format!("pinned.txt: not understood: {line}");
            if let Some(head) = line.strip_prefix('[') {
                let (server, version) = head.trim_end_matches(']').split_once(' ').ok_or_else(bad)?;
                all.push(Counts { server: server.to_owned(), version: version.to_owned(), lines: vec![] });
                continue;
            }
            let (verb, trips) = line.rsplit_once(": ").ok_or_else(bad)?;
            let (cold, warm) = trips.split_once(' ').ok_or_else(bad)?;
            let count = |trips: &str| Ok::<_, String>(Count { trips: trips.parse().map_err(|_| bad())?, bytes: 0 });
            let line = Line { verb: verb.to_owned(), cold: count(cold)?, warm: count(warm)? };
            all.last_mut().ok_or_else(bad)?.lines.push(line);
        }
        Ok(Pinned(all))
    }

    fn text(&self) -> String {
        let section = |Counts { server, version, lines }: &Counts| {
            let line = |Line { verb, cold, warm }: &Line| format!("{verb}: {} {}\n", cold.trips, warm.trips);
            format!("\n[{server} {version}]\n{}", lines.iter().map(line).collect::<String>())
        };
        HEAD.to_owned() + &self.0.iter().map(section).collect::<String>()
    }

    fn of(&self, server: &str) -> Option<&Counts> {
        self.0.iter().find(|counts| counts.server == server)
    }

    /// Puts the counts in the place of those of the same server.
    pub(crate) fn accept(&mut self, counts: Counts) {
        self.0.retain(|pinned| pinned.server != counts.server);
        self.0.push(counts);
        self.0.sort_by_key(|counts| SERVERS.iter().chain(&ASYNC).position(|(server, _)| *server == counts.server));
    }

    /// Says which counts are not the pinned ones; nothing if all are.
    pub(crate) fn differences(&self, counted: &Counts) -> String {
        let server = &counted.server;
        let trips = |line: &Line| format!("{} cold, {} warm", line.cold.trips, line.warm.trips);
        let pinned = self.of(server);
        let pin = |verb: &str| pinned.and_then(|pinned| pinned.of(verb));
        let counted_lines = counted.lines.iter().filter_map(|line| match pin(&line.verb) {
            None => Some(format!("{server}: {}: {} counted, nothing pinned\n", line.verb, trips(line))),
            Some(pin) if trips(pin) == trips(line) => None,
            Some(pin) => Some(format!("{server}: {}: {} counted, {} pinned\n", line.verb, trips(line), trips(pin))),
        });
        let gone = pinned.into_iter().flat_map(|pinned| &pinned.lines).filter(|pin| counted.of(&pin.verb).is_none());
        let gone = gone.map(|pin| format!("{server}: {}: {} pinned, nothing counted\n", pin.verb, trips(pin)));
        let differences: String = counted_lines.chain(gone).collect();
        if differences.is_empty() {
            differences
        } else {
            format!("round trips have changed:\n{differences}{HOW_TO_ACCEPT}")
        }
    }

    /// The section of `RESULTS.md`.
    pub(crate) fn section(&self) -> String {
        let named = |servers: [(&'static str, _); 3]| servers.map(|(server, name)| Some((name, self.of(server)?)));
        let pinned: Vec<_> = named(SERVERS).into_iter().flatten().collect();
        let nonblocking: Vec<_> = named(ASYNC).into_iter().flatten().collect();
        let versions: Vec<_> = pinned.iter().map(|(name, counts)| format!("{name} {}", counts.version)).collect();
        format!(
            "## trips\n\n{}. To repeat it: `cargo xtask bench trips`.\n\n{EXPLAINED}\n\n{}\n{EXPLAINED_ASYNC}\n\n{}",
            versions.join("; "),
            table(&pinned),
            table(&nonblocking),
        )
    }
}

fn table(pinned: &[(&str, &Counts)]) -> String {
    let names: Vec<_> = pinned.iter().map(|(name, _)| *name).collect();
    let mut verbs: Vec<&str> = Vec::new();
    for line in pinned.iter().flat_map(|(_, counts)| &counts.lines) {
        if !verbs.contains(&line.verb.as_str()) {
            verbs.push(&line.verb);
        }
    }
    let cell = |line: &Line| format!("{} / {}", line.cold.trips, line.warm.trips);
    let row = |verb: &&str| {
        let cells = pinned.iter().map(|(_, counts)| counts.of(verb).map_or_else(String::new, cell));
        format!("| {verb} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    format!(
        "| verb | {} |\n| --- |{}\n{}",
        names.join(" | "),
        " --- |".repeat(names.len()),
        verbs.iter().map(row).collect::<String>(),
    )
}

const EXPLAINED: &str = "\
How often the client speaks and the server answers, counted by a proxy between the two: in the first call on a connection / in \
each call after it. The first call prepares its statements. A verb that needs a transaction is called in one whose `BEGIN` and \
`ROLLBACK` are not counted; a verb that begins one by itself, or needs none, is called outside, and all that it sends is counted. \
\"Held\": another session holds one of the rows, or the name. These numbers are pinned in `benches/trips/pinned.txt`, and a test \
holds them.";

const EXPLAINED_ASYNC: &str = "\
The main verbs over diesel-async, on a runtime with one thread; \"Diesel\" is diesel-async by hand. What an asynchronous client \
sends without waiting for the answer goes out with what follows, and is not counted.";

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/trips/pinned.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(server: &str, lines: &[(&str, u32, u32)]) -> Counts {
        let count = |trips| Count { trips, bytes: 0 };
        let line = |(verb, cold, warm): &(&str, u32, u32)| Line {
            verb: (*verb).to_owned(),
            cold: count(*cold),
            warm: count(*warm),
        };
        Counts { server: server.to_owned(), version: "1.0 (x)".to_owned(), lines: lines.iter().map(line).collect() }
    }

    #[test]
    fn what_is_accepted_is_read_again_and_other_servers_stay() {
        let mut pinned = Pinned::parse(HEAD).unwrap();
        for accepted in [
            counts("mysql", &[("a: b", 1, 2)]),
            counts("postgres", &[("lock", 2, 1), ("gone", 1, 1)]),
            counts("postgres", &[("lock", 3, 1)]),
        ] {
            pinned.accept(accepted);
        }
        let read = Pinned::parse(&pinned.text()).unwrap();
        assert_eq!(read.0, [counts("postgres", &[("lock", 3, 1)]), counts("mysql", &[("a: b", 1, 2)])]);
        assert!(Pinned::parse("lock: 1").is_err());
    }

    #[test]
    fn differences_name_server_verb_and_both_counts() {
        let pinned = Pinned(vec![counts("postgres", &[("same", 2, 1), ("other", 2, 1), ("gone", 1, 1)])]);
        let found = pinned.differences(&counts("postgres", &[("same", 2, 1), ("other", 2, 2), ("new", 4, 3)]));
        assert_eq!(
            found,
            format!(
                "round trips have changed:\npostgres: other: 2 cold, 2 warm counted, 2 cold, 1 warm pinned\n\
                 postgres: new: 4 cold, 3 warm counted, nothing pinned\npostgres: gone: 1 cold, 1 warm pinned, nothing counted\n\
                 {HOW_TO_ACCEPT}"
            )
        );
        assert_eq!(pinned.differences(&pinned.0[0]), "");
    }
}
