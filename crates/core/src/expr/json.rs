//! JSON as the language has it: strict values read from a position in the text, and compact text with sorted keys.
//!
//! Reading is ours because a literal ends where its value does (`007` is `0` and `07`), because text of its own may
//! hold raw line feeds, and because nesting has our limit.

use std::ops::Range;
use std::sync::Arc;

use super::limits::MAX_DEPTH;
use super::number;
use super::value::{Map, Value};

#[derive(Debug)]
pub(crate) struct JsonError {
    pub(crate) reason: &'static str,
    pub(crate) at: usize,
}

/// Reads the one value a whole text consists of.
pub(crate) fn read(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader { text, pos: 0 };
    reader.skip_blanks();
    let value = reader.value(0)?;
    reader.skip_blanks();
    if reader.pos < text.len() { Err(reader.error("more text after the value")) } else { Ok(value) }
}

/// Reads one value starting at `pos`, and tells where it ended.
pub(crate) fn read_at(text: &str, pos: usize) -> Result<(Value, usize), JsonError> {
    let mut reader = Reader { text, pos };
    let value = if text.as_bytes().get(pos) == Some(&b'"') {
        reader.pos += 1;
        let body = reader.string_body()?;
        Value::Str(unescape(text, body, Quotes::Double)?)
    } else {
        reader.value(0)?
    };
    Ok((value, reader.pos))
}

/// What is allowed between the quotes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Quotes {
    /// Inside data: JSON to the letter.
    Strict,
    /// A literal of its own in double quotes: raw line ends and tabs too.
    Double,
    /// In single quotes: those, and `\'`.
    Single,
}

struct Reader<'t> {
    text: &'t str,
    pos: usize,
}

impl Reader<'_> {
    fn error(&self, reason: &'static str) -> JsonError {
        JsonError { reason, at: self.pos }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.pos += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'"') => {
                self.pos += 1;
                let body = self.string_body()?;
                Ok(Value::Str(unescape(self.text, body, Quotes::Strict)?))
            }
            Some(b'0'..=b'9' | b'-') => self.number(),
            Some(b'[' | b'{') if depth >= MAX_DEPTH => Err(self.error("nested too deeply")),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.map(depth),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Nil),
            Some(_) => Err(self.error("unexpected character")),
            None => Err(self.error("unexpected end")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, JsonError> {
        if self.text.as_bytes()[self.pos..].starts_with(word.as_bytes()) {
            self.pos += word.len();
            Ok(value)
        } else {
            Err(self.error("unexpected character"))
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
        self.pos - start
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
        } else if self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        let mut integral = true;
        if self.peek() == Some(b'.') {
            integral = false;
            self.pos += 1;
            if self.digits() == 0 {
                return Err(self.error("expected a digit after the decimal point"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            integral = false;
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            if self.digits() == 0 {
                return Err(self.error("expected a digit in the exponent"));
            }
        }
        let digits = &self.text[start..self.pos];
        if integral && let Ok(n) = digits.parse() {
            return Ok(Value::Int(n));
        }
        match number::parse(digits) {
            Some(x) => Ok(Value::Float(x)),
            None => Err(self.error("number too large")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.pos += 1;
        let mut items = Vec::new();
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.pos += 1;
            return Ok(Value::list(items));
        }
        loop {
            self.skip_blanks();
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => {
                    self.pos += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.error("expected `,` or `]`")),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.pos += 1;
        let mut entries = Map::new();
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            return Ok(entries.into());
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in double quotes"));
            }
            self.pos += 1;
            let body = self.string_body()?;
            let key = unescape(self.text, body, Quotes::Strict)?;
            self.skip_blanks();
            if self.peek() != Some(b':') {
                return Err(self.error("expected `:`"));
            }
            self.pos += 1;
            self.skip_blanks();
            let value = self.value(depth + 1)?;
            entries.insert(key, value);
            self.skip_blanks();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => {
                    self.pos += 1;
                    return Ok(entries.into());
                }
                _ => return Err(self.error("expected `,` or `}`")),
            }
        }
    }

    /// Runs past the closing quote and gives what stands between.
    fn string_body(&mut self) -> Result<Range<usize>, JsonError> {
        let start = self.pos;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(start..self.pos - 1);
                }
                // The escape itself is judged later; here only an escaped quote matters.
                Some(b'\\') => self.pos += 2,
                Some(_) => self.pos += 1,
                None => return Err(JsonError { reason: "text is not closed", at: start - 1 }),
            }
        }
    }
}

