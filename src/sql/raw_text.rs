//! Checks the text of a query for what its types do not show, since it may contain raw SQL.
//!
//! The crate writes a limit, a locking clause or the condition of an `UPDATE` behind this text. Raw SQL that absorbs that part, ends the
//! statement or changes its subject would lock nothing, or change every row, and no error would report it. A newline in front of the
//! crate's part would stop a line comment only.

use super::tokens::{Dialect, Token, Tokens, Unreadable};
use crate::error::LockError;

/// The clauses that a text may have besides conditions and values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowed {
    /// A limit at its end, with parameters, as the query builder writes it.
    pub(crate) limit: bool,
    pub(crate) grouping: bool,
}

/// The findings about a clause that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Clause {
    pub(crate) subquery: bool,
    /// True if there is `MATCH .. AGAINST`.
    pub(crate) full_text: bool,
    /// A function or an operator that may read tables, since it is not one of the few that are known to read none.
    pub(crate) foreign: bool,
    /// A word that the query builder does not write and that is not a call, for example a name without quotes.
    pub(crate) bare: bool,
}

/// The words that the query builder writes in conditions and orders.
const OF_THE_BUILDER: [&str; 20] = [
    "AND", "ASC", "BETWEEN", "BY", "DESC", "ESCAPE", "FALSE", "FROM", "IN", "IS", "LIKE", "LIMIT", "NOT", "NULL",
    "OFFSET", "OR", "ORDER", "TRUE", "WHERE", "XOR",
];

fn is_bare(word: &Token<'_>, rest: &str) -> bool {
    !(word.is_one_of(&OF_THE_BUILDER) || rest.trim_start().starts_with('('))
}

/// The reason why nothing can be written behind a clause. A clause that would change the meaning of the statement is rejected at its top
/// level and among conditions. It is allowed in a subquery, where it belongs to the subquery; a locking clause is rejected there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Unreadable(Unreadable),
    Parenthesis,
    Statements,
    SetOperation,
    Limit,
    Grouping,
    Into,
    LockingClause,
}

/// The kind of text between two parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    /// `(SELECT ..)`
    Query,
    /// `f(..)`, `a IN (..)`
    List,
    /// `(a = 1 AND ..)`, as the query builder combines conditions.
    Conditions,
}

impl Group {
    fn of(before: Token<'_>, rest: &Tokens<'_>) -> Self {
        const OPERATORS: [&str; 8] = ["WHERE", "ON", "AND", "OR", "XOR", "NOT", "FROM", "JOIN"];
        let text = rest.rest().as_bytes();
        let sure = matches!(text.first(), Some(b'"' | b'`' | b'$' | b'?' | b'0'..=b'9' | b')'));
        let first = if sure { None } else { rest.clone().find(|token| *token != Ok(Token::Sign(b'('))) };
        if first.is_some_and(|first| first.is_ok_and(|first| first.is_one_of(&["SELECT", "TABLE", "VALUES", "WITH"]))) {
            return Group::Query;
        }
        match before {
            Token::Sign(_) => Group::Conditions,
            before if before.is_one_of(&OPERATORS) => Group::Conditions,
            _ => Group::List,
        }
    }
}

/// Reads one clause, or a whole statement, and rejects it if nothing can be written behind it.
pub(crate) fn read(sql: &str, dialect: &'static Dialect, allowed: Allowed) -> Result<Clause, Refused> {
    let mut tokens = Tokens::new(sql, dialect);
    let (mut clause, mut groups, mut before) = (Clause::default(), Vec::new(), Token::Sign(b'('));
    while let Some(token) = tokens.next() {
        let token = token.map_err(Refused::Unreadable)?;
        match token {
            Token::Sign(b'(') => {
                let sign = sql.len() - tokens.rest().len() - 1;
                clause.foreign |= is_foreign_call(before, &sql[..sign], dialect);
                groups.push(Group::of(before, &tokens));
            }
            Token::Sign(b')') => drop(groups.pop().ok_or(Refused::Parenthesis)?),
            Token::Sign(b';') => return Err(Refused::Statements),
            Token::Sign(_) => clause.foreign |= is_foreign_operator(sql, tokens.rest(), dialect),
            Token::Word(word) if !may_matter(word) => clause.bare = clause.bare || is_bare(&token, tokens.rest()),
            Token::Word(_) => {
                clause.bare = clause.bare || is_bare(&token, tokens.rest());
                clause.subquery |= begins_subquery(&token, &tokens);
                clause.full_text |= dialect.more_clauses && token.is_word("MATCH");
                if is_locking_clause(&token, &mut tokens.clone(), dialect) {
                    return Err(Refused::LockingClause);
                }
                match groups.last() {
                    Some(Group::Query | Group::List) => {}
                    group => match clause_at_the_top(&token, &mut tokens.clone(), dialect) {
                        Some(Refused::Limit)
                            if allowed.limit && group.is_none() && is_own_limit(&token, tokens.clone()) =>
                        {
                            break;
                        }
                        Some(Refused::Grouping) if allowed.grouping && group.is_none() => {}
                        Some(refused) => return Err(refused),
                        None => {}
                    },
                }
            }
            _ => {}
        }
        before = token;
    }
    if groups.is_empty() { Ok(clause) } else { Err(Refused::Parenthesis) }
}

