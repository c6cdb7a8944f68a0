//! File patterns with the meaning of doublestar v4: `*` and `?` stay within a path segment, `**` as a whole segment is
//! any number of them, `[a-z]`, `[!a]`, `{a,b}` and `\x` as in a shell. Names with a leading dot are like any others.
//!
//! A pattern becomes a regular expression, so matching takes linear time whatever the pattern. Walking directories is
//! left to whoever has some; [`Globs::roots`] says where to start.

mod pattern;

use regex::{Regex, RegexBuilder};

use crate::expr::{abspath, clean_path};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    #[error("syntax error in pattern {0:?}")]
    Syntax(String),
    #[error("pattern {0:?} has too many alternatives")]
    TooLarge(String),
    #[error("at least one pattern must not start with `!`")]
    NothingWanted,
}

/// One pattern.
#[derive(Clone, Debug)]
pub struct Glob {
    pattern: String,
    regex: Regex,
}

impl Glob {
    pub fn new(pattern: &str) -> Result<Self, GlobError> {
        if !pattern::is_valid(pattern) {
            return Err(GlobError::Syntax(pattern.to_owned()));
        }
        let too_large = || GlobError::TooLarge(pattern.to_owned());
        let source = pattern::to_regex(pattern).ok_or_else(too_large)?;
        let regex = RegexBuilder::new(&source).dot_matches_new_line(true).build().map_err(|_| too_large())?;
        Ok(Self { pattern: pattern.to_owned(), regex })
    }

    /// Whether the whole path fits.
    pub fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The directory that contains everything the pattern can match; `.` if it does not even name one.
    pub fn base(&self) -> String {
        fixed_prefix(&self.pattern).0
    }
}

/// A pattern split into the directory before its first special character and the rest.
pub fn fixed_prefix(pattern: &str) -> (String, &str) {
    let mut slash = None;
    let mut bytes = pattern.bytes().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match byte {
            b'\\' => _ = bytes.next(),
            b'/' => slash = Some(index),
            b'*' | b'?' | b'[' | b'{' => break,
            _ => {}
        }
    }
    match slash {
        None => (".".to_owned(), pattern),
        Some(0) => ("/".to_owned(), &pattern[1..]),
        Some(slash) => (unescape(&pattern[..slash]), &pattern[slash + 1..]),
    }
}

