//! Text of a report, made fit to be shown: references resolved, colours and control characters gone, length bounded.

/// `&#x0010FFFF;`: looking further ahead for an end would make a file of ampersands take for ever.
const LONGEST_REFERENCE: usize = 12;

/// The character that a reference names. Entities that a document declares itself are none of ours: they are never
/// expanded, so a file can never become larger by being read.
pub(super) fn reference(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            code.ok().and_then(char::from_u32)
        }
    }
}

/// The text with its references resolved; those that name nothing stay as they are.
pub(super) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(LONGEST_REFERENCE).position(|byte| byte == b';');
        let named = end.and_then(|end| Some((reference(&rest[1..end])?, end)));
        let (c, length) = named.map_or(('&', 1), |(c, end)| (c, end + 1));
        plain.push(c);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}

/// The text without colours and other control characters. XML cannot hold an escape character, so pytest writes it as
/// `#x1B`.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let escape = rest.strip_prefix('\u{1b}').or_else(|| rest.strip_prefix("#x1B"));
        if let Some(after) = escape.and_then(|after| after.strip_prefix('[')) {
            let parameters = after.trim_start_matches(|c: char| ('\u{20}'..'\u{40}').contains(&c));
            rest = parameters.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(parameters);
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c == '\r' {
            if !rest.starts_with('\n') {
                plain.push('\n');
            }
        } else if !c.is_control() || matches!(c, '\n' | '\t') {
            plain.push(c);
        }
    }
    plain
}

/// Cuts a long text in the middle: how it began and how it ended say most. True when something was cut.
pub(super) fn cut(text: &mut String, longest: usize) -> bool {
    if text.len() <= longest {
        return false;
    }
    let (head, tail) = (text.floor_char_boundary(longest / 4 * 3), text.ceil_char_boundary(text.len() - longest / 4));
    text.replace_range(head..tail, "\n…\n");
    true
}

#[cfg(test)]
mod tests {
    use super::{cut, plain, unescape};

    #[test]
    fn references_are_resolved_and_others_stay() {
        assert_eq!(unescape("a &lt; b &amp;&amp; c&#10;&#x41; &unknown; & d;"), "a < b && c\nA &unknown; & d;");
        assert_eq!(unescape("&#xD800; &#99999999999;"), "&#xD800; &#99999999999;");
    }

    #[test]
    fn colours_and_control_characters_go() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m #x1B[32mgreen#x1B[0m\u{0}\u{7}"), "red green");
        assert_eq!(plain("a\r\nb\rc\td"), "a\nb\nc\td");
        assert_eq!(plain("\u{1b}["), "");
    }

    #[test]
    fn a_long_text_keeps_its_ends() {
        let mut text = format!("begin{}end", "é".repeat(1000));
        assert!(cut(&mut text, 100));
        assert!(text.starts_with("begin") && text.ends_with("end") && text.len() <= 110);
        assert!(!cut(&mut "short".to_owned(), 100));
    }
}
