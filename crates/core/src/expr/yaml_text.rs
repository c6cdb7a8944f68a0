//! Values as block-style YAML, byte for byte as scripts know it from go-yaml v3: four columns of indentation, lists
//! indented below their key, quotes only where something would be read back differently.

use std::sync::LazyLock;

use jiff::civil::Date;
use regex::Regex;

use super::number;
use super::value::Value;
use crate::source::{Kind, Scalars};

pub(crate) fn write(value: &Value) -> String {
    let mut out = String::new();
    Place { indent: None, parent: Parent::Document }.write(&mut out, value);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Parent {
    Document,
    Item,
    Key,
    /// A key too long or too tall for one line, marked with `?`.
    MarkedKey,
}

/// Where a value is about to be written: behind its dash or colon.
#[derive(Clone, Copy)]
struct Place {
    /// The column of the enclosing block.
    indent: Option<usize>,
    parent: Parent,
}

const STEP: usize = 4;

impl Place {
    /// The column of a block here. Inside an item it only skips the dash, elsewhere it goes to the next step.
    fn block(self) -> usize {
        match self.indent {
            None => 0,
            Some(indent) if self.parent == Parent::Item => indent + 2,
            Some(indent) => (indent + STEP) / STEP * STEP,
        }
    }

    fn literal_block(self) -> usize {
        if self.indent.is_none() { STEP } else { self.block() }
    }

    fn write(self, out: &mut String, value: &Value) {
        match value {
            Value::List(items) if !items.is_empty() => {
                let column = self.block();
                for (index, item) in items.iter().enumerate() {
                    self.start_line(out, column, index == 0);
                    out.push('-');
                    Place { indent: Some(column), parent: Parent::Item }.write(out, item);
                }
            }
            Value::Map(entries) if !entries.is_empty() => {
                let column = self.block();
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.start_line(out, column, index == 0);
                    let inside = Place { indent: Some(column), parent: Parent::MarkedKey };
                    if key.len() <= 128 && !key.contains(['\r', '\n', '\u{85}', '\u{2028}', '\u{2029}']) {
                        write_text(out, key, Style::of(key, Context::Key), inside);
                        out.push(':');
                        Place { indent: Some(column), parent: Parent::Key }.write(out, value);
                    } else {
                        out.push_str("? ");
                        write_text(out, key, Style::of(key, Context::Value), inside);
                        new_line(out, column);
                        out.push(':');
                        inside.write(out, value);
                    }
                }
            }
            scalar => {
                if self.parent != Parent::Document {
                    out.push(' ');
                }
                self.write_scalar(out, scalar);
            }
        }
    }

    fn write_scalar(self, out: &mut String, value: &Value) {
        match value {
            Value::Str(text) => write_text(out, text, Style::of(text, Context::Value), self),
            Value::None | Value::Nil => out.push_str("null"),
            Value::List(_) => out.push_str("[]"),
            Value::Map(_) => out.push_str("{}"),
            Value::Float(x) if x.is_nan() => out.push_str(".nan"),
            Value::Float(x) if x.is_infinite() => out.push_str(if *x > 0.0 { ".inf" } else { "-.inf" }),
            number => number.write_string_form(out),
        }
    }

    fn start_line(self, out: &mut String, column: usize, first: bool) {
        match self.parent {
            Parent::Document if first => {}
            Parent::Item if first => out.push(' '),
            // Behind the colon of a marked key the block starts on the same line, in its own column.
            Parent::MarkedKey if first => out.push_str(&" ".repeat(column - self.indent.unwrap_or(0) - 1)),
            _ => new_line(out, column),
        }
    }
}

fn new_line(out: &mut String, column: usize) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out.push_str(&" ".repeat(column));
}

