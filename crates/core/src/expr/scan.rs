//! Text into tokens, one at a time. Whole dotted paths, strings and JSON values are single tokens.

use std::borrow::Cow;

use super::ExprError;
use super::json::{self, Quotes};
use super::node::Op;
use super::value::Value;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'s> {
    Comma,
    Open,
    Close,
    Colon,
    Question,
    Bang,
    Spread,
    Op(Op),
    Value(Value),
    /// A path without blanks; `wild` if a segment is `*`.
    Name {
        path: Cow<'s, str>,
        wild: bool,
    },
    Property(&'s str),
    End,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Until {
    /// The text is one expression.
    EndOfText,
    /// The expression ends at `}}`.
    Braces,
}

pub(crate) struct Scanner<'s> {
    text: &'s str,
    pub(crate) pos: usize,
    until: Until,
    /// Whether an error came from here: such a one outranks what the parser says of earlier text.
    pub(crate) failed: bool,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(text: &'s str, pos: usize, until: Until) -> Self {
        Self { text, pos, until, failed: false }
    }

    fn byte(&self, ahead: usize) -> u8 {
        // NUL is no token anywhere, so it can stand for the end.
        self.text.as_bytes().get(self.pos + ahead).copied().unwrap_or(0)
    }

    pub(crate) fn skip_blanks(&mut self) {
        while is_blank(self.byte(0)) {
            self.pos += 1;
        }
    }

    /// The token at the position, which must not be blank. At the end of a template part `pos` is behind the braces.
    pub(crate) fn token(&mut self) -> Result<Token<'s>, ExprError> {
        use Op::{
            Add, And, Differs, DiffersAngled, Divide, Equal, EqualTwice, Greater, GreaterEqual, Less, LessEqual,
            Multiply, Or, Power, Remainder, Subtract,
        };
        let (token, length) = match (self.byte(0), self.byte(1)) {
            (b',', _) => (Token::Comma, 1),
            (b'(', _) => (Token::Open, 1),
            (b')', _) => (Token::Close, 1),
            (b':', _) => (Token::Colon, 1),
            (b'!', b'=') => (Token::Op(Differs), 2),
            (b'<', b'>') => (Token::Op(DiffersAngled), 2),
            (b'=', b'=') => (Token::Op(EqualTwice), 2),
            (b'>', b'=') => (Token::Op(GreaterEqual), 2),
            (b'<', b'=') => (Token::Op(LessEqual), 2),
            (b'&', b'&') => (Token::Op(And), 2),
            (b'*', b'*') => (Token::Op(Power), 2),
            (b'|', b'|') => (Token::Op(Or), 2),
            (b'+', _) => (Token::Op(Add), 1),
            (b'-', _) => (Token::Op(Subtract), 1),
            (b'*', _) => (Token::Op(Multiply), 1),
            (b'/', _) => (Token::Op(Divide), 1),
            (b'>', _) => (Token::Op(Greater), 1),
            (b'<', _) => (Token::Op(Less), 1),
            (b'=', _) => (Token::Op(Equal), 1),
            (b'%', _) => (Token::Op(Remainder), 1),
            (b'?', _) => (Token::Question, 1),
            (b'!', _) => (Token::Bang, 1),
            (b'.', b'.') if self.byte(2) == b'.' => (Token::Spread, 3),
            (b'.', _) => return self.property(),
            (b'\'', _) => return self.single_quoted(),
            (b'"' | b'{' | b'[' | b'0'..=b'9', _) => return self.json(),
            (b'n', _) if self.word("null") => (Token::Value(Value::None), 4),
            (b't', _) if self.word("true") => (Token::Value(Value::Bool(true)), 4),
            (b'f', _) if self.word("false") => (Token::Value(Value::Bool(false)), 5),
            (b'A'..=b'Z' | b'a'..=b'z' | b'_', _) => return Ok(self.name()),
            (0, _) if self.pos >= self.text.len() => return self.end_of_text(),
            (b'}', b'}') if self.until == Until::Braces => (Token::End, 2),
            _ => return self.unknown(),
        };
        self.pos += length;
        Ok(token)
    }

    fn end_of_text(&mut self) -> Result<Token<'s>, ExprError> {
        if self.until == Until::EndOfText {
            return Ok(Token::End);
        }
        self.failed = true;
        Err(ExprError::at("template error: expression not closed", self.pos..self.pos))
    }

    fn unknown(&mut self) -> Result<Token<'s>, ExprError> {
        self.failed = true;
        let found = self.text[self.pos..].chars().next().unwrap_or_default();
        let message = format!("tokenizer error: unknown character at index {}: {found:?}", self.pos);
        Err(ExprError::at(message, self.pos..self.pos + found.len_utf8()))
    }

    /// `null`, `true` and `false` are names when a dot or more of a word follows.
    fn word(&self, word: &str) -> bool {
        self.text.as_bytes()[self.pos..].starts_with(word.as_bytes()) && {
            let next = self.byte(word.len());
            !is_word(next) && next != b'.'
        }
    }

    fn segment_end(&self, start: usize) -> usize {
        let rest = &self.text.as_bytes()[start..];
        start + rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len())
    }

    fn name(&mut self) -> Token<'s> {
        let start = self.pos;
        let mut wild = false;
        let mut blanks = false;
        self.pos = self.segment_end(start);
        while let Some(segment) = self.dotted_segment() {
            blanks |= segment.0 != self.pos + 1;
            wild |= self.text.as_bytes()[segment.0] == b'*';
            self.pos = segment.1;
        }
        let path = &self.text[start..self.pos];
        let path = if blanks {
            Cow::Owned(path.chars().filter(|c| !c.is_ascii_whitespace()).collect())
        } else {
            Cow::Borrowed(path)
        };
        Token::Name { path, wild }
    }

    /// Where the segment behind a dot starts and ends, if there is one; blanks may surround the dot.
    fn dotted_segment(&self) -> Option<(usize, usize)> {
        let bytes = self.text.as_bytes();
        let skip = |mut pos: usize| {
            while bytes.get(pos).is_some_and(|byte| is_blank(*byte)) {
                pos += 1;
            }
            pos
        };
        let dot = skip(self.pos);
        if bytes.get(dot) != Some(&b'.') {
            return None;
        }
        let start = skip(dot + 1);
        let end = match bytes.get(start) {
            Some(b'*') => start + 1,
            _ => self.segment_end(start),
        };
        (end > start).then_some((start, end))
    }

    fn property(&mut self) -> Result<Token<'s>, ExprError> {
        let Some((start, end)) = self.dotted_segment() else {
            return self.unknown();
        };
        self.pos = end;
        Ok(Token::Property(&self.text[start..end]))
    }

    fn json(&mut self) -> Result<Token<'s>, ExprError> {
        match json::read_at(self.text, self.pos) {
            Ok((value, end)) => {
                self.pos = end;
                Ok(Token::Value(value))
            }
            Err(error) => {
                self.failed = true;
                let message =
                    format!("tokenizer error: error while decoding JSON at index {}: {}", error.at, error.reason);
                Err(ExprError::at(message, self.pos..error.at.clamp(self.pos, self.text.len())))
            }
        }
    }

    fn single_quoted(&mut self) -> Result<Token<'s>, ExprError> {
        let start = self.pos;
        let mut end = start + 1;
        loop {
            match self.text.as_bytes().get(end) {
                Some(b'\'') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => {
                    self.failed = true;
                    let message = format!(
                        "tokenizer error: unknown character at index {start}: error while decoding string: the quote is not closed"
                    );
                    return Err(ExprError::at(message, start..start + 1));
                }
            }
        }
        match json::unescape(self.text, start + 1..end, Quotes::Single) {
            Ok(text) => {
                self.pos = end + 1;
                Ok(Token::Value(Value::Str(text)))
            }
            Err(error) => {
                self.failed = true;
                let message =
                    format!("tokenizer error: error while decoding string at index {}: {}", error.at, error.reason);
                Err(ExprError::at(message, start..end + 1))
            }
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0C' | b'\r')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