/// Returns whether a word can be one of those that are looked for, by its length and its first letter. Most words cannot.
fn may_matter(word: &str) -> bool {
    match word.len() {
        3 | 4 => matches!(word.as_bytes()[0] | 0x20, b'f' | b'i' | b'l'),
        5 => matches!(word.as_bytes()[0] | 0x20, b'f' | b'g' | b'l' | b'm' | b't' | b'u'),
        6 => matches!(word.as_bytes()[0] | 0x20, b'e' | b'h' | b'o' | b's' | b'v'),
        9 => matches!(word.as_bytes()[0] | 0x20, b'i' | b'p'),
        _ => false,
    }
}

/// Returns whether this is a call of a function whose name is not a known one. `before` is the text up to the parenthesis. A name behind a
/// schema is not a [`Token::Word`].
fn is_foreign_call(name: Token<'_>, before: &str, dialect: &Dialect) -> bool {
    match name {
        Token::Word(word) => {
            let is_in = |list: &[&str]| {
                let word = || word.bytes().map(|byte| byte.to_ascii_uppercase());
                list.binary_search_by(|known| known.bytes().cmp(word())).is_ok()
            };
            !(is_in(dialect.keywords) || before.ends_with(word) && is_in(dialect.functions))
        }
        Token::Name(_) | Token::Text => true,
        _ => false,
    }
}

/// Returns whether an operator, or a cast by `::`, begins with the last sign before `rest` and is not a known one.
fn is_foreign_operator(sql: &str, rest: &str, dialect: &Dialect) -> bool {
    let is_part = |byte: &u8| b"+-*/<>=~!@#%^&|`?:".contains(byte);
    let (before, from) = sql.as_bytes().split_at(sql.len() - rest.len() - 1);
    let length = from.iter().take_while(|byte| is_part(byte)).count();
    // An operator can also begin right behind a comment.
    let begins = length > 0 && (before.ends_with(b"*/") || !before.last().is_some_and(is_part));
    begins && !dialect.operators.iter().any(|known| known.as_bytes() == &from[..length])
}

/// Returns whether a subquery begins with this token: `SELECT ..`, `TABLE ..`, `VALUES (..)`.
fn begins_subquery(token: &Token<'_>, rest: &Tokens<'_>) -> bool {
    let rows = |next: Token<'_>| next == Token::Sign(b'(') || next.is_word("ROW");
    token.is_one_of(&["SELECT", "TABLE"]) || (token.is_word("VALUES") && rows(following(&mut rest.clone())))
}

/// Returns whether a locking clause begins with this token. It is looked for inside of subqueries too: there it locks rows of other tables,
/// in the order in which they are found, so a lock set would not keep its order, and a call would lock more rows than it needs.
fn is_locking_clause<'s>(token: &Token<'s>, rest: &mut impl Rest<'s>, dialect: &Dialect) -> bool {
    let lock = dialect.more_clauses && token.is_word("LOCK");
    if !lock && !token.is_word("FOR") {
        return false;
    }
    let (first, second) = (following(rest), following(rest));
    if lock {
        return first.is_word("IN") && second.is_word("SHARE");
    }
    first.is_one_of(&["UPDATE", "SHARE"])
        || (first.is_word("NO") && second.is_word("KEY"))
        || (first.is_word("KEY") && second.is_word("SHARE"))
        || (first.is_word("READ") && second.is_word("ONLY"))
}

/// The tokens behind a token.
trait Rest<'s>: Iterator<Item = Result<Token<'s>, Unreadable>> {}

impl<'s, I: Iterator<Item = Result<Token<'s>, Unreadable>>> Rest<'s> for I {}

