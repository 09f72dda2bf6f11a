//! The model: is this answer right? Asked while the locks are held, of the server through another session, and of the journal.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    time::Instant,
};

use diesel::{dsl::sql, prelude::*, sql_types::Integer};
use diesel_lockset::{LockError, Strength, error::RowName};

use super::{
    Conn, FAMILY,
    asked::Asked,
    clause,
    player::End,
    questions::Seen,
    wish::{Answer, Verb, Wait, Wish},
    witness::Witness,
    world::{Role, World},
};
use crate::{
    book::{Broken, Rule, Tally},
    phases::{Family, Level},
    schema::{OWN, Piece, Slot, own_keys},
};

pub(super) struct Judge<'w> {
    pub(super) world: &'w World<'w>,
    pub(super) thread: usize,
    pub(super) role: Role,
    pub(super) pid: i32,
    pub(super) operation: u64,
    /// What it does, in words.
    pub(super) what: String,
    pub(super) tally: Tally,
    /// When the transaction began, and when the call did.
    pub(super) since: i64,
    pub(super) called: i64,
    /// When its last probe ended, if it has not rested since.
    pub(super) probed: Option<Instant>,
    /// The session's own rows that the transaction has asked for.
    own: Vec<i32>,
    pub(super) witness: Witness,
}

impl<'w> Judge<'w> {
    pub(super) fn new(world: &'w World<'w>, thread: usize, role: Role, pid: i32) -> Self {
        let witness = Witness::new(world);
        let (what, tally) = (String::new(), Tally::default());
        let (operation, since, called, probed) = (0, 0, 0, None);
        Judge { world, thread, role, pid, operation, what, tally, since, called, probed, own: vec![], witness }
    }

    pub(super) fn broken(&mut self, rule: Rule, expected: impl Debug, got: impl Debug) {
        let Judge { world, thread, role, operation, what, .. } = self;
        let (phase, level) = (world.phase.name, world.level.text());
        self.tally.broken(rule, || {
            format!(
                "phase {phase:?}, {level}, session {thread} ({role:?}), operation {operation}\n  did      {what}\n  \
                 expected {expected:?}\n  got      {got:?}"
            )
        });
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        self.rest();
        self.since = self.world.journal.tick();
        self.own.clear();
    }

    /// The session is another one from here on.
    pub(super) fn replace(&mut self, pid: i32) {
        self.witness.wait_until_gone(self.pid);
        self.pid = pid;
    }

    /// A row is said to be missing.
    pub(super) fn missing(&mut self, row: &RowName) {
        let exists = match row.key().get::<i32>() {
            Some(key) => self.world.journal.existence_since(*key, self.since) == Some(true),
            // Nobody deletes a slot.
            None => true,
        };
        if exists {
            self.broken(Rule::Whole, "a row that existed all the time", format!("{row} is missing"));
        }
    }

    /// A row is said to be held by somebody else.
    pub(super) fn busy(&mut self, row: &RowName) {
        let Some(key) = row.key().get::<i32>() else { return };
        // There the record of a deleted row can be held by another who has asked for it, and no read tells.
        let tells = FAMILY == Family::Postgres || self.world.level == Level::ReadCommitted;
        if *key >= OWN {
            self.broken(Rule::Least, "a row that nobody else asks for", format!("{row} is busy"));
        } else if tells && self.world.journal.existence_since(*key, self.called) == Some(false) {
            self.broken(Rule::Whole, "a row that did not exist all the time is missing", format!("{row} is busy"));
        }
    }

