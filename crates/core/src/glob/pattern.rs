//! One pattern into a regular expression.

use std::fmt::Write;

/// Alternatives multiply: `{a,b}{a,b}` are four patterns. No honest one comes near.
const MAX_PATTERNS: usize = 1024;
const MAX_LENGTH: usize = 64 << 10;
const MAX_BRACES: usize = 64;

/// Whether brackets and braces are closed, classes are not empty, and nothing is escaped that is not there.
pub(super) fn is_valid(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let mut open = 0_usize;
    let mut pos = 0;
    while let Some(byte) = bytes.get(pos) {
        match byte {
            b'\\' if pos + 1 == bytes.len() => return false,
            b'\\' => pos += 1,
            b'[' => match class_end(bytes, pos) {
                Some(end) => pos = end,
                None => return false,
            },
            b'{' => open += 1,
            b'}' => match open.checked_sub(1) {
                Some(left) => open = left,
                None => return false,
            },
            _ => {}
        }
        pos += 1;
    }
    open == 0
}

/// Where the class that starts at `start` has its closing bracket.
fn class_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut pos = start + 1;
    if let Some(b'!' | b'^') = bytes.get(pos) {
        pos += 1;
    }
    if bytes.get(pos) == Some(&b']') {
        return None;
    }
    loop {
        match bytes.get(pos)? {
            b'\\' => pos += 2,
            b']' => return Some(pos),
            _ => pos += 1,
        }
    }
}

/// The regular expression of a valid pattern; nothing if it would be too large.
pub(super) fn to_regex(pattern: &str) -> Option<String> {
    let mut patterns = Vec::new();
    expand(Vec::new(), pattern, 0, &mut patterns)?;
    let mut out = String::from("^(?:");
    for (index, tokens) in patterns.iter().enumerate() {
        if index > 0 {
            out.push('|');
        }
        write(&mut out, tokens);
    }
    out.push_str(")$");
    Some(out)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Literal(char),
    Slash,
    /// `?`
    One,
    /// `*`
    Some,
    /// `**/`: any number of directories.
    Directories,
    /// `**` at the end: anything.
    Everything,
    /// A class, as the regular expression has it.
    Class(String),
}

/// Reads a pattern from left to right. At a brace it goes on once for every alternative, followed by what comes
/// behind the brace, because only then is it known what a `**` stands next to.
fn expand(mut done: Vec<Token>, mut rest: &str, braces: usize, patterns: &mut Vec<Vec<Token>>) -> Option<()> {
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        let token = match c {
            '/' => Token::Slash,
            '?' => Token::One,
            '*' if rest[1..].starts_with('*') => {
                length = 2;
                let whole_segment = done.last().is_none_or(|last| matches!(last, Token::Slash | Token::Directories));
                match rest.as_bytes().get(2) {
                    None if whole_segment => Token::Everything,
                    Some(b'/') if whole_segment => {
                        length = 3;
                        Token::Directories
                    }
                    _ => Token::Some,
                }
            }
            '*' => Token::Some,
            '[' => {
                let end = class_end(rest.as_bytes(), 0)?;
                length = end + 1;
                Token::Class(class(&rest[1..end]))
            }
            '{' => {
                if braces >= MAX_BRACES {
                    return None;
                }
                let (alternatives, behind) = alternatives(&rest[1..])?;
                for alternative in alternatives {
                    if alternative.len() + behind.len() > MAX_LENGTH {
                        return None;
                    }
                    expand(done.clone(), &format!("{alternative}{behind}"), braces + 1, patterns)?;
                }
                return Some(());
            }
            '\\' => {
                let escaped = rest[1..].chars().next()?;
                length += escaped.len_utf8();
                if escaped == '/' { Token::Slash } else { Token::Literal(escaped) }
            }
            other => Token::Literal(other),
        };
        done.push(token);
        rest = &rest[length..];
    }
    patterns.push(done);
    (patterns.len() <= MAX_PATTERNS).then_some(())
}

/// What stands between an opened brace and its end, cut at commas, and what comes behind.
fn alternatives(inside: &str) -> Option<(Vec<&str>, &str)> {
    let bytes = inside.as_bytes();
    let mut found = Vec::new();
    let (mut start, mut pos, mut depth) = (0, 0, 0_usize);
    loop {
        match bytes.get(pos)? {
            b'\\' => pos += 1,
            b'[' => pos = class_end(bytes, pos)?,
            b'{' => depth += 1,
            b',' if depth == 0 => {
                found.push(&inside[start..pos]);
                start = pos + 1;
            }
            b'}' if depth == 0 => {
                found.push(&inside[start..pos]);
                return Some((found, &inside[pos + 1..]));
            }
            b'}' => depth -= 1,
            _ => {}
        }
        pos += 1;
    }
}

/// The inside of a class as a class of a regular expression. Ranges that run backwards contain nothing.
fn class(inside: &str) -> String {
    let (negated, inside) = match inside.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, inside),
    };
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut chars = inside.chars().peekable();
    let mut range_start = None;
    while let Some(c) = chars.next() {
        let unescaped = |c, chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            if c == '\\' { chars.next().unwrap_or(c) } else { c }
        };
        if let (Some(from), '-') = (range_start, c)
            && let Some(to) = chars.next()
        {
            ranges.push((from, unescaped(to, &mut chars)));
            range_start = None;
            continue;
        }
        let c = unescaped(c, &mut chars);
        ranges.push((c, c));
        range_start = Some(c);
    }
    let mut out = String::from(if negated { "[^" } else { "[" });
    for (from, to) in ranges.into_iter().filter(|(from, to)| from <= to) {
        // Writing to a string cannot fail.
        _ = write!(out, "\\x{{{:X}}}-\\x{{{:X}}}", u32::from(from), u32::from(to));
    }
    match out.as_str() {
        "[" => "[^\\x{0}-\\x{10FFFF}]".to_owned(),
        "[^" => ".".to_owned(),
        _ => out + "]",
    }
}

fn write(out: &mut String, tokens: &[Token]) {
    // What ends in `/**` may be the directory itself.
    let (body, tail) = match tokens {
        [body @ .., Token::Slash, Token::Everything] => (body, "(?:/.*)?"),
        [body @ .., Token::Slash, Token::Directories] => (body, "(?:/(?:[^/]*/)*)?"),
        all => (all, ""),
    };
    for token in body {
        match token {
            Token::Literal(c) => _ = write!(out, "\\x{{{:X}}}", u32::from(*c)),
            Token::Slash => out.push('/'),
            Token::One => out.push_str("[^/]"),
            Token::Some => out.push_str("[^/]*"),
            Token::Directories => out.push_str("(?:[^/]*/)*"),
            Token::Everything => out.push_str(".*"),
            Token::Class(class) => out.push_str(class),
        }
    }
    out.push_str(tail);
}
