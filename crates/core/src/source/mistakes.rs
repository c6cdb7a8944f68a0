//! What the parser refuses, said so that the author knows what to change. The parser knows which rule broke and
//! where it noticed; the lines around that place usually show what was meant.

use granit_parser::{ErrorKind, ScanError};

use super::{Diagnostic, Span};

const CODE: &str = "yaml";

/// A syntax error as a finding. `at` is where the parser noticed it, in bytes of the text.
pub(super) fn explain(error: &ScanError, at: usize, file: u32, text: &str) -> Diagnostic {
    let place = Place::new(file, text, at.min(text.len()));
    place.template().unwrap_or_else(|| by_kind(error.kind(), &place))
}

fn by_kind(kind: &ErrorKind, place: &Place) -> Diagnostic {
    use ErrorKind as E;
    match kind {
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabInPlainScalar
        | E::TabAtBlockScalarStart => place.tab(),
        E::UnexpectedCharacter { character } => place.reserved(*character),
        E::UnknownAnchor | E::MissingAnchorOrAliasName => place.alias(),
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => place
            .error(1, "the quote that opens here is never closed")
            .help("close it; inside single quotes a quote is written twice"),
        E::MappingValueNotAllowed | E::InvalidMappingValueWhitespace => place.colon(),
        E::SimpleKeyExpected | E::InvalidSimpleKey => place.no_colon(),
        E::ExpectedBlockMappingKey
        | E::ExpectedBlockSequenceEntry
        | E::InvalidIndentation
        | E::UnexpectedEofBlockMapping => place.indentation(),
        E::BlockSequenceEntryNotAllowed => place
            .error(1, "a list cannot start on the line of its key")
            .help("put the `-` on the next line, or write the list in brackets: [a, b]"),
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => place
            .error(1, "text after the closing quote")
            .help("quote the whole value; inside single quotes a quote is written twice: 'it''s'"),
        E::UnknownQuotedScalarEscape | E::InvalidQuotedScalarHexEscape | E::InvalidUnicodeEscape => place.escape(),
        E::InvalidBlockScalarHeader => place
            .error(1, "nothing but a comment may follow the `|` or `>` that opens a block of text")
            .help("start the text on the next line, deeper than its key"),
        E::CommentNotSeparated => place.error(1, "a comment needs a blank in front of its `#`"),
        E::InvalidColonPlacement
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::InvalidFlowScalarIndent
        | E::UnclosedFlowCollection { .. } => place.bracket(),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => {
            place.error(1, "this bracket closes nothing").help("if it belongs to a text, quote the whole text")
        }
        E::RecursionLimitExceeded => {
            let mut finding = place.error(1, "nested too deeply");
            "too-large".clone_into(&mut finding.code);
            finding
        }
        E::BomInsideDocument => {
            place.error(3, "a byte order mark inside a document").help("remove the invisible character")
        }
        other => place.error(1, &other.to_string()),
    }
}

/// A value that starts with `{{` unquoted is a map inside a map for YAML.
pub(super) fn unquoted_template(file: u32, text: &str, at: usize) -> Diagnostic {
    let rest = text[at..].lines().next().unwrap_or("");
    let end = rest.rfind("}}").map_or(2, |end| end + 2);
    let finding =
        Diagnostic::error(CODE, "a value that starts with `{{` must be quoted").at(Span::new(file, at, at + end));
    finding.help(format!("write {}", quoted(rest)))
}

/// A text in quotes, by the style that needs no escapes if there is one.
fn quoted(text: &str) -> String {
    let text = text.trim();
    if text.contains('\'') && !text.contains(['"', '\\']) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

struct Place<'t> {
    file: u32,
    text: &'t str,
    at: usize,
    /// Where the line starts.
    start: usize,
    line: &'t str,
    /// The line without its indentation.
    content: &'t str,
}

impl<'t> Place<'t> {
    fn new(file: u32, text: &'t str, at: usize) -> Self {
        let mut at = at;
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let line = text[start..].lines().next().unwrap_or("");
        Self { file, text, at, start, line, content: line.trim_start() }
    }

    fn error(&self, len: usize, message: &str) -> Diagnostic {
        Diagnostic::error(CODE, message).at(Span::new(self.file, self.at, (self.at + len).min(self.text.len())))
    }

    fn on_content(&self, message: &str) -> Diagnostic {
        let from = self.start + self.line.len() - self.content.len();
        Diagnostic::error(CODE, message).at(Span::new(self.file, from, from + self.content.trim_end().len()))
    }

    fn indent(&self) -> usize {
        self.line.len() - self.content.len()
    }

