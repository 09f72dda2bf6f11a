//! Reads the rows of one statement into the parts that it serves.

use diesel::{
    deserialize,
    pg::Pg,
    row::Row,
    sql_types::{BigInt, Bool, Integer, Nullable},
};

use super::words::groups;
use crate::{
    backend::Reader,
    diesel_internals::RowRef,
    sql::{Chosen, Found, List, Sight, Wanted},
};

/// The reader of one statement.
pub(super) struct RowReader<'e> {
    parts: Vec<PartReader<'e>>,
    reading: Reading,
    /// Last come whether this is a row at all, and whether anything was chosen, see [`LockRows::says_if_empty`].
    told_if_empty: bool,
}

pub(super) struct PartReader<'e> {
    found: &'e mut dyn Found<Pg>,
    width: usize,
    /// Before the groups' numbers stands whether the row was asked for by key.
    asked: bool,
    /// For each group of the part's queries: have they limits, and does each evaluate under the lock all that it depends on?
    groups: Vec<(bool, bool)>,
    /// Behind each group's number stands how many rows it chose.
    counts: bool,
}

/// What stands behind the models' columns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// Nothing: every row was asked for by key.
    Keys,
    /// Nothing: every row was chosen by the one query.
    Query,
    /// One number per group of queries, see [`LockRows`].
    Mixed,
    /// Two booleans, held and wanted, see [`LookAgain`].
    Again,
    /// Nothing: the row is held now.
    More,
    /// The place on the list of the key that the row was found by, see [`SameRows`](super::same_rows::SameRows).
    Same {
        /// What is not held was skipped.
        skips: bool,
    },
}

impl<'e> PartReader<'e> {
    pub(super) fn new(wanted: &dyn Wanted<Pg>, found: &'e mut dyn Found<Pg>, choices: &[Chosen<'_, Pg>]) -> Self {
        let own =
            |limited| choices.iter().filter(|chosen| chosen.shape.limited == limited).all(|chosen| chosen.text.own);
        let groups = groups(choices).map(|limited| (limited, own(limited))).collect();
        PartReader { found, width: wanted.width(), asked: wanted.has(List::Asked), groups, counts: false }
    }

    pub(super) fn counting(self, counts: bool) -> Self {
        PartReader { counts, ..self }
    }

    fn sight(&mut self, row: &RowRef<'_, Pg>, column: &mut usize) -> deserialize::Result<Sight> {
        let (mut asked, mut firm, mut limited, mut doubtful, mut moved) = (false, false, false, false, false);
        if self.asked {
            asked = row.get_value::<Bool, bool, _>(*column)?;
            *column += 1;
        }
        for (group, (has_limit, own)) in self.groups.iter().enumerate() {
            let number = row.get_value::<Integer, i32, _>(*column)?;
            // That the row is as it was says nothing about the other rows that its query depends on.
            match (number, has_limit) {
                (0, _) => {}
                (1, false) if *own => firm = true,
                (1, true) if *own => limited = true,
                (_, false) => doubtful = true,
                (_, true) => moved = true,
            }
            *column += 1;
            if self.counts || *has_limit {
                self.found.count(group, row.get_value::<BigInt, i64, _>(*column)?, number != 0);
                *column += 1;
            }
        }
        Ok(Sight::Chosen { asked, firm, limited, doubtful, moved })
    }
}

impl<'e> RowReader<'e> {
    pub(super) fn new(parts: Vec<PartReader<'e>>, reading: Reading) -> Self {
        RowReader { parts, reading, told_if_empty: false }
    }

    pub(super) fn told_if_empty(self, told_if_empty: bool) -> Self {
        RowReader { told_if_empty, ..self }
    }

    /// No row came back; was any chosen?
    fn empty(&self, row: &RowRef<'_, Pg>) -> deserialize::Result<Option<bool>> {
        let last = row.field_count() - 1;
        if !self.told_if_empty || row.get_value::<Nullable<Bool>, Option<bool>, _>(last - 1)?.is_some() {
            return Ok(None);
        }
        row.get_value::<Bool, bool, _>(last).map(Some)
    }
}

impl Reader<Pg> for RowReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        if let Some(chosen) = self.empty(row)? {
            self.parts.iter_mut().for_each(|part| part.found.none_came(chosen));
            return Ok(());
        }
        let mut column = 0;
        let mut extra: usize = self.parts.iter().map(|part| part.width).sum();
        for part in &mut self.parts {
            let own = row.window(column..column + part.width);
            column += part.width;
            let sight = match self.reading {
                Reading::Keys => Sight::Wanted,
                Reading::Query => {
                    Sight::Chosen { asked: false, firm: true, limited: false, doubtful: false, moved: false }
                }
                Reading::Mixed => part.sight(row, &mut extra)?,
                Reading::Again => Sight::Again {
                    held: row.get_value::<Bool, bool, _>(extra)?,
                    wanted: row.get_value::<Bool, bool, _>(extra + 1)?,
                },
                Reading::More => Sight::More,
                Reading::Same { skips } => {
                    let unknown = usize::try_from(row.get_value::<BigInt, i64, _>(extra)? - 1)?;
                    Sight::Same { unknown, skipped: skips }
                }
            };
            part.found.read(&own, sight)?;
        }
        Ok(())
    }
}
