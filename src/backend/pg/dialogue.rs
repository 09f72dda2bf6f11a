//! What is sent for one table, in which order: nearly always one statement, more only when rows changed in between.

use diesel::{
    deserialize,
    pg::Pg,
    result::QueryResult,
    row::Row,
    sql_types::{Bool, Integer},
};

use super::{lock_query::LockQuery, lock_rows::LockRows, look_again::LookAgain};
use crate::{
    backend::{Exchange, Reader, TableDialogue},
    diesel_internals::{RowRef, Statement},
    error::{LockError, Result},
    mode::{Strength, Wait},
    sql::{Chosen, Finished, Found, List, PartInSet, Sight, TableName, Unheld, Wanted},
};

/// A limited query that loses a row each time it is asked again would keep a set busy for ever.
const MOST_LOOKS: usize = 1_000;

/// PostgreSQL's conversation about one table.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct PgTable<'a> {
    name: TableName,
    parts: Vec<PartInSet<'a, Pg>>,
    strength: Strength,
    step: Step,
    looks: usize,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// One query makes up the table's part: it locks by itself.
    LockQuery,
    LockRows,
    /// Part `.0` is unsettled: what do its queries say now that its rows are held?
    Look(usize),
    /// A limited query of part `.0` chose rows that are not held.
    LockMore(usize, Wait),
    Done,
}

impl<'a> PgTable<'a> {
    pub(super) fn new(name: TableName, mut parts: Vec<PartInSet<'a, Pg>>, strength: Strength) -> QueryResult<Self> {
        let queries: usize = parts.iter().map(|part| part.choices.len()).sum();
        let mixed = queries > 0 || parts.len() > 1;
        for part in &mut parts {
            part.part.prepare(mixed);
        }
        let asked = parts.iter().any(|part| part.part.wanted().has(List::Asked));
        let step = match (asked, &parts[..]) {
            (false, [part]) if queries == 1 && LockQuery::suits(&part.choices[0], &name)? => Step::LockQuery,
            (false, _) if queries == 0 => Step::Done,
            _ => Step::LockRows,
        };
        Ok(PgTable { name, parts, strength, step, looks: 0 })
    }

    fn next_unsettled(&self) -> Step {
        match self.parts.iter().position(|part| part.part.found().is_unsettled()) {
            Some(i) => Step::Look(i),
            None => Step::Done,
        }
    }
}

impl TableDialogue<Pg> for PgTable<'_> {
    fn exchange(&mut self) -> Option<Exchange<'_, Pg>> {
        let PgTable { name, parts, strength, .. } = self;
        let (name, strength) = (&*name, *strength);
        let (statement, reader) = match self.step {
            Step::Done => return None,
            Step::LockQuery => {
                let PartInSet { part, choices, .. } = parts.first_mut()?;
                let (wanted, found) = part.sides();
                let query = &*choices.first()?.query;
                let statement = Statement::new(LockQuery { name, wanted, query, strength });
                (statement, RowReader::new(vec![PartReader::new(wanted, found, &[])], Reading::Query))
            }
            Step::LockRows => {
                let (mut views, mut readers) = (Vec::new(), Vec::new());
                for PartInSet { part, choices, .. } in parts {
                    let (wanted, found) = part.sides();
                    readers.push(PartReader::new(wanted, found, choices));
                    views.push((wanted, &choices[..]));
                }
                let mixed = readers.len() > 1 || readers.iter().any(|reader| !reader.limited.is_empty());
                let reading = if mixed { Reading::Mixed } else { Reading::Keys };
                let lock = LockRows { name, parts: views, list: List::Asked, strength, wait: Wait::Block };
                (Statement::new(lock), RowReader::new(readers, reading))
            }
            Step::Look(i) => {
                let PartInSet { part, choices, .. } = parts.get_mut(i)?;
                let (wanted, found) = part.sides();
                let statement = Statement::new(LookAgain { name, wanted, choices });
                (statement, RowReader::new(vec![PartReader::new(wanted, found, &[])], Reading::Again))
            }
            Step::LockMore(i, wait) => {
                let (wanted, found) = parts.get_mut(i)?.part.sides();
                let lock = LockRows { name, parts: vec![(wanted, &[])], list: List::More, strength, wait };
                let readers = vec![PartReader::new(wanted, found, &[])];
                (Statement::new(lock), RowReader::new(readers, Reading::More))
            }
        };
        Some(Exchange { statement, reader: Box::new(reader) })
    }

    fn end_of_rows(&mut self) -> Result<()> {
        self.step = match self.step {
            Step::LockQuery | Step::Done => Step::Done,
            Step::LockRows => self.next_unsettled(),
            Step::Look(i) => {
                let part = &mut self.parts[i].part;
                match part.found().unheld() {
                    Unheld::None => self.next_unsettled(),
                    unheld => {
                        part.lock_more();
                        Step::LockMore(i, if unheld == Unheld::After { Wait::Block } else { Wait::SkipLocked })
                    }
                }
            }
            Step::LockMore(i, wait) => {
                let skipped = wait == Wait::SkipLocked && !self.parts[i].part.found().locked_all();
                self.looks += 1;
                if skipped || self.looks > MOST_LOOKS {
                    return Err(LockError::Moved { table: self.name.quoted().to_owned() });
                }
                Step::Look(i)
            }
        };
        if let Step::Look(i) = self.step {
            self.parts[i].part.look_again();
        }
        Ok(())
    }

    fn finish(self) -> Vec<Finished> {
        let PgTable { name, parts, .. } = self;
        parts.into_iter().map(|part| part.part.finish(&name)).collect()
    }
}