    /// The nearest line above that says something.
    fn above(&self) -> Option<&'t str> {
        self.text[..self.start]
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    }

    /// Where the value of this line starts, in bytes of the file: behind `key: ` or `- `.
    fn value(&self) -> usize {
        let mut from = self.start + self.indent();
        while let Some(rest) = self.text[from..self.start + self.line.len()].strip_prefix("- ") {
            from = self.start + self.line.len() - rest.trim_start().len();
        }
        match self.text[from..self.start + self.line.len()].find(": ") {
            Some(colon) => {
                let rest = &self.text[from + colon + 2..self.start + self.line.len()];
                self.start + self.line.len() - rest.trim_start().len()
            }
            None => from,
        }
    }

    fn template(&self) -> Option<Diagnostic> {
        let value = self.value();
        self.text[value..].starts_with("{{").then(|| unquoted_template(self.file, self.text, value))
    }

    fn tab(&self) -> Diagnostic {
        let from = self.text[self.start..].find('\t').map_or(self.at, |tab| self.start + tab);
        Diagnostic::error(CODE, "a tab cannot indent in YAML")
            .at(Span::new(self.file, from, from + 1))
            .help("indent with spaces; most editors can turn tabs into spaces")
    }

    fn reserved(&self, character: char) -> Diagnostic {
        let rest = self.text[self.at..].lines().next().unwrap_or("");
        self.error(character.len_utf8(), &format!("a text cannot start with `{character}`"))
            .help(format!("quote it: {}", quoted(rest)))
    }

    fn alias(&self) -> Diagnostic {
        let word = self.text[self.at..].split([' ', '\n', '\r', ',', ']', '}']).next().unwrap_or("");
        if word.starts_with('&') {
            return self.error(1, "a text cannot start with `&`").help("quote it");
        }
        let finding =
            self.error(word.len().max(1), &format!("`{word}` reads as an alias, and there is no such anchor"));
        finding.help(format!("if a pattern or a text is meant, quote it: {}", quoted(word)))
    }

    fn colon(&self) -> Diagnostic {
        if self.content.starts_with("- ") && self.line[..self.at - self.start].matches(": ").count() == 0 {
            return self.dash();
        }
        let before = &self.text[self.value().min(self.at)..self.at];
        let value = self.text[self.value()..self.start + self.line.len()].trim_end();
        if self.value() <= self.at && !before.trim().is_empty() && self.line[..self.at - self.start].contains(": ") {
            let from = self.value();
            return Diagnostic::error(CODE, "a colon inside an unquoted value")
                .at(Span::new(self.file, self.at, self.at + 1))
                .help(format!("quote the value: {}", quoted(&self.text[from..from + value.len()])));
        }
        match self.above() {
            Some(above) if !above.contains(": ") && !above.trim_end().ends_with(':') => {
                let at = self.text[..self.start].rfind(above).unwrap_or(self.start);
                let indent = above.len() - above.trim_start().len();
                let span = Span::new(self.file, at + indent, at + above.trim_end().len());
                let finding = Diagnostic::error(CODE, "no `: ` after the key").at(span);
                match above.trim().split_once(':') {
                    Some((key, value)) => finding.help(format!("a blank belongs behind the colon: `{key}: {value}`")),
                    None => finding.help(format!("write `{}: …`", above.split_whitespace().next().unwrap_or("key"))),
                }
            }
            _ => self
                .on_content("this line is indented deeper than the entries it belongs to")
                .help("align it with the line above, or remove the value of the line above if this belongs below it"),
        }
    }

    fn no_colon(&self) -> Diagnostic {
        let finding = self.on_content("no `: ` after the key");
        match self.content.trim().split_once([' ', ':']) {
            Some((key, value)) => finding.help(format!("write `{key}: {}`", value.trim())),
            None => finding.help(format!(
                "write `{}:` and its value; a text over several lines starts with `|`",
                self.content.trim()
            )),
        }
    }

    fn dash(&self) -> Diagnostic {
        self.on_content("this `-` is not aligned with the other items of a list")
            .help("all items of a list start in the same column, at least as deep as its key")
    }

    fn indentation(&self) -> Diagnostic {
        if self.content.starts_with('-') {
            return self.dash();
        }
        if self.at > self.start + self.indent() {
            return self.error(1, "this is left over behind a complete value").help("quote the whole value");
        }
        self.on_content("the indentation of this line fits nothing above it")
            .help("entries of one map start in the same column; the lines of a text block are deeper than its key")
    }

    fn bracket(&self) -> Diagnostic {
        let open = self.text[..self.at].rfind(['[', '{']);
        let Some(open) = open else { return self.error(1, "a bracket is not closed") };
        let bracket = &self.text[open..=open];
        let close = if bracket == "[" { "]" } else { "}" };
        Diagnostic::error(CODE, format!("the `{bracket}` that opens here is not closed"))
            .at(Span::new(self.file, open, open + 1))
            .help(format!("close it with `{close}`, or quote the value if it is a text"))
    }

    fn escape(&self) -> Diagnostic {
        let rest = &self.text[self.at..];
        let known = |c: char| "0abt\tnvfre \"/\\N_LPxuU\n\r".contains(c);
        let mut found = None;
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                match chars.next() {
                    Some((_, next)) if known(next) => {}
                    _ => {
                        found = Some(at);
                        break;
                    }
                }
            }
        }
        let at = self.at + found.unwrap_or(0);
        Diagnostic::error(CODE, "unknown escape in a text in double quotes")
            .at(Span::new(self.file, at, (at + 2).min(self.text.len())))
            .help("write the backslash twice, or use single quotes, which know no escapes")
    }
}