    /// Checks the answer of a set.
    ///
    /// # Errors
    ///
    /// Those of the last question, which the session asks itself.
    pub(super) fn check(&mut self, wish: &Wish, answer: &Answer, conn: &mut Conn) -> Result<(), End> {
        let before = self.tally.broken.clone();
        let Answer { pieces, briefs, counted, slots, turned, missing, skipped } = answer;
        self.tally.rows += pieces.len() + briefs.len() + counted.len() + slots.len() + turned.len();
        let ids: Vec<i32> = pieces.iter().map(|row| row.id).collect();
        let brief_ids: Vec<i32> = briefs.iter().map(|row| row.id).collect();
        let counted_ids: Vec<i32> = counted.iter().map(|row| row.id).collect();
        self.ascending(&ids);
        self.ascending(&brief_ids);
        self.ascending(&counted_ids);
        self.ascending(&slots.iter().map(|row| (&row.area, row.number)).collect::<Vec<_>>());
        self.ascending(&turned.iter().map(|row| (row.number, &row.area)).collect::<Vec<_>>());

        // Of a key alone, others may change the rest of the row.
        let firm = wish.strength != Strength::KeyShare;
        let all: Vec<i32> = ids.iter().chain(&brief_ids).chain(&counted_ids).copied().collect();
        let seen = self.witness.seen(&all);
        if firm {
            for piece in pieces {
                self.fresh(Some(piece), seen.get(&piece.id).map(|seen| &seen.piece));
            }
            for brief in briefs {
                self.fresh(Some(brief.version), seen.get(&brief.id).map(|seen| seen.piece.version));
            }
            for row in counted {
                let fresh = seen.get(&row.id).map(|seen| (seen.piece.version, i64::from(seen.kind.is_some())));
                self.fresh(Some((row.version, row.marks)), fresh);
            }
            let turned = turned.iter().map(|row| (&row.area, row.number, row.version));
            for (area, number, version) in slots.iter().map(|row| (&row.area, row.number, row.version)).chain(turned) {
                let fresh = self.witness.version_of(area, number);
                self.fresh(Some(version), fresh);
            }
            self.exact(&ids, &wish.ids, wish.query, &seen);
            self.exact(&brief_ids, &wish.briefs, wish.brief_query, &seen);
        }
        let waits = wish.wait != Wait::Skip;
        self.complete(&ids, wish.query, waits);
        self.complete(&brief_ids, wish.brief_query, waits);

        if wish.verb == Verb::Set {
            self.classes("Piece", &wish.ids, &ids, missing, skipped);
            self.classes("Brief", &wish.briefs, &brief_ids, missing, skipped);
            self.classes("Counted", &wish.counted, &counted_ids, missing, skipped);
            let slots: Vec<(String, i32)> = slots.iter().map(|row| (row.area.clone(), row.number)).collect();
            self.classes("Slot", &wish.slots, &slots, missing, skipped);
            let turned: Vec<(i32, String)> = turned.iter().map(|row| (row.number, row.area.clone())).collect();
            self.classes("TurnedSlot", &wish.turned, &turned, missing, skipped);
        }
        missing.iter().for_each(|row| self.missing(row));
        skipped.iter().for_each(|row| self.busy(row));
        self.held(&all, slots, wish.strength, conn).inspect_err(|_| self.forget(before))?;
        self.least(wish);
        Ok(())
    }

    /// Checks the rows of a pick; what others see of them.
    pub(super) fn picked(
        &mut self,
        asked: Asked,
        rows: &[Piece],
        claimed: Option<i64>,
        conn: &mut Conn,
    ) -> Result<HashMap<i32, Seen>, End> {
        let before = self.tally.broken.clone();
        self.tally.rows += rows.len();
        let ids: Vec<i32> = rows.iter().map(|row| row.id).collect();
        let seen = self.witness.seen(&ids);
        for row in rows {
            let fresh = seen
                .get(&row.id)
                .map(|seen| Piece { version: claimed.unwrap_or(seen.piece.version), ..seen.piece.clone() });
            self.fresh(Some(row), fresh.as_ref());
        }
        self.exact(&ids, &[], Some(asked), &seen);
        self.held(&ids, &[], Strength::Update, conn).inspect_err(|_| self.forget(before))?;
        Ok(seen)
    }

    /// The session was ended while its answer was checked: others have changed the rows since, and rightly.
    fn forget(&mut self, before: BTreeMap<Rule, Broken>) {
        if self.world.phase.cancels() {
            self.tally.broken = before;
        }
    }

    fn ascending<K: PartialOrd + Debug>(&mut self, keys: &[K]) {
        if !keys.is_sorted_by(|one, next| one < next) {
            self.broken(Rule::Order, "keys that ascend", keys);
        }
    }

    fn fresh<R: PartialEq + Debug>(&mut self, got: Option<R>, seen: Option<R>) {
        if got != seen {
            self.broken(Rule::Fresh, seen, got);
        }
    }

