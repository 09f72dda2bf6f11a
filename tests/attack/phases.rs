//! What is attacked, one phase after the other, and which rules are known to break where.

use crate::book::Rule::{self, Deadlock, Error, Exact, Fresh, Least, Once, Order, Whole};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Postgres,
    Mysql,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Level {
    pub(crate) const ALL: [Level; 3] = [Level::ReadCommitted, Level::RepeatableRead, Level::Serializable];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Level::ReadCommitted => "READ COMMITTED",
            Level::RepeatableRead => "REPEATABLE READ",
            Level::Serializable => "SERIALIZABLE",
        }
    }

    pub(crate) fn short(self) -> &'static str {
        match self {
            Level::ReadCommitted => "RC",
            Level::RepeatableRead => "RR",
            Level::Serializable => "SER",
        }
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Columns of the row itself.
    Own,
    /// Columns of the row itself, named with their table in raw SQL.
    Raw,
    /// A subquery on another table.
    Subquery,
    /// A subquery on the own table.
    Alias,
    /// A function that reads tables.
    Function,
    /// A column of a joined table.
    Join,
    /// Columns of the row itself, and some rows cannot be changed.
    Trigger,
}

/// What writers do to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Columns other than the key.
    Update,
    /// The mark of a piece, under its lock.
    Mark,
    /// A row of `slots`.
    Slot,
    /// A passing piece is deleted, or inserted.
    Pass,
    /// A lasting piece is deleted and inserted again, in one transaction.
    Replace,
    /// A passing piece gets another key.
    Rekey,
}

#[derive(Debug)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) play: Play,
    /// Where it is run.
    pub(crate) on: fn(Family, Level) -> bool,
    /// What is known to break, and is counted, not forbidden. See [`Phase::open`].
    open: fn(Family, Level) -> Option<Open>,
}

impl Phase {
    /// What is known to break in it, all kinds.
    pub(crate) fn open(&self, family: Family, level: Level) -> Vec<Open> {
        let locks = family == Family::Mysql && level == Level::Serializable && matches!(self.play, Play::Sets(_));
        (self.open)(family, level).into_iter().chain(locks.then_some(UPGRADES)).collect()
    }

    /// Whether statements are canceled and sessions ended.
    pub(crate) fn cancels(&self) -> bool {
        matches!(&self.play, Play::Sets(sets) if sets.cancels)
    }

    /// Whether sets are alone with writers of one row.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(&self.play, Play::Sets(sets) if sets.alone)
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) kind: &'static str,
    pub(crate) rules: &'static [Rule],
}

#[derive(Debug)]
pub(crate) enum Play {
    Sets(Sets),
    Jobs(Class),
}

/// Sessions that lock sets, some that work on what they locked or picked, and some that write by hand.
#[derive(Debug)]
pub(crate) struct Sets {
    /// What the queries are about; none without it.
    pub(crate) class: Option<Class>,
    pub(crate) limits: bool,
    /// A second model of the table, with keys or a limited query of its own.
    pub(crate) two_models: bool,
    /// A second `table!` of a table, with its key the other way round.
    pub(crate) two_names: bool,
    /// A model whose columns look into another table.
    pub(crate) counts: bool,
    /// A transaction may have read before it locks.
    pub(crate) old_snapshots: bool,
    /// Statements are canceled and sessions ended.
    pub(crate) cancels: bool,
    /// Besides sessions that lock one set there are only those that write one row each time: who writes never waits with a row
    /// in hand, so every deadlock is one of sets alone, whether the server tells it or not.
    pub(crate) alone: bool,
    pub(crate) changes: &'static [Change],
}

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

/// Of every set on MySQL and MariaDB under SERIALIZABLE: a query of it, and the look of one that does not wait, are plain reads.
const UPGRADES: Open = Open { kind: "plain reads of SERIALIZABLE lock", rules: &[Deadlock, Least, Whole] };