#[derive(Clone, Copy, PartialEq)]
enum Context {
    Key,
    Value,
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Style {
    fn of(text: &str, context: Context) -> Self {
        let shape = Shape::of(text);
        if text.contains('\n') {
            let block = context == Context::Value && !shape.trailing_space && !shape.space_break && !shape.special;
            return if block { Self::Literal } else { Self::Double };
        }
        // A bare `<<` merges when it is a key; the reference forgets that.
        if reads_as_something_else(text) || text == "<<" && context == Context::Key {
            return Self::Double;
        }
        let quoted = !(shape.break_space || shape.space_break || shape.special || shape.tab);
        let bare = quoted && !shape.edge_blank && !shape.breaks && !shape.indicator;
        match (bare, quoted) {
            (true, _) => Self::Plain,
            (false, true) => Self::Single,
            (false, false) => Self::Double,
        }
    }
}

/// What there is in a text that some way of writing it cannot carry.
#[derive(Default)]
struct Shape {
    indicator: bool,
    breaks: bool,
    tab: bool,
    special: bool,
    edge_blank: bool,
    trailing_space: bool,
    break_space: bool,
    space_break: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self { indicator: text.starts_with("---") || text.starts_with("..."), ..Self::default() };
        let mut previous = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            let blank_follows = next.is_none_or(|next| matches!(next, ' ' | '\t'));
            let blank_precedes = previous.is_none_or(|c| matches!(c, ' ' | '\t' | '\0' | '\n'));
            shape.indicator |= match c {
                '#' => blank_precedes,
                ':' => blank_follows,
                '?' | '-' => previous.is_none() && blank_follows,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    previous.is_none()
                }
                _ => false,
            };
            shape.tab |= c == '\t';
            shape.special |= c != '\t' && !is_printable(c);
            let edge = previous.is_none() || next.is_none();
            if c == ' ' {
                shape.edge_blank |= edge;
                shape.trailing_space |= next.is_none();
                shape.break_space |= previous == Some('\n');
            } else if c == '\n' {
                shape.breaks = true;
                shape.edge_blank |= edge;
                shape.space_break |= previous == Some(' ');
            }
            previous = Some(c);
        }
        shape
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// Whether a reader would take the bare text for a number, a truth, a null or a moment, now or by older rules.
fn reads_as_something_else(text: &str) -> bool {
    static SEXAGESIMAL: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$").ok());
    static MOMENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let clock = r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?";
        Regex::new(&format!(r"^(\d{{4}})-(\d{{1,2}})-(\d{{1,2}})(?:[Tt]{clock}(?:Z|[+-]\d\d:\d\d)| {clock})?$")).ok()
    });
    let old_truth = || {
        let words = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"];
        words.contains(&text)
    };
    let moment = || {
        let found = MOMENT.as_ref().and_then(|moment| moment.captures(text));
        found.is_some_and(|parts| {
            let part = |index: usize| parts.get(index).and_then(|part| part.as_str().parse::<i16>().ok());
            let small = |index: usize| i8::try_from(part(index).unwrap_or(0)).unwrap_or(i8::MAX);
            let clock = |hour: usize| small(hour) < 24 && small(hour + 1) < 60 && small(hour + 2) < 60;
            Date::new(part(1).unwrap_or(0), small(2), small(3)).is_ok() && clock(4) && clock(7)
        })
    };
    !matches!(Scalars::YamlV3.resolve(text), Kind::Str(_))
        || old_truth()
        || text.contains(':') && SEXAGESIMAL.as_ref().is_some_and(|sexagesimal| sexagesimal.is_match(text))
        || text.as_bytes().first().is_some_and(u8::is_ascii_digit) && moment()
}

fn write_text(out: &mut String, text: &str, style: Style, place: Place) {
    match style {
        Style::Plain => out.push_str(text),
        Style::Single => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
        Style::Double => write_double(out, text),
        Style::Literal => write_literal(out, text, place.literal_block(), place.indent.unwrap_or(0)),
    }
}

fn write_double(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{B}' => 'v',
            '\u{C}' => 'f',
            '\r' => 'r',
            '\u{1B}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            c if is_printable(c) => {
                out.push(c);
                continue;
            }
            c => {
                let code = u32::from(c);
                // Writing to a string cannot fail.
                _ = match code {
                    0..=0xFF => write!(out, "\\x{code:02X}"),
                    0x100..=0xFFFF => write!(out, "\\u{code:04X}"),
                    _ => write!(out, "\\U{code:08X}"),
                };
                continue;
            }
        };
        out.extend(['\\', short]);
    }
    out.push('"');
}

/// A `|` block. The reference loses a leading line feed and miscounts the indentation of leading blanks inside
/// lists; here both read back.
fn write_literal(out: &mut String, text: &str, column: usize, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        number::write_int(out, (column - indent) as i64);
    }
    match text.strip_suffix('\n') {
        None => out.push('-'),
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in text.split_terminator('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(column));
            out.push_str(line);
        }
    }
    if text.ends_with('\n') {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(json: &str) -> String {
        write(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn lists_are_indented_below_their_key() {
        assert_eq!(
            yaml(r#"{"b":[1,{"x":[],"y":{"z":null}},[true,"t"]],"a":{}}"#),
            "a: {}\nb:\n    - 1\n    - x: []\n      \"y\":\n        z: null\n    - - true\n      - t\n"
        );
    }

    #[test]
    fn only_texts_that_would_be_read_differently_are_quoted() {
        assert_eq!(
            yaml(
                r#"["plain","5","true","yes","","~","2026-08-01","2026-13-01","1:20","a: b","- a","it's","'q'"," x","<<"]"#
            ),
            "- plain\n- \"5\"\n- \"true\"\n- \"yes\"\n- \"\"\n- \"~\"\n- \"2026-08-01\"\n- 2026-13-01\n- \"1:20\"\n- 'a: b'\n\
             - '- a'\n- it's\n- '''q'''\n- ' x'\n- <<\n"
        );
    }

    #[test]
    fn several_lines_make_a_block() {
        assert_eq!(yaml(r#""a\nb""#), "|-\n    a\n    b\n");
        assert_eq!(yaml(r#"{"k":["a\n b\n"]}"#), "k:\n    - |\n      a\n       b\n");
        assert_eq!(yaml(r#"["a \nb","\na"]"#), "- \"a \\nb\"\n- |2-\n\n  a\n");
    }
}