/// The text between quotes with its JSON escapes undone. Lone surrogates become U+FFFD.
pub(crate) fn unescape(source: &str, body: Range<usize>, quotes: Quotes) -> Result<Arc<str>, JsonError> {
    let start = body.start;
    let text = &source[body];
    let special = |byte: &u8| *byte == b'\\' || *byte < b' ';
    let Some(first) = text.as_bytes().iter().position(special) else {
        return Ok(text.into());
    };
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let mut pos = first;
    while pos < bytes.len() {
        let byte = bytes[pos];
        if byte != b'\\' && byte >= b' ' {
            pos += 1;
            continue;
        }
        out.push_str(&text[done..pos]);
        if byte == b'\\' {
            let (unescaped, length) =
                escape_at(&bytes[pos..], quotes).ok_or(JsonError { reason: "invalid escape", at: start + pos })?;
            out.push(unescaped);
            pos += length;
        } else if quotes != Quotes::Strict && matches!(byte, b'\n' | b'\t' | b'\r') {
            out.push(char::from(byte));
            pos += 1;
        } else {
            return Err(JsonError { reason: "control character in text", at: start + pos });
        }
        done = pos;
    }
    out.push_str(&text[done..]);
    Ok(out.into())
}

fn escape_at(bytes: &[u8], quotes: Quotes) -> Option<(char, usize)> {
    let plain = match bytes.get(1)? {
        b'"' => '"',
        b'\'' if quotes == Quotes::Single => '\'',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes),
        _ => return None,
    };
    Some((plain, 2))
}

fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = hex4(bytes.get(2..6)?)?;
    if let 0xD800..0xDC00 = unit
        && bytes.get(6..8) == Some(b"\\u")
        && let Some(low @ 0xDC00..0xE000) = bytes.get(8..12).and_then(hex4)
    {
        let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return Some((char::from_u32(code)?, 12));
    }
    Some((char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
}

/// Compact JSON; none and whatever is not finite are `null`.
pub(crate) fn write(out: &mut String, value: &Value) {
    match value {
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(n) => number::write_int(out, *n),
        Value::Float(x) if x.is_finite() => number::write_float(out, *x),
        Value::None | Value::Nil | Value::Float(_) => out.push_str("null"),
        Value::Str(text) => write_text(out, text),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(out, key);
                out.push(':');
                write(out, item);
            }
            out.push('}');
        }
    }
}

/// A JSON string whose content is also safe inside HTML and JavaScript.
pub(crate) fn write_text(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    let mut done = 0;
    for (pos, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x8 => "\\b",
            0xC => "\\f",
            b'<' => "\\u003c",
            b'>' => "\\u003e",
            b'&' => "\\u0026",
            0..b' ' => "",
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            0xE2 if text.as_bytes()[pos..].starts_with(b"\xE2\x80\xA8") => "\\u2028",
            0xE2 if text.as_bytes()[pos..].starts_with(b"\xE2\x80\xA9") => "\\u2029",
            _ => continue,
        };
        out.push_str(&text[done..pos]);
        done = pos + if byte == 0xE2 { 3 } else { 1 };
        if short.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        } else {
            out.push_str(short);
        }
    }
    out.push_str(&text[done..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surrogate_pair_is_one_character_and_a_lone_half_is_replaced() {
        assert_eq!(read(r#""\ud83d\ude00""#).unwrap(), Value::from("😀"));
        assert_eq!(read(r#""\ud83d!""#).unwrap(), Value::from("\u{FFFD}!"));
    }

    #[test]
    fn text_is_written_safe_for_html_and_javascript() {
        assert_eq!(Value::from("<&>\u{2028}\u{1}").to_json_text(), r#""\u003c\u0026\u003e\u2028\u0001""#);
    }

    #[test]
    fn nesting_has_a_limit_and_the_stack_survives() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(&deep(256)).is_ok());
        assert!(read(&deep(257)).is_err());
        assert!(read(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn what_is_not_strict_json_is_refused() {
        for bad in ["", "01", "[1,]", "{'a':1}", "\"\u{1}\"", "1e999", "nul", "[1] 2", "+1", "\"\\'\""] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
