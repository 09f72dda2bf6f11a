//! A tokenizer for finished SQL text. It splits the text as a server does.
//!
//! A server can read text in two ways, depending on a setting: `standard_conforming_strings` on PostgreSQL, `NO_BACKSLASH_ESCAPES` and
//! `ANSI_QUOTES` on MySQL and MariaDB. To ask for the setting would cost a statement. So text that ends at another place under the other
//! setting, such as a backslash before the quote that it may escape, is unreadable here.

/// The lexical rules of a server.
#[doc(hidden)]
#[derive(Debug)]
pub struct Dialect {
    /// The quote around a name.
    pub(crate) name_quote: u8,
    /// `$tag$..$tag$` is text and `$1` a parameter. Without this, `$` belongs to words, and `?` is a parameter.
    pub(crate) dollars: bool,
    /// Text after `E` has backslash escapes, whatever the setting.
    pub(crate) escape_strings: bool,
    /// A backslash in quotes may escape the quote behind it, depending on a setting.
    pub(crate) backslashes: bool,
    /// `[..]` is a name.
    pub(crate) bracket_names: bool,
    pub(crate) nested_comments: bool,
    /// `/*! .. */` and `/*M! .. */` are executed, by some versions.
    pub(crate) executable_comments: bool,
    /// `#` begins a comment, and `--` does so only in front of a space.
    pub(crate) hash_comments: bool,
    /// Such a comment goes up to a carriage return, not only to a newline.
    pub(crate) returns_end_lines: bool,
    /// `LOCK IN SHARE MODE`, `PROCEDURE` and `MINUS` are clauses.
    pub(crate) more_clauses: bool,
    /// Words that may stand before a parenthesis and read no table, in ascending order.
    pub(crate) keywords: &'static [&'static str],
    /// The server's own functions that read no table, in ascending order. A name that is directly followed by the parenthesis means the
    /// server's function, never one of the user's.
    pub(crate) functions: &'static [&'static str],
    /// Operators that compare, calculate or concatenate texts.
    pub(crate) operators: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'s> {
    /// A keyword, or a name without quotes.
    Word(&'s str),
    /// A name with its quotes, or a word in a place where only a name can stand.
    Name(&'s str),
    /// Text in quotes. On MySQL and MariaDB it can also be a name.
    Text,
    Number(&'s str),
    Parameter,
    Sign(u8),
}

impl Token<'_> {
    #[inline]
    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self, Token::Word(this) if this.eq_ignore_ascii_case(word))
    }

    pub(crate) fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }
}

/// The reason why text cannot be read to its end, or can be read in more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    OpenQuote,
    OpenComment,
    /// The text ends in a line comment, which what follows would belong to.
    LineComment,
    ExecutableComment,
    /// A server can read it in two ways, for example under another setting.
    Ambiguous,
}

/// An iterator over the tokens of a text, without comments. It ends behind the first token that cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'s> {
    sql: &'s str,
    dialect: &'static Dialect,
    at: usize,
    /// True if the next word is a name: it stands behind a dot, `AS` or `@`.
    name_next: bool,
}

impl<'s> Tokens<'s> {
    pub(crate) fn new(sql: &'s str, dialect: &'static Dialect) -> Self {
        Tokens { sql, dialect, at: 0, name_next: false }
    }