fn following<'s>(rest: &mut impl Rest<'s>) -> Token<'s> {
    rest.next().and_then(Result::ok).unwrap_or(Token::Text)
}

fn clause_at_the_top<'s>(token: &Token<'s>, rest: &mut impl Rest<'s>, dialect: &Dialect) -> Option<Refused> {
    if token.is_one_of(&["UNION", "INTERSECT", "EXCEPT"]) {
        Some(Refused::SetOperation)
    } else if token.is_one_of(&["LIMIT", "OFFSET", "FETCH"]) {
        Some(Refused::Limit)
    } else if token.is_word("INTO") || (dialect.more_clauses && token.is_word("PROCEDURE")) {
        Some(Refused::Into)
    } else if token.is_word("HAVING") || (token.is_word("GROUP") && following(rest).is_word("BY")) {
        Some(Refused::Grouping)
    } else if dialect.more_clauses && token.is_word("MINUS") {
        let next = following(rest);
        let operand = next == Token::Sign(b'(') || next.is_one_of(&["SELECT", "ALL", "DISTINCT", "VALUES", "TABLE"]);
        operand.then_some(Refused::SetOperation)
    } else {
        None
    }
}

/// Returns whether this is a limit at the end of a query, as the query builder writes it.
fn is_own_limit<'s>(first: &Token<'s>, rest: impl Rest<'s>) -> bool {
    /// The limit that the query builder writes for no limit in front of an offset, on MySQL and MariaDB.
    const ALL: Token<'_> = Token::Number("18446744073709551615");
    let Ok(rest) = rest.take(4).collect::<Result<Vec<_>, _>>() else { return false };
    match &rest[..] {
        [Token::Parameter] => first.is_one_of(&["LIMIT", "OFFSET"]),
        [limit, offset, Token::Parameter] => {
            first.is_word("LIMIT") && [Token::Parameter, ALL].contains(limit) && offset.is_word("OFFSET")
        }
        _ => false,
    }
}

impl From<Refused> for LockError {
    fn from(refused: Refused) -> Self {
        let swallowed = "what the crate writes behind it, such as the locking clause, would be a part of it: close what a \
                         piece of raw SQL opens within that piece";
        let (clause, advice) = match refused {
            Refused::Unreadable(Unreadable::OpenQuote) => ("raw SQL that leaves a quote open", swallowed),
            Refused::Unreadable(Unreadable::OpenComment) => ("raw SQL that leaves a comment open", swallowed),
            Refused::Unreadable(Unreadable::LineComment) => (
                "raw SQL that ends in a line comment",
                "what the crate writes behind it, such as the locking clause, would be a part of the comment: write \
                 `/* .. */`, or leave it out",
            ),
            Refused::Unreadable(Unreadable::ExecutableComment) => (
                "an executable comment (`/*! .. */`, `/*M! .. */`) in raw SQL",
                "whether it is run depends on the server: write what it says without the comment",
            ),
            Refused::Unreadable(Unreadable::Ambiguous) => (
                "raw SQL that a server may read in two ways, such as a backslash before a quote",
                "where the quotes end depends on a setting of the server: bind the value, or double the quote instead",
            ),
            Refused::Parenthesis => (
                "raw SQL that leaves a parenthesis open, or closes one that it has not opened",
                "what the crate writes behind it would stand in another place: close what a piece of raw SQL opens within \
                 that piece",
            ),
            Refused::Statements => (
                "a `;` in raw SQL",
                "the locking clause would belong to another statement: send each by itself, and leave out the last `;`",
            ),
            Refused::SetOperation => (
                "UNION, INTERSECT or EXCEPT in raw SQL",
                "a locking clause would mean one of its sides, or none: put it into a subquery, `id IN (SELECT ..)`, or \
                 lock its parts one by one",
            ),
            Refused::Limit => (
                "LIMIT, OFFSET or FETCH in raw SQL",
                "say it with `.limit(..)` and `.offset(..)`, a pick with its number of rows; a column of that name needs \
                 quotes",
            ),
            Refused::Grouping => return LockError::folded("GROUP BY or HAVING in raw SQL"),
            Refused::Into => (
                "INTO or PROCEDURE in raw SQL",
                "no rows would come back: leave the clause out; a column of that name needs quotes",
            ),
            Refused::LockingClause => (
                "a locking clause of its own",
                "rows would be locked that the call does not know of, in any order: say with `for_update_of` or `for_share_of` what \
                 a query locks, and lock the rows of a subquery by a call of their own",
            ),
        };
        LockError::Unsupported { clause, advice }
    }
}
