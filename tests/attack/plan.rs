//! What is attacked, one phase after the other.

use crate::{
    book::Rule::{self, Deadlock, Error, Exact, Fresh, Least, Once, Order, Whole},
    phases::{Change, Class, Family, Level, Open, Phase, Play, Sets},
};

const KEYS: Sets = Sets {
    class: None,
    limits: false,
    two_models: false,
    two_names: false,
    counts: false,
    old_snapshots: false,
    cancels: false,
    alone: false,
    changes: &[Change::Update, Change::Mark, Change::Slot, Change::Pass],
};

/// Most of all, rows that come and go.
const PASSING: &[Change] = &[Change::Pass, Change::Pass, Change::Update];

const UPDATES: &[Change] = &[Change::Update, Change::Mark, Change::Slot];

const fn queries(class: Class) -> Sets {
    Sets { class: Some(class), limits: true, changes: UPDATES, ..KEYS }
}

fn everywhere(_: Family, _: Level) -> bool {
    true
}

fn nowhere(_: Family, _: Level) -> Option<Open> {
    None
}

pub(crate) const PHASES: &[Phase] = &[
    Phase { name: "keys", play: Play::Sets(KEYS), on: everywhere, known: nowhere },
    Phase {
        name: "keys alone",
        play: Play::Sets(Sets { alone: true, changes: UPDATES, ..KEYS }),
        on: everywhere,
        known: nowhere,
    },
    Phase {
        name: "queries alone",
        play: Play::Sets(Sets { alone: true, ..queries(Class::Own) }),
        on: everywhere,
        known: nowhere,
    },
    Phase {
        name: "queries",
        play: Play::Sets(Sets { limits: false, ..queries(Class::Own) }),
        on: everywhere,
        known: nowhere,
    },
    Phase { name: "limited queries", play: Play::Sets(queries(Class::Own)), on: everywhere, known: nowhere },
    Phase { name: "jobs", play: Play::Jobs(Class::Own), on: everywhere, known: nowhere },
    Phase {
        name: "raw SQL about the own table",
        play: Play::Sets(queries(Class::Raw)),
        on: everywhere,
        known: |family, level| {
            let open = family == Family::Mysql && level != Level::ReadCommitted;
            open.then_some(Open { kind: "a snapshot is asked", rules: ELSEWHERE })
        },
    },
    Phase {
        name: "cancels",
        play: Play::Sets(Sets { cancels: true, ..queries(Class::Own) }),
        on: everywhere,
        known: nowhere,
    },
    Phase {
        name: "queries beside deletes",
        play: Play::Sets(Sets { changes: PASSING, ..queries(Class::Own) }),
        on: everywhere,
        known: |family, _| {
            (family == Family::Mysql)
                .then_some(Open { kind: "sets over deleted rows", rules: &[Deadlock, Least, Whole] })
        },
    },
    Phase {
        name: "re-inserted rows",
        play: Play::Sets(Sets { changes: &[Change::Update, Change::Mark, Change::Replace], ..queries(Class::Own) }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "missing after a re-insert", rules: &[Whole, Order, Deadlock, Least] }),
    },
    Phase {
        name: "two models",
        play: Play::Sets(Sets { two_models: true, changes: PASSING, ..queries(Class::Own) }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "limited queries of two models", rules: &[Whole, Deadlock, Least] }),
    },
    Phase {
        name: "old snapshots",
        play: Play::Sets(Sets { old_snapshots: true, changes: PASSING, ..KEYS }),
        on: |_, level| level == Level::RepeatableRead,
        known: |family, _| {
            (family == Family::Mysql).then_some(Open { kind: "busy although nobody holds it", rules: &[Whole] })
        },
    },
    Phase {
        name: "one table, two names",
        play: Play::Sets(Sets { two_names: true, ..KEYS }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "the key in another order", rules: &[Deadlock, Whole, Order, Error] }),
    },
    Phase {
        name: "columns from elsewhere",
        play: Play::Sets(Sets { counts: true, changes: UPDATES, ..KEYS }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "a select expression with a subquery", rules: &[Fresh, Error] }),
    },
    Phase {
        name: "subqueries",
        play: Play::Sets(queries(Class::Subquery)),
        on: everywhere,
        known: |_, _| Some(Open { kind: "a subquery on another table", rules: ELSEWHERE }),
    },
    Phase {
        name: "subqueries on the own table",
        play: Play::Sets(queries(Class::Alias)),
        on: everywhere,
        known: |_, _| Some(Open { kind: "the own table under an alias", rules: ELSEWHERE }),
    },
    Phase {
        name: "functions that read",
        play: Play::Sets(queries(Class::Function)),
        on: everywhere,
        known: |_, _| Some(Open { kind: "functions that read tables", rules: ELSEWHERE }),
    },
    Phase {
        name: "joins",
        play: Play::Sets(queries(Class::Join)),
        on: everywhere,
        known: |_, _| Some(Open { kind: "conditions on a joined table", rules: ELSEWHERE }),
    },
    Phase {
        name: "jobs by a subquery",
        play: Play::Jobs(Class::Subquery),
        on: everywhere,
        known: |_, _| Some(Open { kind: "a subquery on another table", rules: &[Once] }),
    },
    Phase {
        name: "jobs by the own table",
        play: Play::Jobs(Class::Alias),
        on: everywhere,
        known: |_, _| Some(Open { kind: "the own table under an alias", rules: &[Once] }),
    },
    Phase {
        name: "jobs by a function",
        play: Play::Jobs(Class::Function),
        on: everywhere,
        known: |_, _| Some(Open { kind: "functions that read tables", rules: &[Once] }),
    },
    Phase { name: "jobs by a join", play: Play::Jobs(Class::Join), on: everywhere, known: nowhere },
    Phase {
        name: "jobs beside a trigger",
        play: Play::Jobs(Class::Trigger),
        on: |family, _| family == Family::Postgres,
        known: |_, _| Some(Open { kind: "a trigger that refuses", rules: &[Once] }),
    },
    Phase {
        name: "key updates",
        play: Play::Sets(Sets {
            changes: &[Change::Update, Change::Slot, Change::Rekey, Change::Pass],
            ..queries(Class::Own)
        }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "not promised", rules: &[Deadlock, Order, Whole, Least] }),
    },
];

/// What a query that looks elsewhere may break: rows that do not match, and what is left of a limit.
const ELSEWHERE: &[Rule] = &[Exact, Deadlock, Least, Whole];

#[cfg(test)]
mod tests {
    use super::{Family, Level, PHASES};
    use crate::book::Rule::{Held, Kept};

    /// Whatever is open, some rules are held everywhere.
    #[test]
    fn no_phase_is_open_for_everything() {
        for phase in PHASES {
            for (family, level) in
                [Family::Postgres, Family::Mysql].into_iter().flat_map(|f| Level::ALL.map(|l| (f, l)))
            {
                for open in phase.open(family, level) {
                    assert!(!open.rules.contains(&Held) && !open.rules.contains(&Kept), "{}: {open:?}", phase.name);
                }
            }
        }
    }
}
