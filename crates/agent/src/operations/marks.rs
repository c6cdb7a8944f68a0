//! Values that a program prints for later steps: lines framed by control characters.
//!
//! `U+0001 U+0005 ref U+0003 name U+0004 json U+0003`, on a line of its own. They are taken out of the output and
//! become `output.<name>`. A line that claims to be a hint about a step's state (with U+0006) stays text: nobody's word
//! but the agent's says how a step stands.

use testudo_core::expr::Value;

/// What such a line begins with.
const START: &[u8] = b"\x01\x05";
/// Longest line that is waited for to end.
const LONGEST: usize = 64 * 1024;

/// Looks for values in a stream.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The beginning of a line that may be one.
    carry: Vec<u8>,
}

impl Marks {
    /// Passes bytes through; what is a value is handed to `emit` instead.
    pub(super) fn feed(&mut self, bytes: &[u8], text: &mut Vec<u8>, emit: &mut dyn FnMut(String, Value)) {
        self.carry.extend_from_slice(bytes);
        let mut rest = self.carry.as_slice();
        loop {
            let Some(at) = find(rest) else {
                text.extend_from_slice(rest);
                rest = &[];
                break;
            };
            text.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    match parse(&rest[..end]) {
                        Some((name, value)) => emit(name, value),
                        None => text.extend_from_slice(&rest[..=end]),
                    }
                    rest = &rest[end + 1..];
                }
                // It may still become one.
                None if rest.len() <= LONGEST => break,
                None => {
                    text.extend_from_slice(rest);
                    rest = &[];
                    break;
                }
            }
        }
        let left = rest.len();
        self.carry.drain(..self.carry.len() - left);
    }

    /// What was held back is text after all.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>, emit: &mut dyn FnMut(String, Value)) {
        match parse(&self.carry) {
            Some((name, value)) => emit(name, value),
            None => text.extend_from_slice(&self.carry),
        }
        self.carry.clear();
    }

    /// Whether a chunk can be passed on as it is.
    pub(super) fn has_nothing_to_do(&self, bytes: &[u8]) -> bool {
        self.carry.is_empty() && memchr::memchr(START[0], bytes).is_none()
    }
}

/// Where a value may begin; its first character may be the last that has come.
fn find(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(START[0], bytes).find(|at| bytes.get(at + 1).is_none_or(|next| *next == START[1]))
}

fn parse(line: &[u8]) -> Option<(String, Value)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let body = line.strip_prefix(START)?.strip_suffix(b"\x03")?;
    let body = std::str::from_utf8(body).ok()?;
    let (r#ref, rest) = body.split_once('\u{3}')?;
    if r#ref.starts_with('\u{6}') {
        return None;
    }
    let (name, json) = rest.split_once('\u{4}').unwrap_or((rest, "null"));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    Some((name.to_owned(), Value::from_json_text(json).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(parts: &[&str]) -> (String, Vec<(String, String)>) {
        let (mut marks, mut text, mut values) = (Marks::default(), Vec::new(), Vec::new());
        let mut emit = |name: String, value: Value| values.push((name, value.to_json_text()));
        for part in parts {
            if marks.has_nothing_to_do(part.as_bytes()) {
                text.extend_from_slice(part.as_bytes());
            } else {
                marks.feed(part.as_bytes(), &mut text, &mut emit);
            }
        }
        marks.finish(&mut text, &mut emit);
        (String::from_utf8(text).unwrap(), values)
    }

    #[test]
    fn a_value_is_taken_out_also_when_it_comes_in_pieces() {
        let line = "\u{1}\u{5}r1\u{3}figures\u{4}{\"a\":1}\u{3}\n";
        let expected = ("before\nafter\n".to_owned(), vec![("figures".to_owned(), "{\"a\":1}".to_owned())]);
        assert_eq!(through(&["before\n", line, "after\n"]), expected);
        for cut in 1..line.len() {
            assert_eq!(through(&["before\n", &line[..cut], &line[cut..], "after\n"]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_value_is_text() {
        for text in ["a\u{1}b\n", "\u{1}\u{5}\u{6}r1\u{3}end\u{4}\"passed\"\u{3}\n", "\u{1}\u{5}no end", "\u{1}"] {
            assert_eq!(through(&[text]), (text.to_owned(), Vec::new()));
        }
    }
}
