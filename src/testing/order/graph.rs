//! The tables and rows that were locked while others were held, of all transactions.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use super::circle::{LockCircle, OrderFinding, TakenWhileHeld};

/// A lock of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) table: String,
    pub(super) key: Option<String>,
    pub(super) statement: std::sync::Arc<str>,
}

impl Lock {
    fn name(&self) -> String {
        self.key.as_ref().map_or_else(|| self.table.clone(), |key| format!("{} {key}", self.table))
    }
}

/// An edge of the graph, seen at least once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    /// From one table to another.
    Tables(String, String),
    /// Between rows of a table: towards greater keys, or smaller ones.
    Keys(String, Direction),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    Up,
    Down,
}

/// The edges so far, each with its first evidence.
#[derive(Debug, Default)]
pub(super) struct Graph {
    edges: BTreeMap<Edge, TakenWhileHeld>,
    broken: BTreeSet<(String, String)>,
    pub(super) findings: Vec<OrderFinding>,
}

impl Graph {
    /// Notes that a lock is about to be taken while others are held. `place` is called if that is new. Returns the new findings.
    pub(super) fn taken(&mut self, held: &[Lock], taken: &Lock, place: fn() -> Option<String>) -> Vec<OrderFinding> {
        let mut found = Vec::new();
        for held in held {
            let Some(edge) = edge(held, taken) else { continue };
            if self.edges.contains_key(&edge) {
                continue;
            }
            let evidence = TakenWhileHeld {
                held: held.name(),
                held_by: held.statement.to_string(),
                taken: taken.name(),
                taken_by: taken.statement.to_string(),
                place: place(),
                tables: [held.table.clone(), taken.table.clone()],
            };
            let back = self.way_back(&edge);
            self.edges.insert(edge, evidence.clone());
            if let Some(mut steps) = back {
                steps.insert(0, evidence);
                found.push(OrderFinding::Circle(LockCircle { steps }));
            }
        }
        self.findings.extend(found.iter().cloned());
        found
    }

    /// Notes that a rule was broken. Returns the finding if it is the first time.
    pub(super) fn broken(
        &mut self,
        child: &str,
        parent: &str,
        statement: &str,
        place: fn() -> Option<String>,
    ) -> Option<OrderFinding> {
        if !self.broken.insert((child.to_owned(), parent.to_owned())) {
            return None;
        }
        let finding = OrderFinding::NotUnder {
            child: child.to_owned(),
            parent: parent.to_owned(),
            statement: statement.to_owned(),
            place: place(),
        };
        self.findings.push(finding.clone());
        Some(finding)
    }

    /// Returns the shortest way from the end of the edge to its beginning.
    fn way_back(&self, edge: &Edge) -> Option<Vec<TakenWhileHeld>> {
        let (from, to) = match edge {
            Edge::Tables(from, to) => (from, to),
            Edge::Keys(table, direction) => {
                let back = if *direction == Direction::Up { Direction::Down } else { Direction::Up };
                return self.edges.get(&Edge::Keys(table.clone(), back)).map(|evidence| vec![evidence.clone()]);
            }
        };
        let (mut seen, mut ways) = (BTreeSet::from([to]), vec![(to, Vec::new())]);
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for (at, way) in ways {
                for (edge, evidence) in &self.edges {
                    let Edge::Tables(begin, end) = edge else { continue };
                    if begin != at {
                        continue;
                    }
                    let way = [way.clone(), vec![evidence.clone()]].concat();
                    if end == from {
                        return Some(way);
                    }
                    if seen.insert(end) {
                        longer.push((end, way));
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

fn edge(held: &Lock, taken: &Lock) -> Option<Edge> {
    if held.table != taken.table {
        return Some(Edge::Tables(held.table.clone(), taken.table.clone()));
    }
    match compare(held.key.as_ref()?, taken.key.as_ref()?) {
        Ordering::Less => Some(Edge::Keys(held.table.clone(), Direction::Up)),
        Ordering::Greater => Some(Edge::Keys(held.table.clone(), Direction::Down)),
        Ordering::Equal => None,
    }
}

/// Any order of the keys serves, as long as it is always the same.
fn compare(one: &str, other: &str) -> Ordering {
    match (one.parse::<i128>(), other.parse::<i128>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => one.cmp(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(table: &str, key: &str) -> Lock {
        Lock { table: table.to_owned(), key: Some(key.to_owned()), statement: "".into() }
    }

    fn circles(graph: &mut Graph, locks: &[Lock]) -> usize {
        let found = |(at, taken): (usize, &Lock)| graph.taken(&locks[..at], taken, || None).len();
        locks.iter().enumerate().map(found).sum()
    }

    #[test]
    fn circles_of_tables_and_of_keys() {
        let graph = &mut Graph::default();
        assert_eq!(circles(graph, &[lock("a", "1"), lock("b", "1")]), 0);
        assert_eq!(circles(graph, &[lock("b", "1"), lock("c", "1")]), 0);
        assert_eq!(circles(graph, &[lock("a", "2"), lock("c", "1")]), 0);
        assert_eq!(circles(graph, &[lock("c", "1"), lock("a", "2")]), 1);
        assert_eq!(circles(graph, &[lock("c", "1"), lock("a", "2")]), 0, "once");
        let OrderFinding::Circle(circle) = &graph.findings[0] else { panic!("a circle") };
        assert_eq!(circle.steps.len(), 2, "the shortest");

        assert_eq!(circles(graph, &[lock("d", "9"), lock("d", "10")]), 0);
        assert_eq!(circles(graph, &[lock("d", "2"), lock("d", "2"), lock("d", "11")]), 0);
        assert_eq!(circles(graph, &[lock("d", "7"), lock("d", "5")]), 1);
    }
}