#[cfg(test)]
mod tests {
    use crate::source::{Limits, Scalars, SourceFile, Sources, parse};

    /// The findings for a text, as `line:column message (help)`.
    fn found(text: &str) -> Vec<String> {
        let sources = Sources::new([SourceFile::new("a.yaml", text)]);
        parse(0, text, Scalars::Kubernetes, Limits::default())
            .diagnostics
            .iter()
            .map(|diagnostic| {
                let finding = sources.finding(diagnostic);
                let (line, column) = (finding.line.unwrap(), finding.column.unwrap());
                format!("{line}:{column} {} ({})", finding.message, finding.help.unwrap_or_default())
            })
            .collect()
    }

    fn one(text: &str, expected: &str) {
        let found = found(text);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(expected), "{}", found[0]);
    }

    #[test]
    fn a_tab_is_pointed_at() {
        one("a:\n\tb: 1\n", "2:1 a tab cannot indent in YAML (indent with spaces");
        one("a:\n  b: 1\n\tc: 2\n", "3:1 a tab cannot indent");
        one("shell: |\n\techo\n", "2:1 a tab cannot indent");
    }

    #[test]
    fn wrong_indentation_names_the_line() {
        one("a:\n  b: 1\n c: 2\n", "3:2 the indentation of this line fits nothing above it");
        one("s:\n- name: x\n  shell: y\n   run: z\n", "4:4 this line is indented deeper");
    }

    #[test]
    fn a_missing_colon_is_written_out() {
        one("a: 1\nb 2\n", "2:1 no `: ` after the key (write `b: 2`)");
        one("a:b\nc: d\n", "1:1 no `: ` after the key (a blank belongs behind the colon: `a: b`)");
    }

    #[test]
    fn an_open_quote_is_found_where_it_opens() {
        one("a: 'x\nb: 2\n", "1:4 the quote that opens here is never closed");
    }

    #[test]
    fn reserved_characters_ask_for_quotes() {
        one("a: @x y\n", "1:4 a text cannot start with `@` (quote it: '@x y')");
        one("a: `x`\n", "1:4 a text cannot start with ``` (quote it: '`x`')");
        one("p:\n- **/*.js\n", "2:3 `**/*.js` reads as an alias, and there is no such anchor (if a pattern");
    }

    #[test]
    fn a_duplicate_key_names_the_first() {
        one("a: 1\nb: 2\na: 3\n", "3:1 the key `a` stands here twice (the first one is in line 1");
    }

    #[test]
    fn an_unquoted_template_is_shown_quoted() {
        one("a: {{ x }}\n", "1:4 a value that starts with `{{` must be quoted (write '{{ x }}')");
        one("a: {{ x }}/y\nb: 1\n", "1:4 a value that starts with `{{` must be quoted (write '{{ x }}/y')");
        one("a:\n- {{ x }} b\n", "2:3 a value that starts with `{{` must be quoted");
    }

    #[test]
    fn a_colon_in_a_value_asks_for_quotes() {
        one("name: Run: the tests\n", "1:10 a colon inside an unquoted value (quote the value: 'Run: the tests')");
        one("shell: echo 'a: b'\n", "1:15 a colon inside an unquoted value (quote the value: \"echo 'a: b'\")");
    }

    #[test]
    fn a_dash_out_of_line_is_pointed_at() {
        one("s:\n  - a: 1\n - b: 2\n", "3:2 this `-` is not aligned");
        one("s:\n- name: x\n - shell: y\n", "3:2 this `-` is not aligned");
        one("s:\n- a\n - b\n", "3:2 this line continues the text above");
        one("a: - b\n", "1:4 a list cannot start on the line of its key");
    }

    #[test]
    fn brackets_quotes_and_escapes() {
        one("a: [1, 2\nb: 3\n", "1:4 the `[` that opens here is not closed (close it with `]`");
        one("a: 'it's'\n", "1:8 text after the closing quote");
        one("a: \"\\d+\"\n", "1:5 unknown escape in a text in double quotes");
        one("a: > x\n", "1:4 nothing but a comment may follow");
    }
}
