//! Shell words: quoted so that a POSIX shell reads them back, and split as one would.

use super::ExprError;

/// Words quoted where they need it, joined by blanks.
pub fn quote<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let mut out = String::new();
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        quote_word(&mut out, word);
    }
    out
}

fn quote_word(out: &mut String, word: &str) {
    if word.is_empty() {
        out.push_str("''");
    } else if word.contains([' ', '\t', '\n']) {
        for (index, segment) in word.split('\'').enumerate() {
            if index > 0 {
                out.push_str("\\'");
            }
            if !segment.is_empty() {
                out.push('\'');
                out.push_str(segment);
                out.push('\'');
            }
        }
    } else {
        if word.starts_with(['~', '#']) {
            out.push('\\');
        }
        for c in word.chars() {
            if "\\'\"$`{[|&;<>()*?!".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
}

/// The words of a command line. `#` is an ordinary character, and nothing is expanded.
pub fn parse(line: &str) -> Result<Vec<String>, ExprError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(ExprError::new("Unterminated single-quoted string")),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                // A line goes on behind it, and so does a word.
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(ExprError::new("Unterminated backslash-escape")),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), ExprError> {
    let unterminated = || ExprError::new("Unterminated double-quoted string");
    loop {
        match chars.next().ok_or_else(unterminated)? {
            '"' => return Ok(()),
            '\\' => match chars.next().ok_or_else(unterminated)? {
                '\n' => {}
                c @ ('$' | '`' | '"' | '\\') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leading_hash_is_no_comment() {
        assert_eq!(quote(["#smoke", "a#b"]), "\\#smoke a#b");
        assert_eq!(parse("#smoke a#b").unwrap(), ["#smoke", "a#b"]);
    }

    #[test]
    fn empty_segments_around_a_quote_are_left_out() {
        assert_eq!(quote(["it's ok"]), r"'it'\''s ok'");
        assert_eq!(quote(["' x'"]), r"\'' x'\'");
        assert_eq!(quote(["}]"]), "}]");
    }

    #[test]
    fn a_backslash_at_a_line_end_vanishes() {
        assert_eq!(parse("a\\\nb \"c\\\nd\" \\\n").unwrap(), ["ab", "cd"]);
        assert_eq!(parse(r#""\x\$" '\x'"#).unwrap(), [r"\x$", r"\x"]);
    }

    #[test]
    fn quoted_words_read_back_as_themselves() {
        let words = ["", "a b", "it's", "$HOME", "~x", "#y", "tab\t'", "\\", "\"q\"", "line\nbreak", "*?[]{}!"];
        assert_eq!(parse(&quote(words)).unwrap(), words);
    }
}
