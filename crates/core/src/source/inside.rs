//! From a place in a scalar's value to the place in the file: quotes, escapes and indentation are in between.

use std::ops::Range;

use super::{Sources, Span};

impl Sources {
    /// The part of a scalar's span that stands for some bytes of its value; the whole span if that cannot be told.
    pub fn inside(&self, span: Span, value: &str, at: &Range<usize>) -> Span {
        let raw = self.slice(span);
        let Some(start) = offset(raw, value, at.start.min(value.len())) else { return span };
        let end = offset(raw, value, at.end.clamp(at.start, value.len())).unwrap_or(start + 1);
        span.within(start, end.max(start + 1))
    }
}

/// Where in the written text a byte of the value stands.
fn offset(raw: &str, value: &str, wanted: usize) -> Option<usize> {
    let mut text = Written::new(raw);
    for (at, c) in value.char_indices() {
        text.reach(c)?;
        if at >= wanted {
            return Some(text.at);
        }
        text.pass(c);
    }
    Some(text.at)
}

struct Written<'r> {
    raw: &'r str,
    at: usize,
    style: Style,
    /// Indentation of the lines of a block.
    indent: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Block,
}

impl<'r> Written<'r> {
    fn new(raw: &'r str) -> Self {
        let (style, at) = match raw.as_bytes().first() {
            Some(b'\'') => (Style::Single, 1),
            Some(b'"') => (Style::Double, 1),
            Some(b'|' | b'>') => (Style::Block, raw.find('\n').map_or(raw.len(), |end| end + 1)),
            _ => (Style::Plain, 0),
        };
        let mut text = Self { raw, at, style, indent: 0 };
        if style == Style::Block {
            let lines = raw[at..].lines().filter(|line| !line.trim().is_empty());
            text.indent = lines.map(|line| line.len() - line.trim_start_matches(' ').len()).next().unwrap_or(0);
            text.skip_indent();
        }
        text
    }

    fn rest(&self) -> &'r str {
        &self.raw[self.at..]
    }

    fn skip_indent(&mut self) {
        let blanks = self.rest().bytes().take(self.indent).take_while(|b| *b == b' ').count();
        self.at += blanks;
    }

    /// Goes to where the next character of the value stands; none if the two have parted.
    fn reach(&mut self, c: char) -> Option<()> {
        if self.written_here(c) {
            return Some(());
        }
        // Line breaks and indentation that folding took out.
        loop {
            let rest = self.rest();
            let escaped_break = rest.starts_with("\\\n") || rest.starts_with("\\\r");
            if !escaped_break && !rest.starts_with([' ', '\t', '\n', '\r']) {
                break;
            }
            self.at += 1;
            if self.written_here(c) {
                return Some(());
            }
        }
        None
    }

    fn written_here(&self, c: char) -> bool {
        let rest = self.rest();
        if self.style == Style::Double && rest.starts_with('\\') {
            return !rest[1..].starts_with(['\n', '\r']);
        }
        rest.starts_with(c) || matches!(c, ' ' | '\n') && rest.starts_with(['\n', '\r'])
    }

    fn pass(&mut self, c: char) {
        let rest = self.rest();
        if self.style == Style::Double && rest.starts_with('\\') {
            self.at += match rest.as_bytes().get(1) {
                Some(b'x') => 4,
                Some(b'u') => 6,
                Some(b'U') => 10,
                _ => 2,
            }
            .min(rest.len());
        } else if self.style == Style::Single && rest.starts_with("''") {
            self.at += 2;
        } else if rest.starts_with(['\n', '\r']) {
            self.at += if rest.starts_with("\r\n") { 2 } else { 1 };
            self.skip_indent();
        } else {
            self.at += c.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::source::{Limits, Scalars, SourceFile, Sources, parse};

    /// Finds a word of the value in the file by way of the value.
    fn check(text: &str, word: &str) {
        let sources = Sources::new([SourceFile::new("a", text)]);
        let parsed = parse(0, text, Scalars::Kubernetes, Limits::default());
        let node = parsed.documents[0].get("a").unwrap();
        let value = node.as_str().unwrap();
        let at = value.find(word).unwrap();
        let span = sources.inside(node.span, value, &(at..at + word.len()));
        assert_eq!(sources.slice(span), word, "{value:?}");
        assert_eq!(span.start as usize, text.rfind(word).unwrap());
    }

    #[test]
    fn places_in_values_are_found_in_the_file() {
        check("a: echo {{ word }}\n", "word");
        check("a: 'it''s {{ word }}'\n", "word");
        check("a: \"x\\n\\u00e4 \\\"{{ word }}\"\n", "word");
        check("a: |\n  one\n    two\n\n  {{ word }}\n", "word");
        check("a: |-\r\n  one\r\n  {{ word }}\r\n", "word");
        check("a: >-\n  one\n  two\n\n  {{ word }}\n", "word");
        check("a: one\n  two\n\n  {{ word }}\n", "word");
        check("a: \"one\n  two \\\n  {{ word }}\"\n", "word");
    }
}
