//! The text of a statement as Diesel's instrumentation shows it: its tables, what it locks, and the values that it compares.

use std::borrow::Cow;

use crate::sql::{Dialect, Token, Tokens};

/// The kind of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    Other,
}

/// A statement, as far as its text can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) verb: Verb,
    /// The words of the text: names without quotes, keywords in lower case, parameters as the values that are bound to them.
    words: Vec<String>,
}

impl Statement {
    /// Reads the text of a [`DebugQuery`](diesel::connection::DebugQuery): the first of its statements, if it is a batch.
    pub(crate) fn read(text: &str, dialect: &'static Dialect) -> Self {
        let words = words(text, dialect);
        Statement { verb: verb(&words), words }
    }

    /// Reads the statements of a batch.
    pub(crate) fn read_all(text: &str, dialect: &'static Dialect) -> Vec<Self> {
        let words = words(text, dialect);
        let statements = words.split(|word| word == ";").filter(|words| !words.is_empty());
        statements.map(|words| Statement { verb: verb(words), words: words.to_vec() }).collect()
    }

    /// Returns whether the server runs the statement at any time with the same result, as long as the order in its session is kept: it
    /// takes no lock, no snapshot, and sees no row.
    pub(crate) fn is_local(&self) -> bool {
        let one = self.words.iter().position(|word| word == ";").is_none_or(|end| end + 1 == self.words.len());
        one && match self.verb {
            Verb::Begin => !self.has(&["consistent"]),
            Verb::Savepoint | Verb::Release => true,
            _ => self.words.iter().map(String::as_str).take(2).eq(["set", "transaction"]),
        }
    }

    /// Returns the tables that the statement changes, or locks rows of.
    pub(crate) fn locked_tables(&self) -> Vec<String> {
        match self.verb {
            Verb::Update | Verb::Delete | Verb::Insert => self.written_table().into_iter().collect(),
            Verb::Select if self.locks_rows() => {
                let named = self.after(&["of"]).map(|at| self.names(at)).unwrap_or_default();
                if named.is_empty() { self.read_tables() } else { named }
            }
            _ => Vec::new(),
        }
    }

    /// Returns whether the statement is a query with a locking clause.
    pub(crate) fn locks_rows(&self) -> bool {
        self.verb == Verb::Select
            && [&["for", "update"][..], &["for", "no"], &["for", "share"], &["for", "key"], &["in", "share", "mode"]]
                .iter()
                .any(|clause| self.has(clause))
    }

    /// Returns whether the query chooses some of the rows that match: the first ones in an order, or those that are not locked.
    pub(crate) fn picks(&self) -> bool {
        self.has(&["order", "by"]) && self.has(&["limit"]) || self.has(&["skip", "locked"])
    }

    /// Returns the table that the statement changes.
    pub(crate) fn written_table(&self) -> Option<String> {
        let at = match self.verb {
            Verb::Update => self.after(&["update"]),
            Verb::Delete => self.after(&["from"]),
            Verb::Insert => self.after(&["into"]),
            _ => None,
        }?;
        self.names(at).into_iter().next()
    }

    /// Returns the tables behind `FROM` and `JOIN`, in the order of the text.
    pub(crate) fn read_tables(&self) -> Vec<String> {
        let mut tables = Vec::new();
        for (at, word) in self.words.iter().enumerate() {
            if word == "from" || word == "join" {
                let name = self.name(at + 1);
                tables.extend(name.filter(|name| !tables.contains(name)));
            }
        }
        tables
    }

    /// Returns the condition on rows, with the values in it.
    pub(crate) fn condition(&self) -> Option<&[String]> {
        let from = self.after(&["where"])?;
        let ends = ["returning", "order", "limit", "for", "lock"];
        let to = self.words[from..].iter().position(|word| ends.contains(&word.as_str()));
        Some(&self.words[from..to.map_or(self.words.len(), |to| from + to)])
    }