fn unescape(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// The pattern that matches a text and nothing else.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// What some patterns want and others, with a leading `!`, do not, below one working directory.
#[derive(Clone, Debug)]
pub struct Globs {
    wanted: Vec<Glob>,
    unwanted: Vec<Glob>,
}

impl Globs {
    pub fn new<P: AsRef<str>>(directory: &str, patterns: impl IntoIterator<Item = P>) -> Result<Self, GlobError> {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for pattern in patterns {
            match pattern.as_ref().strip_prefix('!') {
                Some(pattern) => unwanted.push(Glob::new(&absolute(directory, pattern))?),
                None => wanted.push(Glob::new(&absolute(directory, pattern.as_ref()))?),
            }
        }
        if wanted.is_empty() {
            return Err(GlobError::NothingWanted);
        }
        Ok(Self { wanted, unwanted })
    }

    /// Whether an absolute path is wanted.
    pub fn matches(&self, path: &str) -> bool {
        self.wanted.iter().any(|glob| glob.matches(path)) && !self.unwanted.iter().any(|glob| glob.matches(path))
    }

    /// The directories to walk, none inside another, in order.
    pub fn roots(&self) -> Vec<String> {
        let mut roots: Vec<String> = self.wanted.iter().map(|glob| clean_path(&glob.base())).collect();
        // A directory sorts before all that is in it, though not right before: `/a`, `/a-b`, `/a/b`.
        roots.sort();
        let mut outermost: Vec<String> = Vec::new();
        for root in roots {
            let inside = |outer: &String| {
                root.strip_prefix(outer.trim_end_matches('/'))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if !outermost.iter().any(inside) {
                outermost.push(root);
            }
        }
        outermost
    }
}

/// A pattern seen from a directory whose own name is no pattern. Leading dots are resolved; further in, `..` would
/// have to be resolved against what is not known yet.
fn absolute(directory: &str, pattern: &str) -> String {
    if pattern.starts_with('/') {
        return pattern.to_owned();
    }
    let mut directory = clean_path(directory);
    let mut rest = pattern;
    loop {
        let (segment, behind) = rest.split_once('/').unwrap_or((rest, ""));
        match segment {
            ".." => directory = abspath(&directory, ".."),
            "." => {}
            "" if !behind.is_empty() => {}
            _ => break,
        }
        rest = behind;
    }
    let directory = escape(directory.trim_end_matches('/'));
    if rest.is_empty() && pattern != rest { directory } else { format!("{directory}/{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From doublestar's own table.
    #[test]
    fn patterns_match_as_doublestar_says() {
        for (pattern, path, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "/", false),
            ("/*", "/", true),
            ("/*", "/debug/", false),
            ("/*", "//", false),
            ("abc", "abc", true),
            ("*c", "abc", true),
            ("*/", "a/", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[b-d]", "abc", true),
            ("ab[^b-d]", "abc", false),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[!a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("[x-]", "-", true),
            ("[a-b-d]", "-", true),
            ("[a-b-d]", "c", false),
            ("**", "", true),
            ("a/**", "a", true),
            ("a/**/", "a", true),
            ("a/**", "a/b/c", true),
            ("**/c", "c", true),
            ("**/c", "a/b/c", true),
            ("**/c", "a/abc", false),
            ("a/**/b", "a/b", true),
            ("a/**/d", "a/b/c/d", true),
            ("a/\\**", "a/b/c", false),
            ("a/b/c", "a/b//c", false),
            ("a/", "a", false),
            ("ab{c,d,*}", "abcde", true),
            ("a{,bc}", "a", true),
            ("{a/{b,c},abc}", "a/c", true),
            ("{a/{b,c},abc}", "a/b/c", false),
            ("a{**/b,bcd}", "a/c/b", false),
            ("a/{**/b,abc}", "a/c/b", true),
            ("abc**", "abc/b", false),
            ("**/【*", "abc/【test】.txt", true),
            ("{[a,b]bcd,a/abc}", "abcd", true),
            ("{[}],a}", "}", true),
            ("e/\\[x\\]/*/z", "e/[x]/[y]/z", true),
            ("e/[\\*\\?]?", "e/**", true),
            ("e/{\\*,\\?}", "e/?", true),
            ("hidden-tests/**", "hidden-tests/.hidden-dir/.hidden-file", true),
            ("hidden-tests/?hidden*", "hidden-tests/.hidden-file", true),
        ] {
            assert_eq!(Glob::new(pattern).unwrap().matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn what_doublestar_rejects_is_rejected() {
        for bad in ["[]a]", "\\", "[", "[^", "[^bc", "a[", "ab{c,d}[", "e/[", "{a", "a}", "[!]"] {
            assert!(matches!(Glob::new(bad), Err(GlobError::Syntax(_))), "{bad}");
        }
    }

    #[test]
    fn alternatives_that_multiply_are_bounded() {
        assert!(matches!(Glob::new(&"{a,b}".repeat(100)), Err(GlobError::TooLarge(_))));
        assert!(matches!(Glob::new(&"{".repeat(100_000)), Err(GlobError::Syntax(_))));
        assert!(Glob::new(&format!("{}{}", "{".repeat(10_000), "}".repeat(10_000))).is_err());
    }

    #[test]
    fn the_fixed_prefix_ends_before_the_first_special_segment() {
        let split = |pattern| fixed_prefix(pattern);
        assert_eq!(split("/a/b/*.js"), ("/a/b".into(), "*.js"));
        assert_eq!(split("/**/*.js"), ("/".into(), "**/*.js"));
        assert_eq!(split("a\\*/{b,c}"), ("a*".into(), "{b,c}"));
        assert_eq!(split("*.js"), (".".into(), "*.js"));
    }

    #[test]
    fn exclusions_and_relative_patterns_work_together() {
        let globs = Globs::new("/w[1]/src", ["**/*.js", "!node_modules/**", "../x/*", "./y.txt"]).unwrap();
        for path in ["/w[1]/src/a.js", "/w[1]/src/.b/a.js", "/w[1]/x/q", "/w[1]/src/y.txt"] {
            assert!(globs.matches(path), "{path}");
        }
        for path in ["/w[1]/src/node_modules/a.js", "/w[1]/x/q/r", "/w1/src/a.js"] {
            assert!(!globs.matches(path), "{path}");
        }
        assert_eq!(globs.roots(), ["/w[1]/src", "/w[1]/x"]);
        assert_eq!(Globs::new("/", ["!a"]).unwrap_err(), GlobError::NothingWanted);
    }

    #[test]
    fn a_root_inside_another_is_not_walked_twice() {
        assert_eq!(Globs::new("/", ["/a/*", "/a/b/*", "/a-b/*"]).unwrap().roots(), ["/a", "/a-b"]);
        assert_eq!(Globs::new("/", ["*.txt", "/a/*"]).unwrap().roots(), ["/"]);
    }
}