    /// Returns the text that has not been read yet.
    pub(crate) fn rest(&self) -> &'s str {
        &self.sql[self.at..]
    }

    #[inline]
    fn byte(&self, ahead: usize) -> u8 {
        self.sql.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    #[inline]
    fn skip_while(&mut self, belongs: impl Fn(u8) -> bool) {
        let bytes = self.sql.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| belongs(*byte)) {
            self.at += 1;
        }
    }

    /// Skips spaces and comments.
    #[inline]
    fn skip_gaps(&mut self) -> Result<(), Unreadable> {
        let hash_comments = self.dialect.hash_comments;
        loop {
            match self.byte(0) {
                b' ' | 0x09..=0x0d => self.at += 1,
                b'/' if self.byte(1) == b'*' => self.skip_comment()?,
                // MySQL and MariaDB require a space behind `--`. At the end of raw SQL, or in front of a parenthesis, `--` cannot be
                // anything else than a comment either.
                b'-' if self.byte(1) == b'-'
                    && (!hash_comments || self.byte(2) <= b' ' || matches!(self.byte(2), b')' | 0x7f)) =>
                {
                    self.skip_line()?;
                }
                b'#' if hash_comments => self.skip_line()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) -> Result<(), Unreadable> {
        let returns = self.dialect.returns_end_lines;
        self.skip_while(|byte| byte != b'\n' && !(returns && byte == b'\r'));
        if self.at == self.sql.len() { Err(Unreadable::LineComment) } else { Ok(()) }
    }

    fn skip_comment(&mut self) -> Result<(), Unreadable> {
        let Dialect { executable_comments, nested_comments, .. } = *self.dialect;
        if executable_comments && (self.byte(2) == b'!' || (self.byte(2) == b'M' && self.byte(3) == b'!')) {
            return Err(Unreadable::ExecutableComment);
        }
        // Hints of MySQL can have quotes, and `*/` between these does not end the comment there.
        let hints = executable_comments && self.byte(2) == b'+';
        let mut depth = 1_usize;
        self.at += 2;
        while self.at < self.sql.len() {
            match (self.byte(0), self.byte(1)) {
                (b'*', b'/') => {
                    self.at += 2;
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                (b'/', b'*') if nested_comments => {
                    self.at += 2;
                    depth += 1;
                }
                (b'\'' | b'"' | b'`', _) if hints => return Err(Unreadable::Ambiguous),
                _ => self.at += 1,
            }
        }
        Err(Unreadable::OpenComment)
    }

    /// Skips text in quotes, from the opening quote to behind the closing one.
    fn skip_quoted(&mut self, quote: u8, backslashes: Backslashes) -> Result<(), Unreadable> {
        self.at += 1;
        loop {
            self.skip_while(|byte| byte != quote && byte != b'\\');
            if self.at >= self.sql.len() {
                return Err(Unreadable::OpenQuote);
            }
            match (self.byte(0), self.byte(1)) {
                (byte, next) if byte == quote && next == quote => self.at += 2,
                (byte, _) if byte == quote => {
                    self.at += 1;
                    return Ok(());
                }
                (_, next) => match backslashes {
                    Backslashes::Plain => self.at += 1,
                    Backslashes::Perhaps if next == quote => return Err(Unreadable::Ambiguous),
                    // The second of two backslashes escapes nothing in either reading.
                    Backslashes::Perhaps if next != b'\\' => self.at += 1,
                    Backslashes::Perhaps | Backslashes::Escape => self.at = (self.at + 2).min(self.sql.len()),
                },
            }
        }
    }

    /// Reads `$1` or `$tag$..$tag$`, or else the sign alone.
    fn dollar(&mut self) -> Result<Token<'s>, Unreadable> {
        let start = self.at;
        self.at += 1;
        if self.byte(0).is_ascii_digit() {
            self.skip_while(|byte| byte.is_ascii_digit());
            return Ok(Token::Parameter);
        }
        self.skip_while(is_of_word);
        if self.byte(0) != b'$' {
            self.at = start + 1;
            return Ok(Token::Sign(b'$'));
        }
        self.at += 1;
        let tag = &self.sql[start..self.at];
        let end = self.sql[self.at..].find(tag).ok_or(Unreadable::OpenQuote)?;
        self.at += end + tag.len();
        Ok(Token::Text)
    }

    /// Reads a number with its dot and its exponent: `1.union` and `1e0union` contain a keyword.
    fn number(&mut self) -> Result<Token<'s>, Unreadable> {
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_digit());
        let dot = self.byte(0) == b'.';
        if dot {
            self.at += 1;
            self.skip_while(|byte| byte.is_ascii_digit());
        }
        if self.byte(0).eq_ignore_ascii_case(&b'e') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.skip_while(|byte| byte.is_ascii_digit());
            } else if dot && self.dialect.hash_comments {
                // MySQL and MariaDB drop `1.e` and read what follows as a plain sign.
                return Err(Unreadable::Ambiguous);
            }
        }
        Ok(Token::Number(&self.sql[start..self.at]))
    }

    /// Reads a name in brackets, which has no escapes.
    fn brackets(&mut self) -> Result<Token<'s>, Unreadable> {
        let start = self.at;
        self.skip_while(|byte| byte != b']');
        if self.at >= self.sql.len() {
            return Err(Unreadable::OpenQuote);
        }
        self.at += 1;
        Ok(Token::Name(&self.sql[start..self.at]))
    }

    fn word(&mut self) -> Result<Token<'s>, Unreadable> {
        let start = self.at;
        self.skip_while(|byte| is_of_word(byte) || byte == b'$');
        let word = &self.sql[start..self.at];
        if self.dialect.escape_strings && self.byte(0) == b'\'' && word.eq_ignore_ascii_case("e") {
            return self.skip_quoted(b'\'', Backslashes::Escape).map(|()| Token::Text);
        }
        Ok(Token::Word(word))
    }

    fn token(&mut self) -> Result<Token<'s>, Unreadable> {
        let start = self.at;
        match self.byte(0) {
            quote if quote == self.dialect.name_quote => {
                self.skip_quoted(quote, Backslashes::Plain).map(|()| Token::Name(&self.sql[start..self.at]))
            }
            quote @ (b'\'' | b'"') => {
                let backslashes = if self.dialect.backslashes { Backslashes::Perhaps } else { Backslashes::Plain };
                self.skip_quoted(quote, backslashes).map(|()| Token::Text)
            }
            b'[' if self.dialect.bracket_names => self.brackets(),
            b'$' if self.dialect.dollars => self.dollar(),
            b'?' if !self.dialect.dollars => {
                self.at += 1;
                Ok(Token::Parameter)
            }
            b'0'..=b'9' => self.number(),
            // A NUL ends the text, in the client libraries or in the servers.
            0 => Err(Unreadable::Ambiguous),
            byte if is_of_word(byte) || byte == b'$' => self.word(),
            sign => {
                self.at += 1;
                Ok(Token::Sign(sign))
            }
        }
    }
}

impl<'s> Iterator for Tokens<'s> {
    type Item = Result<Token<'s>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        let token = match self.skip_gaps() {
            Ok(()) if self.at == self.sql.len() => return None,
            Ok(()) => self.token(),
            Err(unreadable) => Err(unreadable),
        };
        let name = std::mem::take(&mut self.name_next);
        match token {
            Ok(Token::Word(word)) if name => return Some(Ok(Token::Name(word))),
            Ok(Token::Word(word)) => self.name_next = word.len() == 2 && word.eq_ignore_ascii_case("AS"),
            Ok(Token::Sign(b'.')) => self.name_next = true,
            Ok(Token::Sign(b'@')) => self.name_next = self.dialect.hash_comments,
            Ok(_) => {}
            Err(_) => self.at = self.sql.len(),
        }
        Some(token)
    }
}

/// The effect of a backslash in quotes.
#[derive(Debug, Clone, Copy)]
enum Backslashes {
    Plain,
    Escape,
    /// One of the two, depending on a setting of the server.
    Perhaps,
}

/// Returns whether a byte belongs to a word. All servers take bytes beyond ASCII for parts of letters.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