    /// Returns the values of `column = value`, `column IN (..)` and `column = ANY (..)`, if that is the whole condition.
    pub(crate) fn keys(&self) -> Vec<String> {
        let Some(mut condition) = self.condition() else { return Vec::new() };
        // This crate's further conditions on the session overflow if they do not hold: `AND ~0 + (..)`.
        if let Some(at) = condition.windows(3).position(|words| words == ["and", "~", "0"]) {
            condition = &condition[..at];
        }
        while let [open, inner @ .., close] = condition {
            if open != "(" || close != ")" || inner.iter().any(|word| word == "(" || word == ")") {
                break;
            }
            condition = inner;
        }
        let Some(at) = condition.iter().position(|word| word == "=" || word == "in") else { return Vec::new() };
        // One name, perhaps with the table and the schema in front.
        if at % 2 == 0 || condition[..at].iter().skip(1).step_by(2).any(|word| word != ".") {
            return Vec::new();
        }
        match &condition[at..] {
            [sign, value] if sign == "=" => vec![value.clone()],
            [sign, any, open, list, close]
                if [sign, any, open, close].map(String::as_str) == ["=", "any", "(", ")"] =>
            {
                values(list)
            }
            [word, open, list @ .., close] if [word, open, close].map(String::as_str) == ["in", "(", ")"] => {
                let keys: Vec<_> = list.iter().step_by(2).cloned().collect();
                let commas = list.iter().skip(1).step_by(2).all(|word| word == ",");
                if commas { keys } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn has(&self, phrase: &[&str]) -> bool {
        self.after(phrase).is_some()
    }

    /// Returns the place behind the first words that are these.
    fn after(&self, phrase: &[&str]) -> Option<usize> {
        let at = self.words.windows(phrase.len()).position(|words| words.iter().eq(phrase))?;
        Some(at + phrase.len())
    }

    /// Reads `name`, or `schema.name`, whatever `ONLY` stands in front.
    fn name(&self, at: usize) -> Option<String> {
        let at = if self.words.get(at).is_some_and(|word| word == "only") { at + 1 } else { at };
        let first = self.words.get(at).filter(|word| *word != "(")?;
        match (self.words.get(at + 1).map(String::as_str), self.words.get(at + 2)) {
            (Some("."), Some(second)) => Some(format!("{first}.{second}")),
            _ => Some(first.clone()),
        }
    }

    /// Reads a list of names.
    fn names(&self, at: usize) -> Vec<String> {
        let mut names = Vec::new();
        let mut at = at;
        while let Some(name) = self.name(at) {
            at += if name.contains('.') { 3 } else { 1 };
            names.push(name);
            if self.words.get(at).is_none_or(|word| word != ",") {
                break;
            }
            at += 1;
        }
        names
    }
}

fn words(text: &str, dialect: &'static Dialect) -> Vec<String> {
    let (sql, binds) = text.rsplit_once(" -- binds: ").unwrap_or((text, ""));
    let sql = if dialect.executable_comments { as_on_mariadb(sql) } else { Cow::Borrowed(sql) };
    let mut binds = values(binds).into_iter();
    let mut words = Vec::new();
    let mut tokens = Tokens::new(&sql, dialect);
    loop {
        let before = tokens.rest();
        // What cannot be read ends the text.
        let Some(Ok(token)) = tokens.next() else { return without_settings(words) };
        let raw = before[..before.len() - tokens.rest().len()].trim();
        words.push(match token {
            Token::Word(word) => word.to_ascii_lowercase(),
            Token::Name(name) => name.trim_matches(char::from(dialect.name_quote)).to_owned(),
            Token::Parameter => binds.next().unwrap_or_else(|| raw.to_owned()),
            _ => raw.to_owned(),
        });
    }
}

/// Returns the text with `/*M! .. */` executed and `/*! .. */` left out: this crate writes one for MariaDB where it writes the other one for
/// MySQL. Its further conditions on the session are left out too, so that a condition on a key is still one.
fn as_on_mariadb(sql: &str) -> Cow<'_, str> {
    let opening = |sql: &str| sql.find("/*M!").into_iter().chain(sql.find("/*!")).min();
    let (mut text, mut rest) = (String::new(), sql);
    while let Some(at) = opening(rest) {
        let (before, comment) = rest.split_at(at);
        let Some((comment, behind)) = comment.split_once("*/") else { break };
        text.push_str(before);
        let content =
            comment.strip_prefix("/*M!").map(|content| content.trim_start_matches(|c: char| c.is_ascii_digit()));
        text.push_str(content.filter(|content| !content.trim_start().starts_with("AND ")).unwrap_or(" "));
        rest = behind;
    }
    if text.is_empty() { Cow::Borrowed(rest) } else { Cow::Owned(text + rest) }
}

/// Returns the statement in `SET STATEMENT .. FOR statement`.
fn without_settings(mut words: Vec<String>) -> Vec<String> {
    let is_set = words.iter().map(String::as_str).take(2).eq(["set", "statement"]);
    if let Some(at) = words.iter().position(|word| word == "for").filter(|_| is_set) {
        words.drain(..=at);
    }
    words
}

fn verb(words: &[String]) -> Verb {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match word(0) {
        "select" | "with" => Verb::Select,
        "insert" | "replace" => Verb::Insert,
        "update" => Verb::Update,
        "delete" => Verb::Delete,
        "begin" => Verb::Begin,
        "start" if word(1) == "transaction" => Verb::Begin,
        "commit" | "end" => Verb::Commit,
        "rollback" if words.iter().any(|word| word == "to") => Verb::RollbackTo,
        "rollback" | "abort" => Verb::Rollback,
        "savepoint" => Verb::Savepoint,
        "release" => Verb::Release,
        _ => Verb::Other,
    }
}

/// Splits a list that `Debug` has written, `[1, "a, b", [2, 3]]`, into its elements.
fn values(list: &str) -> Vec<String> {
    let Some(list) = list.trim().strip_prefix('[').and_then(|list| list.strip_suffix(']')) else { return Vec::new() };
    let (mut values, mut value) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for c in list.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' | '(' | '{' if !quoted => depth += 1,
            ']' | ')' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                values.push(std::mem::take(&mut value).trim().to_owned());
                continue;
            }
            _ => {}
        }
        value.push(c);
    }
    if !value.trim().is_empty() {
        values.push(value.trim().to_owned());
    }
    values
}

#[cfg(test)]
mod tests;
