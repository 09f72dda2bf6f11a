//! What a phase is: who does what in it, where it is run, and which rules are known to break there.

use crate::book::Rule;

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

/// Whether no statement of a transaction sees what was committed after its first one, and nobody finds out.
pub(crate) fn keeps_a_snapshot(family: Family, level: Level) -> bool {
    match level {
        Level::ReadCommitted => false,
        Level::RepeatableRead => true,
        Level::Serializable => family == Family::Mysql,
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

impl Class {
    /// Whether it is about the row's own columns, and its text says so.
    fn is_own(self) -> bool {
        matches!(self, Class::Own | Class::Trigger)
    }
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
    /// What is known to break, and is counted, not forbidden.
    pub(crate) known: fn(Family, Level) -> Option<Open>,
}

impl Phase {
    /// Whether some of its calls are to be refused.
    pub(crate) fn refuses(&self, family: Family, level: Level) -> bool {
        let plain_reads_lock = family == Family::Mysql && level == Level::Serializable;
        let keeps = keeps_a_snapshot(family, level);
        match &self.play {
            // Among the questions about the row itself are some that only the model knows to be so: in raw SQL, by a function, with a join.
            Play::Sets(sets) => sets.two_names || (sets.class.is_some() && keeps),
            Play::Jobs(class) => *class == Class::Trigger || plain_reads_lock || (!class.is_own() && keeps),
        }
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
