//! What is attacked, one phase after the other.

use crate::{
    book::Rule::{Deadlock, Error, Exact, Fresh, Least, Once, Order, Whole},
    phases::{Change, Class, Family, Level, Open, Phase, Play, Sets, keeps_a_snapshot},
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

/// Of a transaction that must not deadlock with another of its kind: under REPEATABLE READ two that mark rows can, since InnoDB locks the gap
/// in which there is no mark yet.
const ALONE: &[Change] = &[Change::Update, Change::Slot];

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
        play: Play::Sets(Sets { alone: true, changes: ALONE, ..KEYS }),
        on: everywhere,
        known: nowhere,
    },
    Phase {
        name: "queries alone",
        play: Play::Sets(Sets { alone: true, changes: ALONE, ..queries(Class::Own) }),
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
        known: nowhere,
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
        known: nowhere,
    },
    Phase {
        name: "re-inserted rows",
        play: Play::Sets(Sets { changes: &[Change::Update, Change::Mark, Change::Replace], ..queries(Class::Own) }),
        on: everywhere,
        known: |family, _| {
            // Like any row that begins to match when the query has been run.
            (family == Family::Postgres)
                .then_some(Open { kind: "a query does not find a row that came anew", rules: &[Whole] })
        },
    },
    Phase {
        name: "two models",
        play: Play::Sets(Sets { two_models: true, changes: PASSING, ..queries(Class::Own) }),
        on: everywhere,
        known: nowhere,
    },
    Phase {
        name: "old snapshots",
        play: Play::Sets(Sets { old_snapshots: true, changes: PASSING, ..KEYS }),
        on: |_, level| level == Level::RepeatableRead,
        known: nowhere,
    },
    Phase {
        name: "one table, two names",
        play: Play::Sets(Sets { two_names: true, ..KEYS }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "two sets by two keys, not promised", rules: &[Deadlock] }),
    },
    Phase {
        name: "columns from elsewhere",
        play: Play::Sets(Sets { counts: true, changes: UPDATES, ..KEYS }),
        on: everywhere,
        known: |_, _| Some(Open { kind: "as old as the statement, not promised", rules: &[Fresh, Error] }),
    },
    Phase { name: "subqueries", play: Play::Sets(queries(Class::Subquery)), on: everywhere, known: in_an_order },
    Phase {
        name: "subqueries on the own table",
        play: Play::Sets(queries(Class::Alias)),
        on: everywhere,
        known: in_an_order,
    },
    Phase {
        name: "functions that read",
        play: Play::Sets(queries(Class::Function)),
        on: everywhere,
        known: in_an_order,
    },
    Phase { name: "joins", play: Play::Sets(queries(Class::Join)), on: everywhere, known: in_an_order },
    Phase { name: "jobs by a subquery", play: Play::Jobs(Class::Subquery), on: where_it_is_answered, known: nowhere },
    Phase { name: "jobs by the own table", play: Play::Jobs(Class::Alias), on: where_it_is_answered, known: nowhere },
    Phase { name: "jobs by a function", play: Play::Jobs(Class::Function), on: where_it_is_answered, known: nowhere },
    Phase { name: "jobs by a join", play: Play::Jobs(Class::Join), on: where_it_is_answered, known: nowhere },
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

/// Where a condition on other rows is answered, and not refused.
fn where_it_is_answered(family: Family, level: Level) -> bool {
    !keeps_a_snapshot(family, level)
}

/// Under SERIALIZABLE a transaction may come before the one that has changed what its conditions read, though it ends later: the answer is
/// that of the order that the server finds at the commit, and not of the moment.
fn in_an_order(family: Family, level: Level) -> Option<Open> {
    let ordered = family == Family::Postgres && level == Level::Serializable;
    ordered.then_some(Open { kind: "right in an order of transactions", rules: &[Exact, Whole] })
}

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
                if let Some(open) = (phase.known)(family, level) {
                    assert!(!open.rules.contains(&Held) && !open.rules.contains(&Kept), "{}: {open:?}", phase.name);
                }
            }
        }
    }
}