pub(crate) const PHASES: &[Phase] = &[
    Phase { name: "keys", play: Play::Sets(KEYS), on: everywhere, open: nowhere },
    Phase {
        name: "keys alone",
        play: Play::Sets(Sets { alone: true, changes: UPDATES, ..KEYS }),
        on: everywhere,
        open: nowhere,
    },
    Phase {
        name: "queries alone",
        play: Play::Sets(Sets { alone: true, ..queries(Class::Own) }),
        on: everywhere,
        open: nowhere,
    },
    Phase {
        name: "queries",
        play: Play::Sets(Sets { limits: false, ..queries(Class::Own) }),
        on: everywhere,
        open: nowhere,
    },
    Phase { name: "limited queries", play: Play::Sets(queries(Class::Own)), on: everywhere, open: nowhere },
    Phase { name: "jobs", play: Play::Jobs(Class::Own), on: everywhere, open: nowhere },
    Phase {
        name: "raw SQL about the own table",
        play: Play::Sets(queries(Class::Raw)),
        on: everywhere,
        open: |family, level| {
            let open = family == Family::Mysql && level != Level::ReadCommitted;
            open.then_some(Open { kind: "a snapshot is asked", rules: ELSEWHERE })
        },
    },
    Phase {
        name: "cancels",
        play: Play::Sets(Sets { cancels: true, ..queries(Class::Own) }),
        on: everywhere,
        open: nowhere,
    },
    Phase {
        name: "queries beside deletes",
        play: Play::Sets(Sets { changes: KEYS.changes, ..queries(Class::Own) }),
        on: everywhere,
        open: |family, _| {
            (family == Family::Mysql)
                .then_some(Open { kind: "sets over deleted rows", rules: &[Deadlock, Least, Whole] })
        },
    },
    Phase {
        name: "re-inserted rows",
        play: Play::Sets(Sets { changes: &[Change::Update, Change::Mark, Change::Replace], ..queries(Class::Own) }),
        on: everywhere,
        open: |_, _| Some(Open { kind: "missing after a re-insert", rules: &[Whole, Order, Deadlock, Least] }),
    },
    Phase {
        name: "two models",
        play: Play::Sets(Sets { two_models: true, changes: KEYS.changes, ..queries(Class::Own) }),
        on: everywhere,
        open: |_, _| Some(Open { kind: "limited queries of two models", rules: &[Whole, Deadlock, Least] }),
    },
    Phase {
        name: "old snapshots",
        play: Play::Sets(Sets { old_snapshots: true, ..KEYS }),
        on: |_, level| level == Level::RepeatableRead,
        open: |family, _| {
            (family == Family::Mysql).then_some(Open { kind: "busy although nobody holds it", rules: &[Whole] })
        },
    },
    Phase {
        name: "one table, two names",
        play: Play::Sets(Sets { two_names: true, ..KEYS }),
        on: everywhere,
        open: |_, _| Some(Open { kind: "the key in another order", rules: &[Deadlock, Whole, Order, Error] }),
    },
    Phase {
        name: "columns from elsewhere",
        play: Play::Sets(Sets { counts: true, changes: UPDATES, ..KEYS }),
        on: everywhere,
        open: |_, _| Some(Open { kind: "a select expression with a subquery", rules: &[Fresh, Error] }),
    },
    Phase {
        name: "subqueries",
        play: Play::Sets(queries(Class::Subquery)),
        on: everywhere,
        open: |_, _| Some(Open { kind: "a subquery on another table", rules: ELSEWHERE }),
    },
    Phase {
        name: "subqueries on the own table",
        play: Play::Sets(queries(Class::Alias)),
        on: everywhere,
        open: |_, _| Some(Open { kind: "the own table under an alias", rules: ELSEWHERE }),
    },
    Phase {
        name: "functions that read",
        play: Play::Sets(queries(Class::Function)),
        on: everywhere,
        open: |_, _| Some(Open { kind: "functions that read tables", rules: ELSEWHERE }),
    },
    Phase {
        name: "joins",
        play: Play::Sets(queries(Class::Join)),
        on: everywhere,
        open: |_, _| Some(Open { kind: "conditions on a joined table", rules: ELSEWHERE }),
    },
    Phase {
        name: "jobs by a subquery",
        play: Play::Jobs(Class::Subquery),
        on: everywhere,
        open: |_, _| Some(Open { kind: "a subquery on another table", rules: &[Once] }),
    },
    Phase {
        name: "jobs by the own table",
        play: Play::Jobs(Class::Alias),
        on: everywhere,
        open: |_, _| Some(Open { kind: "the own table under an alias", rules: &[Once] }),
    },
    Phase {
        name: "jobs by a function",
        play: Play::Jobs(Class::Function),
        on: everywhere,
        open: |_, _| Some(Open { kind: "functions that read tables", rules: &[Once] }),
    },
    Phase { name: "jobs by a join", play: Play::Jobs(Class::Join), on: everywhere, open: nowhere },
    Phase {
        name: "jobs beside a trigger",
        play: Play::Jobs(Class::Trigger),
        on: |family, _| family == Family::Postgres,
        open: |_, _| Some(Open { kind: "a trigger that refuses", rules: &[Once] }),
    },
    Phase {
        name: "key updates",
        play: Play::Sets(Sets {
            changes: &[Change::Update, Change::Slot, Change::Rekey, Change::Pass],
            ..queries(Class::Own)
        }),
        on: everywhere,
        open: |_, _| Some(Open { kind: "not promised", rules: &[Deadlock, Order, Whole, Least] }),
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