/// Reads the rows of one statement into the parts that it serves.
struct RowReader<'e> {
    parts: Vec<PartReader<'e>>,
    reading: Reading,
}

struct PartReader<'e> {
    found: &'e mut dyn Found<Pg>,
    width: usize,
    /// For each query of the part: has it a limit?
    limited: Vec<bool>,
}

/// What stands behind the models' columns.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// Nothing: every row was asked for by key.
    Keys,
    /// Nothing: every row was chosen by the one query.
    Query,
    /// One number per query, see [`LockRows`].
    Mixed,
    /// Two booleans, held and wanted, see [`LookAgain`].
    Again,
    /// Nothing: the row is held now.
    More,
}

impl<'e> PartReader<'e> {
    fn new(wanted: &dyn Wanted<Pg>, found: &'e mut dyn Found<Pg>, choices: &[Chosen<'_, Pg>]) -> Self {
        let limited = choices.iter().map(|choice| choice.shape.limited).collect();
        PartReader { found, width: wanted.width(), limited }
    }
}

impl<'e> RowReader<'e> {
    fn new(parts: Vec<PartReader<'e>>, reading: Reading) -> Self {
        RowReader { parts, reading }
    }
}

impl Reader<Pg> for RowReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        let mut column = 0;
        let mut extra: usize = self.parts.iter().map(|part| part.width).sum();
        for part in &mut self.parts {
            let own = row.window(column..column + part.width);
            column += part.width;
            let sight = match self.reading {
                Reading::Keys => Sight::Wanted,
                Reading::Query => Sight::Chosen { firm: true, limited: false, doubtful: false, moved: false },
                Reading::Mixed => sight(row, &part.limited, &mut extra)?,
                Reading::Again => Sight::Again {
                    held: row.get_value::<Bool, bool, _>(extra)?,
                    wanted: row.get_value::<Bool, bool, _>(extra + 1)?,
                },
                Reading::More => Sight::More,
            };
            part.found.read(&own, sight)?;
        }
        Ok(())
    }
}

fn sight(row: &RowRef<'_, Pg>, queries: &[bool], column: &mut usize) -> deserialize::Result<Sight> {
    let (mut firm, mut limited, mut doubtful, mut moved) = (false, false, false, false);
    for has_limit in queries {
        match (row.get_value::<Integer, i32, _>(*column)?, has_limit) {
            (1, false) => firm = true,
            (1, true) => limited = true,
            (2, false) => doubtful = true,
            (2, true) => moved = true,
            _ => {}
        }
        *column += 1;
    }
    Ok(Sight::Chosen { firm, limited, doubtful, moved })
}