    fn exact(&mut self, ids: &[i32], keys: &[i32], asked: Option<Asked>, seen: &HashMap<i32, Seen>) {
        let by_query: Vec<i32> = ids.iter().filter(|id| !keys.contains(id)).copied().collect();
        if by_query.is_empty() {
            return;
        }
        let Some(asked) = asked else {
            return self.broken(Rule::Exact, "rows that were asked for", by_query);
        };
        let chosen = self.witness.chosen(asked, &by_query);
        for id in &by_query {
            let seen = seen.get(id);
            let holds = seen.is_some_and(|seen| (asked.question.holds)(seen, asked.argument));
            if !holds || !chosen.contains(id) {
                self.broken(Rule::Exact, format!("rows that match {asked:?}"), (id, chosen.contains(id), seen));
            }
        }
        if asked.most().is_some_and(|most| by_query.len() > most) {
            self.broken(Rule::Exact, format!("no more rows than {asked:?}"), by_query);
        }
    }

    /// What matches all the time must be there.
    fn complete(&mut self, ids: &[i32], asked: Option<Asked>, waits: bool) {
        let Some((asked, always)) = asked.and_then(|asked| Some((asked, asked.question.always?))) else { return };
        let expected = always(asked.argument);
        let is_own = expected.iter().all(|id| *id >= OWN);
        if !waits && !is_own {
            return;
        }
        let found = expected.iter().filter(|id| ids.contains(id)).count();
        let wanted =
            asked.limit.map_or(expected.len(), |limit| expected.len().min(usize::try_from(limit).expect("few")));
        if found < wanted {
            self.broken(Rule::Whole, format!("{wanted} of {expected:?} for {asked:?}"), ids);
        }
    }

    /// Each key that was asked for ends in exactly one class.
    fn classes<K>(&mut self, model: &str, asked: &[K], locked: &[K], missing: &[RowName], skipped: &[RowName])
    where
        K: PartialEq + Debug + 'static,
    {
        let listed = |rows: &[RowName], key: &K| {
            rows.iter().any(|row| row.type_name() == model && row.key().get::<K>() == Some(key))
        };
        for key in asked {
            let classes = [locked.contains(key), listed(missing, key), listed(skipped, key)];
            if classes.iter().filter(|is_in| **is_in).count() != 1 {
                self.broken(Rule::Whole, format!("{model} {key:?} locked, missing or skipped"), classes);
            }
        }
    }

    /// Somebody holds the rows, and it is this session.
    fn held(&mut self, ids: &[i32], slots: &[Slot], strength: Strength, conn: &mut Conn) -> Result<(), End> {
        for id in self.sample(ids) {
            let row = format!("SELECT id FROM pieces WHERE id = {id}");
            self.held_row(&row, strength, conn)?;
        }
        if let Some(slot) = slots.first() {
            let row = format!("SELECT number FROM slots WHERE area = '{}' AND number = {}", slot.area, slot.number);
            self.held_row(&row, strength, conn)?;
        }
        Ok(())
    }

    fn held_row(&mut self, row: &str, strength: Strength, conn: &mut Conn) -> Result<(), End> {
        let free = self.witness.is_free(row);
        let again: QueryResult<Vec<i32>> = sql::<Integer>(&format!("{row} {}", clause(strength))).load(conn);
        match again {
            Ok(_) if free => self.broken(Rule::Held, "a row that is held", format!("others can lock it: {row}")),
            Ok(rows) if rows.len() != 1 => self.broken(Rule::Held, "the locked row", (row, rows)),
            Ok(_) => {}
            Err(error) => {
                let error = LockError::from(error);
                if !error.is_retryable() && !self.world.phase.cancels() {
                    self.broken(Rule::Held, "a row that this session holds", (row, &error));
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A row of this session's own that the transaction has not asked for is free.
    fn least(&mut self, wish: &Wish) {
        let keys = wish.ids.iter().chain(&wish.briefs).chain(&wish.counted).copied();
        let queries = wish.query.iter().chain(&wish.brief_query);
        let matches = queries.filter_map(|asked| Some((asked.question.always?)(asked.argument))).flatten();
        self.own.extend(keys.chain(matches).filter(|id| *id >= OWN));
        let Some(id) = own_keys(self.thread).find(|id| !self.own.contains(id)) else { return };
        let row = format!("SELECT id FROM pieces WHERE id = {id}");
        if !self.witness.is_free(&row) {
            self.broken(Rule::Least, "a row that nobody asked for is free", row);
        }
    }

    /// Two of them, others each time.
    fn sample(&self, ids: &[i32]) -> Vec<i32> {
        let first = usize::try_from(self.operation).unwrap_or(0);
        (0..ids.len().min(2)).map(|i| ids[(first + i) % ids.len()]).collect()
    }
}
